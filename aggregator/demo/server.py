"""Run the sample upstream in a thread, on loopback only."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import uvicorn

from aggregator.demo.app import create_app
from aggregator.demo.world import World
from aggregator.demo.x_api import XApi
from aggregator.domain.errors import SetupError

if TYPE_CHECKING:
    from types import TracebackType

EVERY = 15.0  # seconds between new items
LONGEST_START = 10.0  # seconds
LONGEST_STOP = 2.0  # seconds


class Upstream:
    """A sample upstream; use it as a context manager, or call `start()` and `stop()`.

    Args:
        world: the content, which may change while it is served; None creates the sample content.
        x: the X-shaped API of this world; None creates one.
        port: on 127.0.0.1; 0 selects a free one.
        every: seconds between new items; 0 disables automatic publishing.
    """

    def __init__(
        self, world: World | None = None, x: XApi | None = None, *, port: int = 0, every: float = EVERY
    ) -> None:
        self.world = world or _filled_world()
        self._app = create_app(self.world, x or XApi(self.world))
        self._port = port
        self._every = every
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The URL without a trailing slash: base of the X-shaped API and of the site."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen; returns once requests are answered.

        Raises:
            SetupError: the port is in use, or the server did not start.
        """
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", self._port))
        except OSError as error:
            self._socket.close()
            raise SetupError(f"The sample upstream can't listen on {self.url}: {error.strerror}.") from error
        self._port = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._stopping.clear()
        self._threads = [
            threading.Thread(target=self._server.run, args=([self._socket],), name="upstream", daemon=True),
            threading.Thread(target=self._publish, name="upstream-news", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._wait_until_up(self._server)

    def stop(self) -> None:
        """Stop listening and publishing, within two seconds."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        for thread in self._threads:
            thread.join(LONGEST_STOP)
        if self._socket is not None:
            self._socket.close()

    def _wait_until_up(self, server: uvicorn.Server) -> None:
        until = time.monotonic() + LONGEST_START
        while not server.started:
            if time.monotonic() > until or not self._threads[0].is_alive():
                self.stop()
                raise SetupError("The sample upstream did not start; the log says why.")
            time.sleep(0.01)

    def _publish(self) -> None:
        while self._every and not self._stopping.wait(self._every):
            self.world.publish()


def _filled_world() -> World:
    world = World(lambda: datetime.now(UTC))
    world.fill()
    return world
