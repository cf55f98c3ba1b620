"""Decompress response bodies (gzip, deflate, br, zstd) incrementally and within a limit.

aiohttp decompresses within limits, too, but it does not notice a gzip, br or zstd stream that ends early, which would
pass a truncated feed as whole, and it rejects padding behind a gzip member, which some servers send.
"""

from __future__ import annotations

import sys
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import brotli

from aggregator.domain.errors import BrokenOffError, SourceError, UnpackedTooLargeError, UnreadableError
from aggregator.fetching.errors import too_large
from aggregator.fetching.request_target import display_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

_HEAD = 2  # bytes that distinguish a zlib wrapper from raw deflate
_SLICE = 64 * 1024  # bytes decompressed at a time, so that a bomb costs no more memory than its limit
_GZIP_MEMBER = b"\x1f"  # first byte of each member
_MOST_PARTS = 1000  # members or frames of one body: empty ones cost time, but no bytes
_MAGICS = {b"\x1f\x8b\x08": "gzip", b"\x28\xb5\x2f": "zstd"}  # no text begins with these
_MAGIC_LENGTH = 3
# Codings that exist, but are not requested. Other names ("utf-8", "aws-chunked", "none") say nothing about the bytes.
_UNSUPPORTED = frozenset(
    {"compress", "bzip2", "bzip", "xz", "lzma", "lz4", "lzip", "snappy", "sdch", "dcb", "dcz", "exi", "pack200-gzip"}
    | {"aesgcm", "aes128gcm"}
)
_ZSTD_WINDOW = 23  # log2 of the window size that RFC 9659 allows


class _Undo(Protocol):
    """Decompresses one body, a slice at a time."""

    ended: bool

    def feed(self, data: bytes) -> None:
        """Add compressed bytes."""
        ...

    def slice(self) -> bytes:
        """Return about a slice of decompressed bytes at most; b"" when more input is needed."""
        ...


class Unpacker:
    """Decompresses one body incrementally, `most` bytes at most.

    Raises:
        UnreadableError: the encoding was not requested.
    """

    def __init__(self, url: str, encoding: str, most: int) -> None:
        self._url, self._most = url, most
        names = dict.fromkeys(name.strip().lower().removeprefix("x-") for name in encoding.split(","))
        codings = [name for name in names if name in _UNDOING or name in _UNSUPPORTED]
        if len(codings) > 1 or _UNSUPPORTED.intersection(codings):
            raise UnreadableError(
                f"{display_url(url)} uses the Content-Encoding {encoding[:40]!r}, which was not requested."
            )
        self._encoding = codings[0] if codings else ""
        self._undo = _UNDOING[self._encoding]() if codings else None
        self._head: bytes | None = None if codings else b""  # until it is long enough to detect compression
        self._fed = False
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Add the next chunk of the body.

        Raises:
            UnpackedTooLargeError: the decompressed body exceeds `most` bytes.
            UnreadableError: it is not compressed as the headers say.
        """
        if self._head is not None:
            self._head += data
            if len(self._head) < _MAGIC_LENGTH:
                return
            data = self._recognized(self._head)
        if self._undo is None:
            self._keep(data)
            return
        self._fed = self._fed or bool(data)
        try:
            self._undo.feed(data)
            while out := self._undo.slice():
                self._keep(out)
        except (zlib.error, brotli.error, zstd.ZstdError):
            raise UnreadableError(
                f"{display_url(self._url)} has the Content-Encoding {self._encoding}, but an invalid body."
            ) from None

    def _recognized(self, head: bytes) -> bytes:
        """Notice a compressed body without a Content-Encoding, by its first bytes, which are returned."""
        self._head = None
        coding = _MAGICS.get(head[:_MAGIC_LENGTH])
        if coding is not None:
            self._encoding, self._undo = coding, _UNDOING[coding]()
        return head

    def whole(self) -> bytes:
        """Return the decompressed body.

        Raises:
            BrokenOffError: the compressed body is truncated.
        """
        if self._undo is not None and self._fed and not self._undo.ended:
            raise BrokenOffError(f"{display_url(self._url)} sent a truncated compressed body.")
        return self.so_far()

    def so_far(self) -> bytes:
        """Return the bytes decompressed so far."""
        return b"".join([*self._parts, self._head or b""])

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._most:
            raise too_large(UnpackedTooLargeError, self._url, "decompresses to", self._most)
        self._parts.append(data)


def beginning(url: str, encoding: str, data: bytes, most: int) -> bytes:
    """Decompress the beginning of a body as far as possible, up to about `most` bytes."""
    with suppress(SourceError):
        unpacker = Unpacker(url, encoding, most)
        with suppress(SourceError):
            unpacker.feed(data)
        return unpacker.so_far()
    return b""


class _Zlib:
    """gzip, with several members, and deflate, with and without a zlib wrapper."""

    def __init__(self, *, gzip: bool) -> None:
        self.ended = False
        self._gzip = gzip
        self._members = 0
        self._data = b""
        self._inflate: zlib._Decompress | None = None

    def feed(self, data: bytes) -> None:
        self._data += data

    def slice(self) -> bytes:
        while (inflate := self._member()) is not None:
            out = inflate.decompress(self._data, _SLICE)
            if inflate.eof:
                self._data, self._inflate, self.ended = inflate.unused_data, None, True
            else:
                self._data = inflate.unconsumed_tail
                if not out and not self._data:
                    break
            if out:
                return out
        return b""

    def _member(self) -> zlib._Decompress | None:
        """Return the decompressor of the current or next member; None: more input is needed."""
        if self._inflate is None and self.ended and not (self._gzip and self._data[:1] == _GZIP_MEMBER):
            self._data = b""  # padding behind the last member
        if self._inflate is None and len(self._data) >= _HEAD:
            self._members += 1
            if self._members > _MOST_PARTS:
                raise zlib.error("too many members")
            self._inflate, self.ended = self._fresh(self._data), False
        return self._inflate

    def _fresh(self, head: bytes) -> zlib._Decompress:
        if self._gzip:
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        wrapped = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2]) % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


class _Brotli:
    def __init__(self) -> None:
        self.ended = False
        self._data = b""
        self._decompressor = brotli.Decompressor()

    def feed(self, data: bytes) -> None:
        self._data += data

    def slice(self) -> bytes:
        if self.ended and not self._data:
            return b""
        data = b""
        if self._decompressor.can_accept_more_data():
            data, self._data = self._data, b""
        out: bytes = self._decompressor.process(data, output_buffer_limit=_SLICE)
        self.ended = self._decompressor.is_finished()
        return out


class _Zstd:
    """zstd, with several frames."""

    def __init__(self) -> None:
        self.ended = False
        self._frames = 0
        self._data = b""
        self._decompressor = self._fresh()

    def feed(self, data: bytes) -> None:
        self._data += data

    def slice(self) -> bytes:
        while self._data or not self._decompressor.needs_input:
            self.ended = False
            data, self._data = self._data, b""
            out = self._decompressor.decompress(data, _SLICE)
            if self._decompressor.eof:
                self._data, self.ended = self._decompressor.unused_data, True
                self._decompressor = self._fresh()
            if out:
                return out
        return b""

    def _fresh(self) -> zstd.ZstdDecompressor:
        self._frames += 1
        if self._frames > _MOST_PARTS:
            raise zstd.ZstdError("too many frames")
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW})


_UNDOING: Mapping[str, Callable[[], _Undo]] = {
    "gzip": lambda: _Zlib(gzip=True),
    "deflate": lambda: _Zlib(gzip=False),
    "br": _Brotli,
    "zstd": _Zstd,
}
