"""Undoing a Content-Encoding piece by piece, in flat memory however much a body unpacks to."""

from __future__ import annotations

import zlib

from aggregator.errors import UnreachableError, UnreadableError
from aggregator.fetch_errors import too_large
from aggregator.hosts import shown

_TELLING = 2  # bytes that show how "deflate" is meant
_SLICE = 64 * 1024  # bytes unpacked at a time, so that a bomb costs no more memory than its bound


class Unpacker:
    """Undoes one Content-Encoding piece by piece, never holding more than `most` bytes."""

    def __init__(self, url: str, encoding: str, most: int) -> None:
        self._url, self._most = url, most
        self._encoding = encoding.strip().lower().removeprefix("x-")
        if self._encoding not in {"", "identity", "gzip", "deflate"}:
            raise UnreadableError(f"{shown(url)} is packed as {encoding[:40]!r}, which we did not ask for.")
        self._plain = self._encoding in {"", "identity"}
        self._inflate: zlib._Decompress | None = None
        self._ended = False
        self._head = b""  # what came before there was enough to tell the wrapping
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            TooLargeError: it unpacks to more than `most` bytes.
            UnreadableError: it is not packed the way the headers say.
        """
        if self._plain:
            self._keep(data)
            return
        if self._inflate is None and not self._ended:
            data = self._head = self._head + data
            if len(data) < _TELLING:
                return
            self._inflate = self._fresh(data)
        while data and not self._ended:
            data = self._unpack(data)

    def whole(self) -> bytes:
        """Return the unpacked body.

        Raises:
            UnreachableError: the packed body has no end.
        """
        if self._head and not self._ended:
            raise UnreachableError(f"{shown(self._url)} broke off in the middle of its packed body.")
        return b"".join(self._parts)

    def _unpack(self, data: bytes) -> bytes:
        """Unpack at most a slice; return the input that is left."""
        if self._inflate is None:
            return b""
        try:
            out = self._inflate.decompress(data, _SLICE)
        except zlib.error:
            raise UnreadableError(f"{shown(self._url)} says it is packed by {self._encoding}, but it is not.") from None
        self._keep(out)
        if not self._inflate.eof:
            return self._inflate.unconsumed_tail
        rest = self._inflate.unused_data
        # One gzip body may be several members in a row; anything else behind the end is padding.
        self._inflate = self._fresh(rest) if self._encoding == "gzip" and rest[:1] == b"\x1f" else None
        self._ended = self._inflate is None
        return rest

    def _fresh(self, head: bytes) -> zlib._Decompress:
        if self._encoding == "gzip":
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        # "deflate" means zlib's wrapping, but many senders leave that out.
        wrapped = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2]) % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._most:
            raise too_large(self._url, "unpacks to", self._most)
        self._parts.append(data)
