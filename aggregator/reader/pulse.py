"""The pulse: what a reader process knows of the stream without asking for each request.

One thread watches the database. What was made for one revision and one state of health is good until either changes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from aggregator.errors import AggregatorError
from aggregator.reader.health import Health, health_of

if TYPE_CHECKING:
    from aggregator.source import Clock
    from storage.store import Store

_HEALTH_EVERY = 5.0  # seconds
_PATIENCE = 5.0  # seconds for the watch to end
_SILENT = 4.0  # seconds without any word, after which the watch itself is not believed

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Beat:
    """How the stream stands, as far as this process knows."""

    revision: int
    health: Health


class Pulse:
    """Watches one store from `start` to `stop`. Read from any thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._moved: asyncio.Event | None = None
        self._heard = 0.0
        self._health_read = 0.0
        self.beat: Beat | None = None
        self.away = False

    def start(self) -> None:
        """Begin to watch; called on the server's event loop."""
        self._loop, self._moved = asyncio.get_running_loop(), asyncio.Event()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._watch, name="pulse", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End the watch."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, _PATIENCE)
            self._thread = None
        self.beat = None

    @property
    def sure(self) -> Beat | None:
        """How the stream stands now; None where this process can't know, or the database is away."""
        if self.away or time.monotonic() - self._heard > _SILENT:
            return None
        return self.beat

    @property
    def is_watching(self) -> bool:
        """Whether anything may be kept at all."""
        return self._thread is not None

    async def wait(self, after: int, seconds: float) -> bool:
        """Wait on the server's loop until there is something newer than a revision; say whether there is."""
        deadline = time.monotonic() + seconds
        while self.beat is None or self.beat.revision <= after:
            left = deadline - time.monotonic()
            if left <= 0 or self._moved is None or self._stopping.is_set():
                return False
            try:
                await asyncio.wait_for(self._moved.wait(), left)
            except TimeoutError:
                return False
        return True

    def _watch(self) -> None:
        for revision in self._store.watch(self._stopping):
            if revision is None:
                if not self.away:
                    _log.warning("database away")
                self.away = True
                continue
            try:
                health = self._health()
            except AggregatorError:
                self.away = True
                continue
            if self.away:
                _log.info("database back")
            self.away, self._heard = False, time.monotonic()
            before, now = self.beat, Beat(revision, health)
            if before != now:  # the same one stays as long as nothing changes
                self.beat = now
            if before is None or before.revision != revision:
                self._tell()

    def _health(self) -> Health:
        now = time.monotonic()
        if self.beat is not None and now - self._health_read < _HEALTH_EVERY:
            return self.beat.health
        with self._store.reading() as tx:
            sources = tx.sources.all()
        self._health_read = now
        return health_of(sources, self._clock())

    def _tell(self) -> None:
        def wake() -> None:
            if self._moved is not None:  # whoever waits looks for himself; the next waits on a new one
                self._moved.set()
                self._moved = asyncio.Event()

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wake)
