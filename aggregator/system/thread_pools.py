"""Threads for database work. Nothing else may use them, so that nothing slow can keep the database waiting."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_DATABASE_THREADS = 5  # as many as the connection pool keeps
_API_THREADS = 16  # requests of the library for X, which blocks

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def in_database_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function that uses the database; the event loop goes on meanwhile."""
    return await _in_thread(_executor("database", _DATABASE_THREADS, os.getpid()), partial(function, *args, **kwargs))


async def in_api_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function that waits for a network API; the event loop goes on meanwhile."""
    return await _in_thread(_executor("api", _API_THREADS, os.getpid()), partial(function, *args, **kwargs))


async def _in_thread(executor: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
    return await asyncio.get_running_loop().run_in_executor(executor, copy_context().run, work)


@cache
def _executor(name: str, threads: int, process: int) -> ThreadPoolExecutor:
    """Return the executor of a process; threads do not survive a fork, so each process has its own."""
    del process
    return ThreadPoolExecutor(threads, name)
