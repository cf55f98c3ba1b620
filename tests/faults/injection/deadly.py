"""Serve a feed whose reader dies: while it is armed, the process that asks for it is killed, as for want of memory."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.upstream import render, sample_feed

_HELD = 5.0  # seconds for the kill


class DeadlySite:
    """A feed on a host of its own; a context manager."""

    def __init__(self) -> None:
        self.armed = False
        self.deaths = 0
        self.feed = sample_feed("deadly", 3)
        self.requests = 0
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="deadly", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        """The feed's address."""
        return f"http://127.0.0.1:{self._port}/deadly.xml"

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        """Stop listening, and end the answers under way."""
        self._server.close()
        answering = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        for _ in range(3):  # transports close in the loop's next rounds
            await asyncio.sleep(0)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            if self.armed:
                pid = owner_of(writer.get_extra_info("peername")[1])
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                    self.deaths += 1
                await asyncio.wait_for(reader.read(1), _HELD)
            else:
                body = render(self.feed, self.url)
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: {len(body)}\r\n"
                writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()


def owner_of(port: int) -> int | None:
    """Return the process that has a local TCP port of a connection."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    inodes = {row[9] for row in rows if row[1].endswith(f":{port:04X}")}
    links = {f"socket:[{inode}]" for inode in inodes}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            if any(str(path.readlink()) in links for path in folder.iterdir()):
                return int(folder.parent.name)
    return None
