"""Bound the size of request heads and the time to receive a request."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

LARGEST_HEAD = 32 * 1024  # bytes of the request line and all headers
LOOK_EVERY = 5.0  # seconds between checks
_HEAD_LOOKS = 2  # checks within which the head must be complete: 5 to 10 s
_BODY_LOOKS = 6  # the same for the body: 25 to 30 s


class _TooLargeError(ValueError):
    """The request head exceeds the limit."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose clients send too much or too slowly (slowloris).

    Each connection has one timer that checks whether the same request is still being received; requests need no timers.
    """

    _timer: asyncio.TimerHandle | None = None
    _is_idle = False  # no request is being received; only the wait for the first request is bounded here
    _is_in_head = True
    _looks = 0  # checks during the current request
    _head_bytes = 0
    _is_large = False  # the head may exceed the limit and must be counted exactly
    _refusal: HTTPStatus = HTTPStatus.BAD_REQUEST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(LOOK_EVERY, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, up to the limit for the head."""
        self._is_idle = False
        self._is_large = self._head_bytes + len(data) > LARGEST_HEAD
        super().data_received(data)
        if self._is_in_head and not self._is_idle:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD and not self.transport.is_closing():
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Start receiving the body after a complete head within the limit."""
        if self._is_large:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > LARGEST_HEAD:
                self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                raise _TooLargeError
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Mark the connection as idle until the next request."""
        self._is_in_head = self._is_idle = True
        self._looks = self._head_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Reject a request that is invalid or too large."""
        if self._refusal is HTTPStatus.BAD_REQUEST:
            super().send_400_response(msg)
        else:
            self._refuse(self._refusal)

    def _look(self) -> None:
        """Close the connection if the request is late."""
        self._looks = 0 if self._is_idle else self._looks + 1
        if self._is_in_head and self._looks >= _HEAD_LOOKS:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._looks >= _BODY_LOOKS:
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(LOOK_EVERY, self._look)

    def _refuse(self, status: HTTPStatus) -> None:
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode("ascii"))
        self.transport.close()
