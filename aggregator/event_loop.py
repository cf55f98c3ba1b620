"""Run coroutines of synchronous callers on one long-lived event loop, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_T = TypeVar("_T")


class EventLoop:
    """The event loop of a process, started at first use, so that a worker can fork before."""

    def __init__(self, name: str) -> None:
        self.closed = False  # for good: nothing may begin any more
        self._name = name
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine and wait for its result; when interrupted, cancel it first.

        Raises:
            CancelledError: the loop was closed.
        """
        try:
            loop = self._started()
        except CancelledError:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self, finish: Callable[[], Coroutine[Any, Any, None]], within: float) -> None:
        """Stop the loop after a last coroutine. Can be called twice.

        Args:
            finish: makes the coroutine; it is not called if the loop never started.
            within: seconds for it, and for the thread to end.
        """
        with self._starting:
            self.closed = True
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(finish(), loop).result(within)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(within)
            if not loop.is_running():
                loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self.closed:
                raise CancelledError("this process stops")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop
