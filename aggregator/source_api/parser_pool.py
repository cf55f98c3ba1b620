"""Parse untrusted documents in child processes, which can be killed at a limit without side effects.

A child is a plain subprocess, since Celery's pool processes are daemonic and may not have `multiprocessing` children.
It receives documents over its standard input and responds over its standard output (`parser_process`). The kernel
limits a document's CPU time, also inside C code, and the child's memory.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import structlog

from aggregator.domain.errors import ParserCrashError, TooComplexError
from aggregator.source_api.parser_process import HEADER, LENGTH, Answer, Limits

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable

__all__ = ["Limits", "ParserPool"]

MOST_PROCESSES = 2
_QUEUE_WAIT = 3.0  # seconds that a document waits for a busy child before another one is started, which costs a second
_WALL_LIMIT = 120.0  # seconds without a response before a child is killed; its CPU limit usually ends it long before
_EXIT_WAIT = 5.0  # seconds for a child to exit after it has closed its pipe
CHUNK = 1024 * 1024  # bytes
_START = "import sys; sys.path[:] = {path!r}; from aggregator.source_api.parser_process import main; main({limits!r})"

log = structlog.get_logger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")


def command(limits: Limits) -> tuple[str, ...]:
    """Return the command that starts a child process."""
    return sys.executable, "-c", _START.format(path=sys.path, limits=tuple(limits))


def environment() -> dict[str, str]:
    """Return the environment of a child process."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AGGREGATOR_")}


class ParserPool:
    """Child processes for an event loop, started on demand; `close` kills them."""

    def __init__(self, limits: Limits | None = None, *, most: int = MOST_PROCESSES, wall: float = _WALL_LIMIT) -> None:
        self._limits = limits or Limits()
        self._most = most
        self._wall = wall
        self._count = 0  # number of children, including those that are starting
        self._free: asyncio.LifoQueue[_Child | None] = asyncio.LifoQueue()  # None wakes a waiter after a child died
        self.children: set[_Child] = set()

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function of a module in a child process and return its result, or raise its exception.

        Raises:
            TooComplexError: it reached the limit of CPU time, memory or result size.
            ParserCrashError: the child process died.
        """
        work = pickle.dumps((function, args, kwargs), pickle.HIGHEST_PROTOCOL)
        child = await self._take()
        try:
            async with asyncio.timeout(self._wall):
                answer, last = await child.ask(work)
        except BaseException as problem:
            await self._discard(child)
            if isinstance(problem, TimeoutError):
                raise TooComplexError(f"Parsing took more than {self._wall:g} s.") from None
            if isinstance(problem, EOFError | OSError):
                raise self._explain(child) from None
            raise
        if last:
            await self._discard(child)
        else:
            self._free.put_nowait(child)
        if isinstance(answer.problem, RuntimeError):
            log.error("parser failed", reason=str(answer.problem))
            raise ParserCrashError("Parsing failed unexpectedly; the log has the details.")
        if answer.problem is not None:
            raise answer.problem
        result: _T = answer.result
        return result

    async def close(self) -> None:
        """Kill all children; their current work is lost."""
        for child in list(self.children):
            await self._discard(child)

    async def _take(self) -> _Child:
        """Return an idle child; start a new one if there are none or if all have been busy for a while."""
        while True:
            patience = None if self._count >= self._most else _QUEUE_WAIT if self._count else 0
            try:
                async with asyncio.timeout(patience):
                    child = await self._free.get()
            except TimeoutError:
                if self._count < self._most:
                    return await self._start()
                continue
            if child is not None and child.alive:
                return child
            if child is not None:
                await self._discard(child)

    async def _start(self) -> _Child:
        self._count += 1
        try:
            child = await _Child.start(self._limits)
        except BaseException:
            self._count -= 1
            self._free.put_nowait(None)
            raise
        self.children.add(child)
        return child

    async def _discard(self, child: _Child) -> None:
        if child in self.children:
            self.children.remove(child)
            self._count -= 1
            self._free.put_nowait(None)
        await asyncio.shield(child.kill())

    def _explain(self, child: _Child) -> TooComplexError | ParserCrashError:
        if child.signal is signal.SIGPROF:
            return TooComplexError(f"Parsing takes more than {self._limits.cpu:g} s of CPU time.")
        why = child.signal.name if child.signal is not None else f"exit code {child.code}"
        return ParserCrashError(f"The parser process died ({why}).")


class _Child:
    """A child process with its pipes."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the child process has no pipes")
        self._process = process
        self._requests, self._answers = process.stdin, process.stdout

    @classmethod
    async def start(cls, limits: Limits) -> _Child:
        """Start a process with the same module path, but without settings and secrets."""
        process = await asyncio.create_subprocess_exec(
            *command(limits),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(),
            limit=CHUNK,
        )
        return cls(process)

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.returncode is None

    @property
    def code(self) -> int | None:
        """The exit code of a process that has exited."""
        return self._process.returncode

    @property
    def signal(self) -> signal.Signals | None:
        """The signal that ended the process."""
        return signal.Signals(-self.code) if self.code is not None and self.code < 0 else None

    async def ask(self, work: bytes) -> tuple[Answer, bool]:
        """Send work; return the response, and whether the process exits afterwards.

        Raises:
            EOFError, OSError: the process exited.
        """
        self._requests.write(LENGTH.pack(len(work)))
        self._requests.write(work)
        await self._requests.drain()
        size, last = HEADER.unpack(await self._answers.readexactly(HEADER.size))
        answer = pickle.loads(await self._answers.readexactly(size))  # noqa: S301 - of our own code
        if not isinstance(answer, Answer):
            raise TypeError("unexpected response from the parser process")
        return answer, last

    async def kill(self) -> None:
        """Kill the process and wait for its exit."""
        self._requests.close()
        if self._answers.at_eof():  # it is already exiting; killing it would hide its exit code
            with suppress(TimeoutError):
                async with asyncio.timeout(_EXIT_WAIT):
                    await self.ended()
        if self.alive:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self.ended()

    async def ended(self) -> None:
        """Wait for the exit of the process."""
        await self._process.wait()
