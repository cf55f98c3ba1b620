"""Test reads from a real streaming replica that lags, or whose primary is away."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from aggregator.domain.activity import Review
from aggregator.domain.errors import StoreUnavailableError
from storage.replicated import ReplicatedStore
from storage.store import Store
from tests import servers
from tests.building import add_source, an_activity, decide, ingest_now
from tests.conftest import TODAY
from tests.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.source import Source
    from tests.servers import PostgresNode

pytestmark = pytest.mark.slow


class Pair:
    """A primary with one source, its replica, and a store that follows both."""

    def __init__(self, primary: PostgresNode, standby: PostgresNode, source: Source) -> None:
        self.primary, self.standby, self.source = primary, standby, source
        self.writer = Store.open(primary.url)
        self.store = ReplicatedStore(Store.open(primary.url), standby.url)
        self.stopping = threading.Event()
        self.seen: list[int | None] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        eventually("it follows both", lambda: self.store._tried and self.seen and self.reads_replica())

    def _watch(self) -> None:
        for news in self.store.watch(self.stopping):
            self.seen.append(None if news is None else news.revision)

    def close(self) -> None:
        self.stopping.set()
        self._thread.join(10)
        self.store.close()
        self.writer.close()

    def add(self, name: str) -> None:
        ingest_now(self.writer, self.source, [an_activity(name)])

    def reads_replica(self) -> bool:
        with self.store.reading() as tx:
            is_recovering = tx._connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar()
        return bool(is_recovering)

    def shown(self) -> list[str]:
        """Return the ids of the items that this store shows."""
        with self.store.reading() as tx:
            rows = tx._connection.exec_driver_sql("SELECT native_id FROM activity WHERE visible ORDER BY native_id")
            return [row[0] for row in rows]

    def hide(self, name: str) -> None:
        with self.writer.reading() as tx:
            statement = "SELECT id FROM activity WHERE native_id = %s"
            id_ = tx._connection.exec_driver_sql(statement, (name,)).scalar_one()
        decide(self.writer, [id_], Review.HIDDEN)

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """Let the replica receive changes and not apply them."""
        with psycopg.connect(self.standby.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("SELECT pg_wal_replay_pause()")
            eventually(
                "it is paused",
                lambda: connection.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",),
            )
            try:
                yield
            finally:
                connection.execute("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[PostgresNode, PostgresNode, Source]]:
    with servers.postgresql_node() as (primary, _):
        store = Store.open(primary.url)
        store.migrate(authority="test.invalid", today=TODAY)
        source = add_source(store)
        store.close()
        primary.stop()
        standby = primary.copy_as_standby(servers.free_port())
        primary.start()
        standby.start()
        try:
            yield primary, standby, source
        finally:
            standby.stop()


@pytest.fixture
def pair(nodes: tuple[PostgresNode, PostgresNode, Source]) -> Iterator[Pair]:
    pair = Pair(*nodes)
    yield pair
    pair.close()


def test_a_current_replica_serves_and_changes_are_noticed(pair: Pair) -> None:
    assert pair.reads_replica()
    pair.add("first")
    eventually("it is shown", lambda: "first" in pair.shown())
    with pair.writer.reading() as tx:
        revision = tx.stream.state.revision()
    eventually("it is noticed", lambda: pair.seen[-1] == revision)
    assert pair.reads_replica()
    facts = pair.store.replica()
    assert (facts.behind, facts.lag, facts.problem, facts.primary_away) == (0, 0.0, None, False)


def test_additions_may_be_missing_and_removals_may_not(pair: Pair) -> None:
    pair.add("kept")
    pair.add("secret")
    eventually("both are shown", lambda: {"kept", "secret"} <= set(pair.shown()) and pair.reads_replica())
    with pair.lagging():
        pair.add("late")
        eventually("the primary's news came", lambda: _behind(pair) > 0)
        assert pair.reads_replica()
        assert "late" not in pair.shown()
        pair.hide("secret")
        began = time.monotonic()
        eventually("it is hidden", lambda: "secret" not in pair.shown())
        assert time.monotonic() - began < 5
        assert not pair.reads_replica()
        assert "late" in pair.shown()
        assert _behind(pair) > 0
    eventually("the replica serves again", pair.reads_replica)
    shown = pair.shown()
    assert "secret" not in shown
    assert "late" in shown
    revisions = [revision for revision in pair.seen if revision is not None]
    assert revisions == sorted(revisions)


def test_a_replica_that_has_all_that_is_known_serves_alone(pair: Pair) -> None:
    pair.add("alone")
    eventually("it is shown", lambda: "alone" in pair.shown() and pair.reads_replica())
    pair.primary.stop()
    try:
        eventually("it is known", lambda: pair.store._primary_away)
        assert "alone" in pair.shown()
        pair.store.check_schema()
        with pytest.raises(StoreUnavailableError), pair.store.writing():
            pass
        facts = pair.store.replica()
        assert (facts.primary_away, facts.behind) == (True, None)
        assert facts.lag is not None
    finally:
        pair.primary.start()
    eventually("the primary is back", lambda: not pair.store._primary_away)
    pair.add("afterwards")
    eventually("it is shown", lambda: "afterwards" in pair.shown())


def test_a_replica_that_lacks_a_known_removal_does_not_serve_alone(pair: Pair) -> None:
    pair.add("removed")
    eventually("it is shown", lambda: "removed" in pair.shown() and pair.reads_replica())
    with pair.lagging():
        pair.hide("removed")
        eventually("it is known", lambda: "removed" not in pair.shown())
        known = pair.store._altered
        pair.primary.stop()
        try:
            eventually("it is away", lambda: pair.store._primary_away)
            with pytest.raises(StoreUnavailableError):
                pair.shown()
            eventually("the watcher tells", lambda: pair.seen[-1] is None)
            assert max(revision for revision in pair.seen if revision is not None) >= known
        finally:
            pair.primary.start()
    eventually("both are back", lambda: not pair.store._primary_away and pair.reads_replica())
    assert "removed" not in pair.shown()


def test_the_primary_serves_while_the_replica_is_away(pair: Pair) -> None:
    pair.standby.stop()
    try:
        pair.add("meanwhile")
        eventually("the primary serves", lambda: "meanwhile" in pair.shown())
        assert pair.store.replica().problem
    finally:
        pair.standby.start()
    eventually("the replica serves again", pair.reads_replica)


def _behind(pair: Pair) -> int:
    return pair.store.replica().behind or 0
