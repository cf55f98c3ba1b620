"""Run a real reader on loopback, with a minimal client."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import uvicorn

from aggregator.web.http_protocol import BoundedProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fastapi import FastAPI


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Reader:
    """A reader that serves at `port`."""

    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read())
        finally:
            connection.close()

    def items(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(f"/api/v1/activities{query}").json["items"]
        return found


def until(holds: Callable[[], bool], *, seconds: float = 30) -> float:
    """Wait until something holds; return how long that took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"Not within {seconds} s.")
        time.sleep(0.01)
    return time.monotonic() - began


@contextmanager
def serving(app: FastAPI, *, watching: bool = False) -> Iterator[Reader]:
    """Serve an app on a free port until the block ends; `watching` the database as it does in earnest.

    Without it, nothing is cached or pushed: each request sees the latest state. With it, the block
    begins once the app has seen the database.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_level="critical",
            proxy_headers=False,
            lifespan="on" if watching else "off",
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if watching:
            until(lambda: app.state.probe.sure is not None, seconds=60)
        yield Reader(listener.getsockname()[1])
    finally:
        server.should_exit = True
        app.state.live.end()
        thread.join(10)
        app.state.callers.settle(10)
        listener.close()
        assert not thread.is_alive()


class _Picture(BaseHTTPRequestHandler):
    """Draws a soft landscape whose colours follow from the path."""

    def do_GET(self) -> None:
        hue = sum(self.path.encode()) * 37 % 360
        body = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 90" preserveAspectRatio="xMidYMid slice">'
            f'<rect width="160" height="90" fill="hsl({hue} 45% 78%)"/>'
            f'<circle cx="118" cy="30" r="14" fill="hsl({(hue + 40) % 360} 80% 92%)"/>'
            f'<path d="M0 70 40 38 74 66 104 44 160 82V90H0z" fill="hsl({hue} 38% 52%)"/>'
            f'<path d="M0 82 56 60 100 80 160 64V90H0z" fill="hsl({hue} 42% 36%)"/></svg>'
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "image/svg+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        pass


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer requests by a handler, under an address, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def publishing_pictures() -> Iterator[str]:
    """Serve pictures under an address until the block ends."""
    with answering(_Picture) as address:
        yield address
