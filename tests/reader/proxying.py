"""Run a minimal proxy before a reader: it forwards bytes, or responds 502 while the reader restarts."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_CHUNK = 65536


class Proxy:
    """A proxy at `address`; `port` is where it passes requests on to, None: it answers 502."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.port: int | None = None
        self.refused = threading.Semaphore(0)  # released for each 502
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def down(self) -> None:
        """Cut all connections, and answer 502 from now on."""
        self.port = None
        for item in list(self._open):
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop."""
        self.down()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                threading.Thread(target=self._pass, args=(self._listener.accept()[0],), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.port is None:
                client.recv(_CHUNK)
                client.sendall(_BAD_GATEWAY)
                self.refused.release()
                return
            with socket.create_connection(("127.0.0.1", self.port)) as reader:
                self._open |= {client, reader}
                back = threading.Thread(target=_copy, args=(reader, client), daemon=True)
                back.start()
                _copy(client, reader)
                back.join()
                self._open -= {client, reader}


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def proxying() -> Iterator[Proxy]:
    """Run a proxy until the block ends."""
    proxy = Proxy()
    try:
        yield proxy
    finally:
        proxy.close()
