"""Test streams of lines over real HTTP: lines in pieces, silence, endless lines, refusals and redirects."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.errors import SlowError, TooLargeError, UnreachableError
from aggregator.fetching.line_stream import line_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Answer one request by a function, and give the server's address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                try:
                    answer(connection)
                except OSError:  # the client is gone
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/stream"
        thread.join(10)


async def read(url: str, silence: float = 60.0) -> tuple[int, list[bytes]]:
    async with line_stream(url, {"Authorization": "Bearer secret"}, silence=silence) as stream:
        return stream.status, [line async for line in stream.lines()]


def test_lines_that_come_in_pieces_are_whole() -> None:
    def answer(connection: socket.socket) -> None:
        for piece in (HEAD, b'{"a":', b" 1}\r\n\r", b'\n{"b": 2}\n{"cut'):
            connection.sendall(piece)

    with server(answer) as url:
        assert asyncio.run(read(url)) == (200, [b'{"a": 1}\r', b"\r", b'{"b": 2}'])


def test_silence_ends_the_stream() -> None:
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"\r\n")
        over.wait(30)

    with server(answer) as url:
        with pytest.raises(SlowError, match="nothing for 0 s"):
            asyncio.run(read(url, silence=0.2))
        over.set()


def test_an_endless_line_ends_the_stream() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        while True:
            connection.sendall(b"x" * 65_536)

    with server(answer) as url, pytest.raises(TooLargeError):
        asyncio.run(read(url))


def test_a_connection_that_cannot_be_made_or_breaks_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachableError):
        asyncio.run(read(f"http://127.0.0.1:{port}/stream"))

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort\n")

    with server(answer) as url, pytest.raises(UnreachableError):
        asyncio.run(read(url))


@pytest.mark.parametrize("status", [302, 403])
def test_refusals_and_redirects_are_given_as_they_are(status: int) -> None:
    def answer(connection: socket.socket) -> None:
        head = f"HTTP/1.1 {status} No\r\nLocation: http://127.0.0.1:9/\r\nX-Why: x\r\nContent-Length: 2\r\n\r\nno"
        connection.sendall(head.encode())

    async def refusal(url: str) -> tuple[int, bytes, str]:
        async with line_stream(url, {}, silence=60.0) as stream:
            return stream.status, await stream.refusal(), stream.headers["x-why"]

    with server(answer) as url:
        assert asyncio.run(refusal(url)) == (status, b"no", "x")
