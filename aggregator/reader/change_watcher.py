"""The pulse: what a reader process knows of the stream and the database without a query for each request.

Two threads keep it. One follows the revision, over a connection of its own. The other looks at the database every
second, and when a request waits for long: at the health of sources, at tokens, at what was changed or taken out. If a
look takes long, or anything waits long for a connection, the database is in trouble, whatever the reason: it hangs, it
refuses, or its pool is full.
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aggregator.domain.polling.rate_limit import Clock
    from aggregator.domain.stream import StreamMark
    from storage.store import Store, Transaction

_LOOK_EVERY = 0.75  # seconds
_HEALTH_EVERY = 5.0  # seconds
_PATIENCE = 1.5  # seconds for the threads to end
_SILENT = 4.0  # seconds without an answer of any kind, after which nothing is sure
_SLOW = 0.5  # seconds after which a look is stuck; it takes a few milliseconds
_NO_CONNECTION = 0.75  # seconds after which the wait for a connection means the same; the limit of a ping passes before
_DEAD = 0.015  # seconds after which a pooled connection seems to be dead; it answers within a millisecond
_AGAIN = 0.5  # seconds before the stream is followed again after an unforeseen error

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """How the stream stands, as far as this process knows."""

    revision: int
    health: Health
    changed: datetime | None = None  # when it came to this revision, as the database says; None: not known yet
    epoch: int = 0  # revisions of different epochs can't be compared: the database was restored in between


class ChangeWatcher:
    """Watches one store from `start` to `stop`. Read from any thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.hooks: list[Callable[[Transaction], None]] = []  # called with the transaction of every look; quick ones
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
        self._altered = 0  # the newest revision, up to the mark, at which something was changed or taken out
        self.beat: StreamSnapshot | None = None
        self.unaltered_since = 0  # what was made at this revision or later shows nothing that was changed or taken out

    def start(self) -> None:
        """Begin to watch; called on the server's event loop."""
        self._loop, self._moved = asyncio.get_running_loop(), asyncio.Event()
        self._stopping.clear()
        self._threads = tuple(
            threading.Thread(target=work, name=f"pulse-{name}", daemon=True)
            for name, work in (("follow", self._follow), ("look", self._look_regularly))
        )
        for thread in self._threads:
            thread.start()

    async def stop(self) -> None:
        """End the watch; a thread that waits for the database is left behind."""
        self._stopping.set()
        self._look_due.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join, _PATIENCE)
        self._threads = ()
        self.beat = None

    @property
    def sure(self) -> StreamSnapshot | None:
        """How the stream stands now; None where this process can't know."""
        if time.monotonic() - self._heard > _SILENT or (self._lost and self._look_failed):
            return None
        return self.beat

    @property
    def is_watching(self) -> bool:
        """Whether anything may be kept at all."""
        return bool(self._threads)

    @property
    def is_stuck(self) -> bool:
        """Whether the database is slow to answer the present look or to connect, or did not answer the last look."""
        since = self._looking_since
        is_slow = since is not None and time.monotonic() - since > _SLOW
        return self._look_failed or is_slow or self._store.longest_wait() > _NO_CONNECTION

    def has_answered(self, since: float) -> bool:
        """Say whether the database answered since a moment in monotonic seconds, and no connection seems to be dead."""
        return max(self._answered, self._heard) >= since and self._store.longest_ping() < _DEAD

    def look(self) -> None:
        """Look at the database soon, without waiting for it."""
        self._look_due.set()

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

    def _follow(self) -> None:
        """Follow the revision until stopped."""
        while not self._stopping.is_set():
            try:
                for revision in self._store.watch(self._stopping):
                    self._follow_to(revision)
            except Exception:  # noqa: BLE001  # the thread must survive whatever the database does
                _log.exception("following the stream failed")
                self._lost = True
                self._stopping.wait(_AGAIN)

    def _follow_to(self, revision: int | None) -> None:
        self._lost = revision is None
        if revision is None:
            self.look()
            return
        with self._publishing:
            self._heard = time.monotonic()
            before = self.beat
            if before is not None and revision > before.revision:
                self.unaltered_since = revision  # until a look finds that things were only added
                self._publish(StreamSnapshot(revision, before.health, None, before.epoch))
        if before is None or before.revision != revision:
            self.look()

    def _look_regularly(self) -> None:
        """Look at the database again and again until stopped."""
        while not self._stopping.is_set():
            self._look_due.clear()
            failed, self._looking_since = self._look_failed, time.monotonic()
            try:
                self._take_look(self._looking_since)
            except AggregatorError as error:
                self._look_failed = True
                if not failed:
                    _log.warning("database away", error=str(error))
            except Exception:  # noqa: BLE001  # the thread must survive whatever the database does
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
            return  # the other thread knows of a newer revision by now
        epoch = 0 if before is None else before.epoch + (mark.revision < before.revision)
        self.unaltered_since = self._altered
        now = StreamSnapshot(mark.revision, self._health, mark.changed, epoch)
        if now != before:  # the same one stays as long as nothing changes
            self._publish(now)

    def _publish(self, beat: StreamSnapshot) -> None:
        before, self.beat, self._published = self.beat, beat, time.monotonic()
        if before is not None and before.revision == beat.revision:
            return

        def wake() -> None:
            if self._moved is not None:  # waiters look again; later ones wait on a new event
                self._moved.set()
                self._moved = asyncio.Event()

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wake)
