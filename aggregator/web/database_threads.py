"""Run blocking database work in threads, with a time limit.

A thread can't be interrupted, so a request that exceeds the limit gets an error while its thread continues. The number
of threads is bounded; work that finds no free thread in time is dropped.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from aggregator.domain.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

_T = TypeVar("_T")

_MOST = 32  # threads
_UNREMARKABLE = 0.2  # seconds that work may take before the database is probed
PATIENCE = 0.85  # seconds to wait for a database that doesn't answer the probe
_LONGEST = 10.0  # seconds to wait for a database that answers the probe
_STEP = 0.1  # seconds between checks of the probe


class Probe(Protocol):
    """Reports whether the database answers."""

    def look(self) -> None:
        """Start a small query without waiting for its result."""

    @property
    def is_stuck(self) -> bool:
        """Whether the current probe or connection attempt is slow, or the last probe failed."""


class Unprobed:
    """A probe without a database: reports that it answers."""

    is_stuck = False

    def look(self) -> None:
        """Do nothing."""


class DatabaseThreads:
    """Runs database work in dedicated threads."""

    def __init__(self, probe: Probe | None = None, *, most: int = _MOST, longest: float = _LONGEST) -> None:
        self._probe = probe or Unprobed()
        self._longest = longest
        self._executor = ThreadPoolExecutor(most, thread_name_prefix="database")

    async def run(self, work: Callable[..., _T], *arguments: object) -> _T:
        """Run work in a thread and return its result.

        Raises:
            StoreUnavailableError: the database did not answer in time; work that has started continues, its result
                is ignored.
        """
        context = contextvars.copy_context()
        call = partial(context.run, work, *arguments)
        future = asyncio.get_running_loop().run_in_executor(self._executor, call)
        began = time.monotonic()
        await asyncio.wait((future,), timeout=min(_UNREMARKABLE, self._longest))
        while not future.done():
            self._probe.look()
            waited = time.monotonic() - began
            if waited >= self._longest or (waited >= PATIENCE and self._probe.is_stuck):
                future.add_done_callback(_ignore)
                future.cancel()
                raise StoreUnavailableError(f"The database did not answer within {waited:.1f} s.")
            step = min(_STEP, PATIENCE - waited) if waited < PATIENCE else _STEP
            await asyncio.wait((future,), timeout=min(step, self._longest - waited))
        return future.result()

    def endpoint(self, handle: Callable[..., Response]) -> Callable[..., Awaitable[Response]]:
        """Return an asynchronous endpoint that runs a synchronous one in a thread."""

        async def answered(*arguments: Any, **named: Any) -> Response:  # noqa: ANN401  # the endpoint's own
            return await self.run(partial(handle, *arguments, **named))

        answered.__name__, answered.__doc__, answered.__module__ = handle.__name__, handle.__doc__, handle.__module__
        answered.__signature__ = inspect.signature(handle)  # type: ignore[attr-defined]  # FastAPI reads it
        return answered

    def close(self) -> None:
        """Drop work that has not started; running threads end when the database answers."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _ignore(future: asyncio.Future[Any]) -> None:
    """Retrieve the exception of an abandoned future, or asyncio would log it."""
    if not future.cancelled():
        future.exception()
