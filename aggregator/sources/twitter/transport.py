"""The wire below tweepy: where the API is, how long and how much we take, and what was seen.

tweepy has one host written into it, no timeout, no size limit, and hides the headers of a success. All four are the
business of the adapter that its session sends through, so one adapter settles them.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError

from aggregator.domain.errors import RedirectError, SlowError, TooLargeError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest, Response

CONNECT = 3.05  # seconds
READ = 20.0  # seconds without a byte
TOTAL = 25.0  # seconds for a whole answer, however steadily it drips; less than the longest hold of a turn
LARGEST = 5_000_000  # bytes, unpacked

_CHUNK = 16_384


@dataclass
class Exchange:
    """What was seen of the requests of one poll; `status`, `headers` and `body` are of the last answer."""

    requests: int = 0
    wire_bytes: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""

    def begin(self) -> None:
        """Forget the last answer, so that a failure before the next one is not taken for it."""
        self.requests += 1
        self.status, self.headers, self.body = None, {}, b""


class BoundedAdapter(HTTPAdapter):
    """Sends to `base` what is addressed to tweepy's host; one request at a time."""

    def __init__(
        self, base: str, secret: str, *, read: float = READ, total: float = TOTAL, largest: int = LARGEST
    ) -> None:
        self.exchange = Exchange()
        self._base = urlsplit(base)
        self._secret = secret.encode()
        self._read, self._total, self._largest = read, total, largest
        self._socket: socket.socket | None = None
        self._cut = False
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # requests' own signature
        """Let connections tell their socket, because only shutting it down ends a read in another thread."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes()

    def send(  # requests' own signature
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: ARG002  # we always stream, to count
        timeout: object = None,  # noqa: ARG002
        verify: bool | str = True,
        cert: Any = None,  # noqa: ANN401
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request to the base and return its whole, bounded answer.

        Raises:
            SlowError: the answer was not whole in time.
            TooLargeError: it passed the size limit.
            RedirectError: the API answered with a redirect, which it never does.
        """
        request.url = self._there(str(request.url))
        self.exchange.begin()
        with self._within(self._total):
            response = super().send(
                request,
                stream=True,
                timeout=(CONNECT, self._read),
                verify=verify,
                cert=cert,
                proxies=dict(proxies or {}),
            )
            try:
                body = self._bounded(response)
            finally:
                response.close()
        self.exchange.status = response.status_code
        self.exchange.headers = {name.lower(): value for name, value in response.headers.items()}
        self.exchange.body = body = body.replace(self._secret, b"[token]")  # a server may echo what we sent
        if response.is_redirect:
            raise RedirectError(f"X answered with a redirect ({response.status_code}); the API gives none.")
        response.raw = BytesIO(body)  # unpacked already
        return response

    def cut(self) -> None:
        """End the request that runs in another thread, if one does."""
        self._cut = True
        if self._socket is not None:
            with suppress(OSError):  # closed already, which is what we want
                # Not the method of a TLS socket: that one takes the session away from the thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _there(self, url: str) -> str:
        address = urlsplit(url)
        path = self._base.path.rstrip("/") + address.path
        return urlunsplit((self._base.scheme, self._base.netloc, path, address.query, ""))

    def _bounded(self, response: Response) -> bytes:
        parts, size = [], 0
        try:
            for chunk in response.raw.stream(_CHUNK, decode_content=True):
                size += len(chunk)
                if size > self._largest:
                    raise TooLargeError(f"X sent more than {self._largest // 1_000_000} MB in one answer.")
                parts.append(chunk)
        except ReadTimeoutError:
            raise SlowError(f"X sent nothing for {self._read:.0f} s in the middle of an answer.") from None
        except HTTPError as error:  # urllib3's own, which requests wraps only in its own reading
            raise UnreachableError(f"X's answer broke off ({type(error).__name__}).") from None
        finally:
            self.exchange.wire_bytes += response.raw.tell()
        return b"".join(parts)

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Cut the connection after a time; a failure that comes of the cut is a SlowError."""
        self._cut = False
        began = time.monotonic()
        watchdog = threading.Timer(seconds, self.cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        except Exception:
            if self._cut:
                spent = time.monotonic() - began
                raise SlowError(f"X's answer was not complete after {spent:.0f} s, so we hung up.") from None
            raise
        finally:
            watchdog.cancel()
        if self._cut:  # a body without a length ends like a whole one
            raise SlowError(f"X's answer was not complete after {seconds:.0f} s, so we hung up.")

    def _pool_classes(self) -> dict[str, type[HTTPConnectionPool]]:
        adapter = self

        class _Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                adapter._socket = cast("socket.socket", self.sock)  # the enclosing class's own

        class _Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                adapter._socket = cast("socket.socket", self.sock)  # the enclosing class's own

        class _PlainPool(HTTPConnectionPool):
            ConnectionCls = _Plain

        class _SecurePool(HTTPSConnectionPool):
            ConnectionCls = _Secure

        return {"http": _PlainPool, "https": _SecurePool}
