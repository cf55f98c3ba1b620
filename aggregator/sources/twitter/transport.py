"""Send tweepy's requests with a configurable host, time and size limits, and record the responses.

tweepy has a fixed host, no timeout, no size limit, and hides the headers of successful responses. The HTTP adapter of
its session controls all four, so one adapter replaces them.
"""

from __future__ import annotations

import ipaddress
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

from aggregator.domain.errors import ForbiddenAddressError, RedirectError, SlowError, TooLargeError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest, Response

CONNECT = 3.05  # seconds
READ = 20.0  # seconds without a byte
TOTAL = 25.0  # seconds for a whole response; less than the longest lease of a rate limiter slot
LARGEST = 5_000_000  # bytes after decompression

_CHUNK = 16_384


@dataclass
class Exchange:
    """The responses of one poll; `status`, `headers` and `body` are of the last one."""

    requests: int = 0
    wire_bytes: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""

    def begin(self) -> None:
        """Reset the last response, so that a later failure is not attributed to it."""
        self.requests += 1
        self.status, self.headers, self.body = None, {}, b""


class BoundedAdapter(HTTPAdapter):
    """Sends requests for tweepy's host to `base`, one at a time."""

    def __init__(
        self, base: str, secret: str, *, read: float = READ, total: float = TOTAL, largest: int = LARGEST
    ) -> None:
        self.exchange = Exchange()
        self._base = urlsplit(base)
        self._secret = secret.encode()
        self._read, self._total, self._largest = read, total, largest
        self._socket: socket.socket | None = None
        self._cancelled = False
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # requests' own signature
        """Use connections that expose their socket: only shutting it down ends a read in another thread."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes()

    def send(  # signature defined by requests
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: ARG002  # we always stream, to count
        timeout: object = None,  # noqa: ARG002
        verify: bool | str = True,
        cert: Any = None,  # noqa: ANN401
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request to the base URL and return its complete response, within the limits.

        Raises:
            SlowError: the response was not complete in time.
            TooLargeError: the response exceeded the size limit.
            RedirectError: the API redirected, which it never does.
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
        self.exchange.body = body = body.replace(self._secret, b"[token]")  # a server may echo the request
        if response.is_redirect:
            raise RedirectError(f"X answered with a redirect ({response.status_code}); the API never redirects.")
        response.raw = BytesIO(body)  # already decompressed
        return response

    def cancel(self) -> None:
        """Cancel a request that runs in another thread."""
        self._cancelled = True
        if self._socket is not None:
            with suppress(OSError):  # already closed
                # Not the method of a TLS socket, which would detach the session from the reading thread.
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
                    raise TooLargeError(f"X returned more than {self._largest // 1_000_000} MB in one response.")
                parts.append(chunk)
        except ReadTimeoutError:
            raise SlowError(f"X sent nothing for {self._read:.0f} s in the middle of an answer.") from None
        except HTTPError as error:  # urllib3's own errors, which requests wraps only in its own read methods
            raise UnreachableError(f"X's response was interrupted ({type(error).__name__}).") from None
        finally:
            self.exchange.wire_bytes += response.raw.tell()
        return b"".join(parts)

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Shut the connection down after a time limit; the resulting failure is raised as SlowError."""
        self._cancelled = False
        began = time.monotonic()
        watchdog = threading.Timer(seconds, self.cancel)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        except Exception:
            if self._cancelled:
                spent = time.monotonic() - began
                raise SlowError(f"X's response was not complete after {spent:.0f} s.") from None
            raise
        finally:
            watchdog.cancel()
        if self._cancelled:  # a body without a length ends like a complete one
            raise SlowError(f"X's response was not complete after {seconds:.0f} s.")

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


def host_of(base: str) -> str:
    """Return "host:port" of a base URL.

    Raises:
        ForbiddenAddressError: the URL is neither https nor on loopback.
    """
    parts = urlsplit(base)
    name = parts.hostname or ""
    if not name or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(name))):
        raise ForbiddenAddressError(
            f"AGGREGATOR_X_BASE_URL is {base!r}, which would send the token unencrypted; use an https:// address."
        )
    return f"{name}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def is_loopback(name: str) -> bool:
    """Return whether a host name or address is on this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
