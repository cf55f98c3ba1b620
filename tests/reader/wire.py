"""Send HTTP as bytes, for requests that no client library sends."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tests.reader.serving import Answer

if TYPE_CHECKING:
    from tests.reader.serving import Reader


def connected(reader: Reader) -> socket.socket:
    return socket.create_connection(("127.0.0.1", reader.port), timeout=60)


def sent(reader: Reader, path: str, *headers: str, method: str = "GET") -> Answer:
    """Send a request with these header lines only, and return the response."""
    lines = [f"{method} {path} HTTP/1.1", *headers, "Connection: close", "", ""]
    with connected(reader) as line:
        line.sendall("\r\n".join(lines).encode("latin-1"))
        return answered(line)


def answered(line: socket.socket) -> Answer:
    """Read one response up to the connection's end."""
    head, _, body = b"".join(iter(lambda: line.recv(65_536), b"")).partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    pairs = [field.partition(":") for field in fields]
    return Answer(int(status.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, body)
