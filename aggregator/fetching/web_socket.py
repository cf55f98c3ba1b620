"""Receive text messages over a WebSocket that stays open, each bounded in size, and none kept beyond a small buffer.

The library stops reading from the socket while its buffer is full, so a server that floods is slowed down. Nothing is
compressed, since no compression is offered; a compressed message is an error.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from aggregator.domain.errors import BrokenOffError, SlowError, TooLargeError, UnreadableError
from aggregator.fetching.request_target import display_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aggregator.fetching.client import Http

MOST_BYTES = 1_000_000  # of a message
HEARTBEAT = 20.0  # seconds without data until a ping is sent; its answer has half that time

_ENDS = frozenset({aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED})
_SENDING = 15.0  # seconds


class WebSocket:
    """An open WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, url: str) -> None:
        self._socket = socket
        self._url = display_url(url).partition("?")[0]

    async def receive(self) -> str:
        """Return the next message.

        Raises:
            BrokenOffError: the connection was closed, also by `close`, or the server answers no ping.
            TooLargeError: the message is larger than `MOST_BYTES`.
            UnreadableError: it is no text.
        """
        try:
            message = await self._socket.receive()
        except (aiohttp.ClientError, OSError) as problem:  # the answer to a ping could not be sent
            raise self._broken(problem) from None
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        raise self._problem(message)

    def _problem(self, message: aiohttp.WSMessage) -> BrokenOffError | TooLargeError | UnreadableError:
        if message.type in _ENDS:
            code = self._socket.close_code
            return BrokenOffError(f"{self._url} closed the connection" + (f" ({code})." if code else "."))
        if message.type is aiohttp.WSMsgType.ERROR:
            if getattr(message.data, "code", None) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
                return TooLargeError(f"{self._url} sent a message of more than {MOST_BYTES} bytes.")
            if isinstance(message.data, aiohttp.WebSocketError):
                return UnreadableError(f"{self._url} sent an invalid message ({message.data}).")
            return self._broken(message.data)
        return UnreadableError(f"{self._url} sent a message that is no text.")

    def _broken(self, problem: object) -> BrokenOffError:
        return BrokenOffError(f"The connection to {self._url} broke ({type(problem).__name__}).")

    async def send(self, text: str) -> None:
        """Send a message.

        Raises:
            BrokenOffError: the connection is closed.
            SlowError: the server does not read.
        """
        try:
            async with asyncio.timeout(_SENDING):
                await self._socket.send_str(text)
        except TimeoutError:
            raise SlowError(f"{self._url} did not read a message within {_SENDING:g} s.") from None
        except (aiohttp.ClientError, OSError) as problem:
            raise self._broken(problem) from None

    async def close(self) -> None:
        """Close the connection; another task may be waiting for a message."""
        await self._socket.close()


@asynccontextmanager
async def web_socket(http: Http, url: str) -> AsyncIterator[WebSocket]:
    """Open a WebSocket and close it at the end of the block.

    Args:
        http: the HTTP client, whose rate limiter, proxy and rules for addresses hold for the connection.
        url: an http or https URL.

    Raises:
        FetchError: it was not opened; a request for a WebSocket that was not accepted is a `StatusError`.
    """
    socket = WebSocket(await http.upgrade(url, most=MOST_BYTES, heartbeat=HEARTBEAT), url)
    try:
        yield socket
    finally:
        await socket.close()
