"""Watch the stream and the database, so that requests need no query of their own.

Two threads do this. One follows the revision on its own connection. The other checks the database regularly, and
when a request waits: health of sources, tokens, edited and removed items. A slow check, or a long wait for a
connection, means that the database is in trouble: it hangs, refuses connections, or the pool is exhausted.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.errors import AggregatorError
from aggregator.reader.health import Health, read_health
from aggregator.system import tracing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aggregator.domain.clock import Clock
    from aggregator.domain.stream import StreamMark, StreamNews
    from storage.store import Store, Transaction

_LOOK_EVERY = 1.5  # seconds; a request that has to wait triggers a look, too
_HEALTH_EVERY = 5.0  # seconds
_PATIENCE = 1.5  # seconds to wait for the threads to end
_SILENT = 4.0  # seconds without any response after which the state is unknown
_SLOW = 0.5  # seconds after which a check counts as stuck; it takes a few milliseconds
_NO_CONNECTION = 0.75  # seconds after which waiting for a connection counts as stuck; longer than the limit of a ping
_DEAD = 0.015  # seconds after which a pooled connection seems dead; it answers within a millisecond
_AGAIN = 0.5  # seconds before following the stream again after an unexpected error

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """The state of the stream as known to this process."""

    revision: int
    health: Health
    changed: datetime | None = None  # database time of this revision; None: unknown
    epoch: int = 0  # revisions of different epochs can't be compared: the database was restored in between


class ChangeWatcher:
    """Watches one store from `start` to `stop`. Readable from any thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.hooks: list[Callable[[Transaction], None]] = []  # called with the transaction of every check; must be fast
        self._stopping = threading.Event()
        self._look_due = threading.Event()
        self._publishing = threading.Lock()
        self._threads: tuple[threading.Thread, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._moved: asyncio.Event | None = None
        self._heard = self._published = self._answered = -math.inf  # monotonic
        self._lost = False  # the stream can't be followed
        self._looking_since: float | None = None
        self._look_failed = False
        self._health = Health()
        self._health_read = -math.inf
        self._mark: StreamMark | None = None
        self._traced = 0  # the last revision for which a span was recorded
        self._altered = 0  # the newest revision so far that edited or removed an item
        self.beat: StreamSnapshot | None = None
        self.unaltered_since = 0  # responses of this revision or later contain nothing that was edited or removed

    def start(self) -> None:
        """Start watching; called on the server's event loop."""
        self._loop, self._moved = asyncio.get_running_loop(), asyncio.Event()
        self._stopping.clear()
        self._threads = tuple(
            threading.Thread(target=work, name=f"pulse-{name}", daemon=True)
            for name, work in (("follow", self._follow), ("look", self._look_regularly))
        )
        for thread in self._threads:
            thread.start()

    async def stop(self) -> None:
        """Stop watching; a thread that waits for the database is abandoned."""
        self._stopping.set()
        self._look_due.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join, _PATIENCE)
        self._threads = ()
        self.beat = None

    @property
    def sure(self) -> StreamSnapshot | None:
        """The current state of the stream, or None if unknown."""
        if time.monotonic() - self._heard > _SILENT or (self._lost and self._look_failed):
            return None
        return self.beat

    @property
    def is_watching(self) -> bool:
        """Whether responses can be cached at all."""
        return bool(self._threads)

    @property
    def is_stuck(self) -> bool:
        """Whether the current check or connection attempt is slow, or the last check failed.

        A slow check doesn't count while other statements are answered: the machine is busy then.
        """
        since = self._looking_since
        is_slow = since is not None and min(time.monotonic() - since, self._store.silence()) > _SLOW
        return self._look_failed or is_slow or self._store.longest_wait() > _NO_CONNECTION

    def has_answered(self, since: float) -> bool:
        """Return whether the database has answered since a monotonic time and no connection seems dead."""
        return max(self._answered, self._heard) >= since and self._store.longest_ping() < _DEAD

    def look(self) -> None:
        """Request a check without waiting for it."""
        self._look_due.set()

    async def wait(self, after: int, seconds: float) -> bool:
        """Wait on the event loop for a revision newer than the given one; return whether there is one."""
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

    def _follow(self) -> None:
        """Follow the revision until stopped."""
        while not self._stopping.is_set():
            try:
                for news in self._store.watch(self._stopping):
                    self._follow_to(news)
            except Exception:  # noqa: BLE001  # the thread must survive all database errors
                _log.exception("following the stream failed")
                self._lost = True
                self._stopping.wait(_AGAIN)

    def _follow_to(self, news: StreamNews | None) -> None:
        self._lost = news is None
        if news is None:
            self.look()
            return
        revision, altered = news
        with self._publishing:
            self._heard = time.monotonic()
            before = self.beat
            if before is not None and revision > before.revision:
                # If that is unknown, until a check finds that items were only added.
                self.unaltered_since = revision if altered is None else max(self.unaltered_since, altered)
                self._publish(StreamSnapshot(revision, before.health, None, before.epoch))
        if before is None or before.revision != revision:
            self.look()

    def _look_regularly(self) -> None:
        """Check the database regularly until stopped."""
        while not self._stopping.is_set():
            self._look_due.clear()
            failed, self._looking_since = self._look_failed, time.monotonic()
            try:
                self._take_look(self._looking_since)
            except AggregatorError as error:
                self._look_failed = True
                if not failed:
                    _log.warning("database away", error=str(error))
            except Exception:  # noqa: BLE001  # the thread must survive all database errors
                self._look_failed = True
                if not failed:
                    _log.exception("looking at the database failed")
            else:
                self._look_failed = False
                if failed:
                    _log.info("database back")
            self._looking_since = None
            self._look_due.wait(_AGAIN if self._look_failed else _LOOK_EVERY)

    def _take_look(self, began: float) -> None:
        with self._store.reading() as tx:
            mark, former = tx.stream.state.mark(), self._mark
            altered = self._altered
            if former is None or mark.revision < former.revision:
                altered = mark.revision
            elif mark.revision > former.revision:
                altered = max(altered, tx.stream.state.altered(former))
            if began - self._health_read >= _HEALTH_EVERY:
                self._health, self._health_read = read_health(tx, self._clock()), began
            for hook in self.hooks:
                hook(tx)
        self._mark, self._altered, self._answered = mark, altered, time.monotonic()
        with self._publishing:
            self._publish_look(mark, began)

    def _publish_look(self, mark: StreamMark, began: float) -> None:
        self._heard = max(self._heard, began)
        before = self.beat
        if before is not None and mark.revision < before.revision and self._published > began:
            return  # the other thread already knows a newer revision
        epoch = 0 if before is None else before.epoch + (mark.revision < before.revision)
        self.unaltered_since = self._altered
        now = StreamSnapshot(mark.revision, self._health, mark.changed, epoch)
        if now != before:  # an unchanged snapshot stays the same object
            self._publish(now)
        if mark.trace and mark.revision != self._traced:
            self._traced = mark.revision
            with tracing.span("revision visible", mark.trace, revision=mark.revision):
                pass

    def _publish(self, beat: StreamSnapshot) -> None:
        before, self.beat, self._published = self.beat, beat, time.monotonic()
        if before is not None and before.revision == beat.revision:
            return

        def wake() -> None:
            if self._moved is not None:  # Waiters re-check the revision; later waiters use a fresh Event.
                self._moved.set()
                self._moved = asyncio.Event()

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wake)
