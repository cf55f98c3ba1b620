"""Read from a replica where it is current, else from the primary.

A replica lags. Missing additions are harmless for a moment; a missing edit, decision or removal is not. So each read
transaction first reads the replica's revision, and uses the primary if the replica lacks a change that this process
knows of: the newest one by which the primary altered a shown item, and whatever was read before. What remains is the
time in which the primary's news is on its way, as without a replica. While the primary is away, a replica that has all
that is known serves alone.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from aggregator.domain.errors import StoreUnavailableError
from aggregator.domain.monitoring.system_facts import ReplicaFacts
from aggregator.domain.stream import StreamNews
from storage.engine.connect import make_engine
from storage.store import Store
from storage.stream.watch import Following

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Transaction

_POLL = 0.25  # seconds between looks at the replica, which can't notify; news of the primary trigger a look, too
_REST = 1.0  # seconds without a read from a replica that failed to answer
_AGAIN = 0.5  # seconds before following the primary again after an error


class ReplicatedStore(Store):
    """A store whose reads may come from a replica; everything else is done by the primary. Thread-safe."""

    def __init__(self, primary: Store, replica_url: str) -> None:
        super().__init__(make_engine(replica_url, replica=True), ids_only=primary.ids_only)
        self._primary = primary
        self._lock = threading.Lock()
        self._floor = 0  # a read must see this revision
        self._altered = 0  # the newest revision by which the primary altered a shown item
        self._newest: int | None = None  # the primary's revision; None: it was never reached
        self._primary_away = False
        self._tried = False  # whether the primary has answered or failed once
        self._rests_until = -math.inf  # of the replica, monotonic
        self._problem: str | None = None
        self._reads = {"replica": 0, "primary": 0}
        self._wake = threading.Event()

    @property
    def primary(self) -> Store:
        """The primary."""
        return self._primary

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a read transaction that sees every change that this process knows to alter a shown item.

        Raises:
            StoreUnavailableError: neither database can show that.
        """
        with ExitStack() as stack:
            tx = self._of_primary(stack) if not self._tried else None
            if tx is None:
                tx = self._of_replica(stack)
            if tx is None:
                if self._primary_away:
                    raise StoreUnavailableError("The primary doesn't respond, and the replica is away or behind.")
                tx = self._of_primary(stack, required=True)
            if tx is None:
                raise StoreUnavailableError("The database doesn't respond.")
            yield tx

    @contextmanager
    def writing(self, *, lock_stream: bool = True) -> Iterator[Transaction]:
        """Open a read-write transaction on the primary; see `Store.writing`."""
        with self._primary.writing(lock_stream=lock_stream) as tx:
            yield tx

    def check_schema(self) -> None:
        """Check the schema of the replica, or of the primary while the replica is away; see `Store.check_schema`."""
        try:
            super().check_schema()
        except StoreUnavailableError:
            self._primary.check_schema()

    def watch(self, stopping: threading.Event) -> Iterator[StreamNews | None]:
        """Yield the revision that reads see, after changes and four times a second; None while there are none."""
        following, seen = Following(), 0
        threading.Thread(target=self._follow_primary, args=(stopping,), name="follow-primary", daemon=True).start()
        while not stopping.is_set():
            try:
                with self.reading() as tx:
                    news = following.news(tx.stream.state)
            except StoreUnavailableError:
                # A removal that is known, though it can't be read: older responses must not be served any more.
                is_unread, seen = self._altered > seen, max(seen, self._altered)
                yield StreamNews(seen, seen) if is_unread else None
            else:
                seen = news.revision
                yield news
            self._wake.wait(_POLL)
            self._wake.clear()

    def replica(self, newest: int | None = None) -> ReplicaFacts:
        """Return the state of the replica; never raises."""
        try:
            with super().reading() as tx:
                revision, age = tx.stream.state.revision(), tx.monitoring.server.replay_age()
        except StoreUnavailableError as problem:
            return ReplicaFacts(None, None, str(problem), self._primary_away, dict(self._reads))
        newest = newest or (None if self._primary_away else self._newest)
        behind = None if newest is None else max(0, newest - revision)
        return ReplicaFacts(behind, 0.0 if behind == 0 else age, None, self._primary_away, dict(self._reads))

    def longest_wait(self) -> float:
        """Return the longest current wait for a connection to either database."""
        return max(super().longest_wait(), self._primary.longest_wait())

    def silence(self) -> float:
        """Return the seconds since either database last answered a statement of this process."""
        return min(super().silence(), self._primary.silence())

    def close(self) -> None:
        """Close every connection to both databases."""
        super().close()
        self._primary.close()

    def _of_replica(self, stack: ExitStack) -> Transaction | None:
        """Open a transaction on the replica; None: it is away or behind."""
        with self._lock:
            if time.monotonic() < self._rests_until:
                return None
        try:
            with ExitStack() as inner:
                tx = inner.enter_context(super().reading())
                if not self._raise_to(tx.stream.state.revision()):
                    return None
                stack.push(inner.pop_all().__exit__)
        except StoreUnavailableError:
            with self._lock:
                self._rests_until = time.monotonic() + _REST
            return None
        self._reads["replica"] += 1
        return tx

    def _of_primary(self, stack: ExitStack, *, required: bool = False) -> Transaction | None:
        try:
            with ExitStack() as inner:
                tx = inner.enter_context(self._primary.reading())
                self._raise_to(tx.stream.state.revision())  # later reads must not go back
                stack.push(inner.pop_all().__exit__)
        except StoreUnavailableError:
            if required:
                raise
            return None
        self._reads["primary"] += 1
        return tx

    def _raise_to(self, revision: int) -> bool:
        """Let later reads see at least this revision; return False if it is already too old."""
        with self._lock:
            if revision < self._floor:
                return False
            self._floor = revision
            return True

    def _follow_primary(self, stopping: threading.Event) -> None:
        """Learn of each change that the primary makes to shown items, until stopped."""
        while not stopping.is_set():
            try:
                for news in self._primary.watch(stopping):
                    self._learn(news)
            except Exception:  # noqa: BLE001  # the thread must survive all database errors
                self._learn(None)
                stopping.wait(_AGAIN)

    def _learn(self, news: StreamNews | None) -> None:
        self._primary_away = news is None
        if news is not None:
            revision, altered = news
            with self._lock:
                if self._newest is not None and revision < self._newest:  # it was restored
                    self._floor = revision
                # At the first contact it is unknown which changes altered what.
                self._altered = revision if altered is None else altered
                self._floor = max(self._floor, self._altered)
            has_moved = revision != self._newest
            self._newest = revision
            if has_moved:
                self._wake.set()
        self._tried = True
