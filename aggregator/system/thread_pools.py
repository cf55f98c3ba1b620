"""Run database work in a dedicated thread pool, so that slow work can't delay the database."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_DATABASE_THREADS = 5  # size of the connection pool
_API_THREADS = 16  # requests of the blocking X library

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def in_database_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function that uses the database without blocking the event loop."""
    return await _in_thread(_executor("database", _DATABASE_THREADS, os.getpid()), partial(function, *args, **kwargs))


async def in_api_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function that waits for a network API without blocking the event loop."""
    return await _in_thread(_executor("api", _API_THREADS, os.getpid()), partial(function, *args, **kwargs))


async def _in_thread(executor: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
    return await asyncio.get_running_loop().run_in_executor(executor, copy_context().run, work)


@cache
def _executor(name: str, threads: int, process: int) -> ThreadPoolExecutor:
    """Return the executor of this process; threads don't survive a fork."""
    del process
    return ThreadPoolExecutor(threads, name)
