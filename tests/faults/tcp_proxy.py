"""Run a TCP proxy on loopback that fails on demand, as networks and servers do.

with TcpProxy.before("127.0.0.1", 5432) as proxy:
    proxy.hang()      # connections are accepted and never answered; open ones get nothing either
    proxy.forget()    # open connections are never answered again, new ones work (a NAT lost its table)
    proxy.stall()     # open connections work, new ones are accepted and never answered (the listening process stopped)
    proxy.refuse()    # nothing listens, and open connections are reset
    proxy.reset()     # open connections are reset, new ones work
    proxy.cut()       # each open connection is reset in the middle of what it carries next
    proxy.slow(0.1)   # everything arrives later, in either direction
    proxy.restore()   # forwards again; what a hang kept back arrives
    proxy.target = ("127.0.0.1", 5433)   # for connections from now on: a failover
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_CHUNK = 65_536  # bytes
_PATIENCE = 10.0  # seconds for a command to the proxy's thread


class _Link:
    """One client's connection and, once it is open, the server's."""

    def __init__(self, client: socket.socket, flowing: asyncio.Event) -> None:
        self.client = client
        self.writers: list[asyncio.StreamWriter] = []
        self.flowing = flowing
        self.is_cut = False  # with the next data that it carries
        self.is_reset = False
        self.is_wrapped = False  # asyncio has the socket, also before there is a writer

    def reset(self) -> None:
        """Reset both ends at once, with a RST instead of a FIN."""
        self.is_reset = True
        if not self.is_wrapped:
            self.client.close()
        for writer in self.writers:
            if not writer.transport.is_closing():
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class TcpProxy:
    """Forwards connections to `target`. Call its methods from any thread."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = 0
        self.accepted = 0  # connections so far
        self.delay = 0.0  # seconds before anything is passed on
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)

    @classmethod
    @contextmanager
    def before(cls, host: str, port: int) -> Iterator[TcpProxy]:
        """Run a proxy before a server until the block ends."""
        proxy = cls(host, port)
        proxy.start()
        try:
            yield proxy
        finally:
            proxy.stop()

    def start(self) -> None:
        """Listen on a free port and forward."""
        self._thread.start()
        self._call(self._listen)

    def stop(self) -> None:
        """Reset every connection and stop."""
        self._call(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def refuse(self) -> None:
        """Refuse connections and reset the open ones."""
        self._call(self._refuse)

    def hang(self) -> None:
        """Accept connections, but forward nothing, on open connections neither."""
        self._call(self._hang)

    def forget(self) -> None:
        """Never forward anything again on the connections that are open now; new ones work."""
        self._call(self._forget)

    def stall(self) -> None:
        """Accept connections from now on, but forward nothing on them; open ones work."""
        self._call(self._stall)

    def reset(self) -> None:
        """Reset the open connections; new ones work."""
        self._call(self._reset)

    def cut(self) -> None:
        """Reset each open connection in the middle of what it carries next; new ones work."""
        self._call(self._cut)

    def slow(self, seconds: float) -> None:
        """Pass everything on that much later, on all connections."""
        self.delay = seconds

    def restore(self) -> None:
        """Forward again, and without delay."""
        self.delay = 0.0
        self._call(self._restore)

    async def _listen(self) -> None:
        """Accept connections; `asyncio.start_server` would leak the one that it accepts while it is closed."""
        if self._listener is None:
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", self.port))
            self._listener.listen(256)
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
            self._loop.add_reader(self._listener, self._accept, self._listener)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        await self._reset()

    async def _reset(self) -> None:
        for link in tuple(self._links):
            link.reset()

    async def _cut(self) -> None:
        for link in self._links:
            link.is_cut = True

    async def _hang(self) -> None:
        await self._listen()
        self._flowing.clear()
        for link in self._links:
            if link.flowing.is_set():  # it was open when others stalled
                link.flowing = self._flowing

    async def _forget(self) -> None:
        for link in self._links:
            link.flowing = asyncio.Event()  # never set

    async def _stall(self) -> None:
        self._flowing = asyncio.Event()

    async def _restore(self) -> None:
        await self._listen()
        self._flowing.set()

    async def _close(self) -> None:
        await self._refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in tuple(self._links):  # also those whose task never began
            link.reset()
        for _ in range(3):  # transports close in the loop's next rounds
            await asyncio.sleep(0)

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:  # it is gone already
            return
        client.setblocking(False)
        self.accepted += 1
        link = _Link(client, self._flowing)
        self._links.add(link)
        task = self._loop.create_task(self._serve(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, link: _Link) -> None:
        try:
            if not link.is_reset:
                await self._forward(link)
        except (OSError, asyncio.CancelledError):
            pass  # the reset informs the other side
        finally:
            self._links.discard(link)
            link.reset()

    async def _forward(self, link: _Link) -> None:
        link.is_wrapped = True  # closing the socket now would let another one take its number
        reader, writer = await asyncio.open_connection(sock=link.client)
        link.writers.append(writer)
        if link.is_reset:
            return
        await link.flowing.wait()
        server_reader, server_writer = await asyncio.open_connection(*self.target)
        link.writers.append(server_writer)
        if not link.is_reset:
            await asyncio.gather(self._pipe(link, reader, server_writer), self._pipe(link, server_reader, writer))

    async def _pipe(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one direction until its sender ends."""
        while data := await reader.read(_CHUNK):
            while not link.flowing.is_set():  # `forget` may replace the event meanwhile
                await link.flowing.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            if link.is_cut:
                writer.write(data[: len(data) // 2])
                await asyncio.sleep(0)  # it is on its way before the reset
                link.reset()
                return
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    def _call(self, command: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(command(), self._loop).result(_PATIENCE)
