"""Run a simulated service on loopback, with the faults that all services have."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.reader.serving import answering

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass
class SampleServer:
    """One service; change its attributes at any time. Subclasses define `answer`."""

    address: str = ""
    hits: Counter[str] = field(default_factory=Counter)  # by path
    queries: list[str] = field(default_factory=list)  # paths with queries
    away: bool = False  # connections end without an answer
    busy: int = 0  # responses with status 429 to send
    remaining: str | None = None  # requests that the rate limit leaves, if it is announced
    reset: str = ""  # when the rate limit ends
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        return self.address.partition("://")[2]

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """Return the status and the body of a response: bytes, or an object for JSON."""
        raise NotImplementedError

    def is_limited(self, path: str) -> bool:
        """Return whether the rate limit applies to a path."""
        del path
        return True

    def headers(self, answer: Any) -> Mapping[str, str]:
        """Return headers of a response, besides those about its body."""
        del answer
        return {}

    def respond(self, target: str) -> tuple[int, bytes, Mapping[str, str]]:
        parts = urlsplit(target)
        self.hits[parts.path] += 1
        self.queries.append(target)
        status, answer = self.answer(parts.path, parse_qs(parts.query))
        if self.busy and self.is_limited(parts.path):
            self.busy -= 1
            status, answer = 429, {"error": "Too many requests"}
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        content_type = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(body))}
        return status, body, {**content_type, **self.headers(answer)}


@contextmanager
def serving(server: SampleServer) -> Iterator[None]:
    """Run a server until the block ends; its address is known within the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if server.away:
                self.close_connection = True
                return
            status, body, headers = server.respond(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with answering(Handler) as address:
        server.address = address
        yield
