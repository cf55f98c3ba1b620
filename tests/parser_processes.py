"""Reuse idle parser processes from test to test: starting one takes half a second of CPU, and most tests need one.

The processes, their limits and the messages are the product's. Tests of the pool itself start their own.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING

from aggregator.source_api import parser_pool

if TYPE_CHECKING:
    from aggregator.source_api.parser_process import Answer, Limits

StartedChild = parser_pool._Child
_spares: dict[Limits, list[_Spare]] = defaultdict(list)


class _Spare:
    """A process with our end of its pipe, which belongs to no event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.pipe, theirs = socket.socketpair()
        with theirs:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                parser_pool.command(limits),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                env=parser_pool.environment(),
            )

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.wait()


class ReusedChild(StartedChild):
    """A child process that stays for the next pool if it is idle when its own pool closes."""

    def __init__(self, spare: _Spare, requests: asyncio.StreamWriter, answers: asyncio.StreamReader) -> None:
        self._spare = spare
        self._requests, self._answers = requests, answers
        self._is_idle = True
        self._is_closed = False

    @classmethod
    async def start(cls, limits: Limits) -> ReusedChild:
        """Take an idle process, or start one."""
        spare = None
        while _spares[limits] and spare is None:
            spare = _spares[limits].pop()
            if spare.process.poll() is not None:
                spare.end()
                spare = None
        spare = spare or _Spare(limits)
        answers, requests = await asyncio.open_unix_connection(sock=spare.pipe.dup(), limit=parser_pool.CHUNK)
        return cls(spare, requests, answers)

    @property
    def code(self) -> int | None:
        """The exit code of a process that has exited."""
        return self._spare.process.poll()

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self.code is None

    async def ask(self, work: bytes) -> tuple[Answer, bool]:
        """Send work; return the response, and whether the process exits afterwards."""
        self._is_idle = False
        answer, last = await super().ask(work)
        self._is_idle = not last
        return answer, last

    async def kill(self) -> None:
        """Keep an idle process, and kill any other."""
        if self._is_closed:
            return
        self._is_closed = True
        is_exiting = self._answers.at_eof()  # killing it would hide its exit code
        self._requests.transport.abort()
        if self._is_idle and self.alive:
            _spares[self._spare.limits].append(self._spare)
            return
        if is_exiting:
            await self.ended()
        await asyncio.to_thread(self._spare.end)

    async def ended(self) -> None:
        """Wait for the exit of the process."""
        await asyncio.to_thread(self._spare.process.wait)


def end_all() -> None:
    """End the idle processes."""
    for spares in _spares.values():
        while spares:
            spares.pop().end()
