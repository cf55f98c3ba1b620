"""Test the schedule on both databases: each due source has one claimer, leases end, and each poll counts once."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.results import FetchFacts, PollRecord, PollStatus
from aggregator.domain.source import SourceState
from storage.polling.leases import Lease
from storage.polling.schedule import MOST_OUTSTANDING
from storage.tables.polling import source as source_table
from tests.building import NOON, add_source, lease_of, token

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine.interfaces import ReflectedIndex

    from storage.polling.leases import Claimed
    from storage.store import Store

LEASE = timedelta(minutes=5)
SECOND = timedelta(seconds=1)


def _claim(
    store: Store, now: datetime = NOON, *, under: str = "", most: int = 100, per_host: int = 10
) -> list[Claimed]:
    with store.writing() as tx:
        return tx.polling.schedule.claim(now, lease=LEASE, token=under or token(), most=most, per_host=per_host)


def _settlement(source_id: int, under: str, **changes: object) -> PollRecord:
    settlement = PollRecord(
        source_id=source_id,
        token=under,
        facts=FetchFacts(NOON, timedelta(milliseconds=120), status=200, bytes=1234, requests=1),
        outcome=PollStatus.UNCHANGED,
        due=NOON + timedelta(minutes=15),
        due_reason="every 15 min",
        failures=0,
        fetch_state={"etag": '"a"'},
        now=NOON,
        interval=timedelta(minutes=15),
    )
    return replace(settlement, **changes)  # type: ignore[arg-type]  # any field


def _settle(store: Store, *settlements: PollRecord) -> int:
    with store.writing() as tx:
        return tx.polling.schedule.settle(settlements)


def test_only_active_due_and_free_sources_are_claimed(store: Store) -> None:
    due = add_source(store, "due")
    add_source(store, "later", now=NOON + timedelta(hours=1))
    paused = add_source(store, "paused")
    with store.writing() as tx:
        tx.polling.sources.set_state(paused.id, SourceState.PAUSED, "by hand", NOON)
    assert [source.id for source in _claim(store)] == [due.id]
    assert _claim(store) == []
    assert [source.id for source in _claim(store, NOON + LEASE - SECOND)] == []
    assert [source.id for source in _claim(store, NOON + LEASE)] == [due.id]  # the lease ran out, due as it was


def test_a_source_is_claimed_by_one_of_many_at_once(store: Store) -> None:
    ids = {add_source(store, f"s{number}").id for number in range(30)}
    claimed: list[int] = []
    barrier = threading.Barrier(4)

    def claim() -> None:
        barrier.wait()
        for _ in range(4):
            claimed.extend(source.id for source in _claim(store, most=3))

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rest = [source.id for source in _claim(store)]
    assert sorted([*claimed, *rest]) == sorted(ids)


def test_no_host_gets_more_than_its_share_over_ticks(store: Store) -> None:
    for number in range(5):
        add_source(store, f"crowd{number}", host="crowd.example:443")
    alone = add_source(store, "alone")
    under = token()
    first = _claim(store, under=under, per_host=2)
    assert [source.host for source in first].count("crowd.example:443") == 2
    assert alone.id in {source.id for source in first}
    assert _claim(store, per_host=2) == []  # two of that host are under way
    done = next(source.id for source in first if source.host == "crowd.example:443")
    _settle(store, _settlement(done, under))
    assert len(_claim(store, per_host=2)) == 1


def test_a_paused_host_is_not_called(store: Store) -> None:
    source = add_source(store)
    with store.writing() as tx:
        tx.polling.hosts.pause(source.host, NOON + timedelta(hours=1), NOON, "it answered 429")
    assert _claim(store) == []
    assert [source.id for source in _claim(store, NOON + timedelta(hours=1))] == [source.id]


def test_a_settlement_ends_the_lease_and_is_logged(store: Store) -> None:
    source, under = add_source(store), token()
    _claim(store, under=under)
    assert _settle(store, _settlement(source.id, under, new=2, message="a note")) == 1
    with store.reading() as tx:
        stored = tx.polling.sources.get("news")
        [line] = tx.polling.schedule.log(source.id, 10)
    assert stored is not None
    assert (stored.poll.due, stored.poll.due_reason, lease_of(store, source.id).until) == (
        NOON + timedelta(minutes=15),
        "every 15 min",
        None,
    )
    assert (stored.poll.last_success, stored.poll.last_new, stored.poll.last_error) == (NOON, NOON, None)
    assert stored.poll.fetch_state == {"etag": '"a"'}
    assert (line["status"], line["bytes"], line["milliseconds"], line["new"]) == (200, 1234, 120, 2)
    assert line["next_reason"] == "every 15 min"


def test_who_lost_the_lease_settles_nothing(store: Store) -> None:
    source, first, second = add_source(store), token(), token()
    _claim(store, under=first)
    _claim(store, NOON + LEASE, under=second)
    assert _settle(store, _settlement(source.id, first, fetch_state={"etag": "stale"})) == 0
    with store.writing() as tx:
        assert tx.polling.schedule.lock_leased(source.id, first) is None
        assert tx.polling.schedule.lock_leased(source.id, second) is not None
        assert tx.polling.schedule.renew([source.id], first, NOON + 2 * LEASE) == []
        assert [source.id for source in tx.polling.schedule.renew([source.id], second, NOON + 2 * LEASE)] == [source.id]
    with store.reading() as tx:
        stored = tx.polling.sources.get("news")
    assert stored is not None
    assert stored.poll.fetch_state == {}


def test_a_failure_keeps_the_last_success(store: Store) -> None:
    source, under = add_source(store), token()
    _claim(store, under=under)
    _settle(store, _settlement(source.id, under))
    later = NOON + timedelta(hours=1)
    _claim(store, later, under=under)
    _settle(
        store,
        _settlement(
            source.id,
            under,
            now=later,
            outcome=PollStatus.FAILED,
            failures=1,
            error_code="x",
            message="It is broken.",
        ),
    )
    with store.reading() as tx:
        stored = tx.polling.sources.get("news")
    assert stored is not None
    assert (stored.poll.last_success, stored.poll.last_polled) == (NOON, later)
    assert (stored.poll.last_error, stored.poll.last_error_code, stored.poll.failures) == ("It is broken.", "x", 1)


def test_who_asks_during_a_poll_gets_another(store: Store) -> None:
    source, under = add_source(store), token()
    _claim(store, under=under)
    with store.writing() as tx:
        tx.polling.schedule.ask([source.id], NOON + SECOND)
    _settle(store, _settlement(source.id, under))
    with store.reading() as tx:
        assert tx.polling.schedule.still_asked([source.id]) == {source.id}
    assert [source.id for source in _claim(store, NOON + SECOND, under=under)] == [source.id]
    _settle(store, _settlement(source.id, under, facts=FetchFacts(NOON + 2 * SECOND, SECOND)))
    with store.reading() as tx:
        assert tx.polling.schedule.still_asked([source.id]) == set()


def test_what_was_not_begun_is_given_back_still_due(store: Store) -> None:
    source, under = add_source(store), token()
    _claim(store, under=under)
    with store.writing() as tx:
        tx.polling.schedule.release([source.id], "somebody else's")
    assert _claim(store) == []
    with store.writing() as tx:
        tx.polling.schedule.release([source.id], under)
    assert [source.id for source in _claim(store)] == [source.id]


def test_pausing_takes_the_lease_away(store: Store) -> None:
    source, under = add_source(store), token()
    _claim(store, under=under)
    with store.writing() as tx:
        tx.polling.sources.set_state(source.id, SourceState.PAUSED, "by hand", NOON)
    assert _settle(store, _settlement(source.id, under)) == 0


def test_nobody_waits_for_a_poll_of_a_source_that_was_paused(store: Store) -> None:
    source = add_source(store)
    with store.writing() as tx:
        tx.polling.schedule.ask([source.id], NOON)
        tx.polling.sources.set_state(source.id, SourceState.PAUSED, "by hand", NOON)
        assert tx.polling.schedule.still_asked([source.id]) == set()


def test_an_address_or_slug_is_taken_once(store: Store) -> None:
    add_source(store, "news")
    with pytest.raises(BadRequestError, match="already exists as 'news'"):
        add_source(store, "other", address="https://news.example/feed")
    with pytest.raises(BadRequestError, match="slug 'news' is taken"):
        add_source(store, "news", address="https://elsewhere.example/feed")


def test_a_removed_source_comes_back_as_itself(store: Store) -> None:
    first = add_source(store)
    with store.writing() as tx:
        tx.polling.sources.set_state(first.id, SourceState.REMOVED, "by hand", NOON)
    with store.reading() as tx:
        assert tx.polling.sources.get("news") is None
        assert tx.polling.sources.count() == 0
    assert add_source(store).id == first.id


def test_sources_that_wait_for_their_host_leave_others_their_places(store: Store) -> None:
    """A platform with more due sources than one claim examines, all of them due before any other."""
    _add_many(store, 3000, "platform.example:443", NOON - 2 * timedelta(hours=1))
    _add_many(store, 20, "host{number}.example:443", NOON - timedelta(hours=1))
    claimed = _claim(store, most=40, per_host=3)
    assert sum(source.host == "platform.example:443" for source in claimed) == 3
    assert len({source.host for source in claimed}) == 21
    assert _claim(store, most=40, per_host=3) == []


def test_a_kind_is_leased_up_to_its_limit(store: Store) -> None:
    _add_many(store, MOST_OUTSTANDING + 50, "host{number}.example:443", NOON - timedelta(hours=1))
    claimed = [len(_claim(store, most=200)) for _ in range(4)]
    assert claimed == [200, 200, MOST_OUTSTANDING - 400, 0]


def test_requested_polls_precede_a_backlog(store: Store) -> None:
    _add_many(store, 3000, "host{number}.example:443", NOON - timedelta(hours=1))
    last = add_source(store, "last", now=NOON)
    with store.writing() as tx:
        tx.polling.schedule.ask([last.id], NOON)
    assert [source.id for source in _claim(store, most=1)] == [last.id]


def test_a_claim_reads_indexes_alone(postgresql_store: Store) -> None:
    store = postgresql_store
    _add_many(store, 3000, "host{number}.example:443", NOON + timedelta(hours=1))
    scans = text("SELECT coalesce(seq_scan, 0) FROM pg_stat_user_tables WHERE relname = 'source'")
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE source"))

    def scanned() -> int:
        with store.engine.connect() as connection:
            connection.execute(text("SELECT pg_stat_force_next_flush()"))
        with store.engine.connect() as connection:
            return int(connection.execute(scans).scalar_one())

    before = scanned()
    _claim(store)
    assert scanned() == before


def test_a_poll_writes_one_version_of_its_source(postgresql_store: Store) -> None:
    """Its lease begins and ends in a narrow table: each version of a source has an entry in each of its indexes."""
    source, under = add_source(postgresql_store), token()
    version = text("SELECT xmin::text || ctid::text FROM source")

    def current() -> str:
        with postgresql_store.engine.connect() as connection:
            return str(connection.execute(version).scalar_one())

    before = current()
    _claim(postgresql_store, under=under)
    with postgresql_store.writing() as tx:
        assert [leased.id for leased in tx.polling.schedule.renew([source.id], under, NOON + 2 * LEASE)] == [source.id]
    assert current() == before
    assert lease_of(postgresql_store, source.id) == Lease(under, NOON + 2 * LEASE, 1)
    _settle(postgresql_store, _settlement(source.id, under))
    assert current() != before
    assert lease_of(postgresql_store, source.id) == Lease()
    with postgresql_store.engine.connect() as connection:
        options = connection.execute(text("SELECT reloptions FROM pg_class WHERE relname = 'source'")).scalar_one()
    assert "fillfactor=80" in options


def _names(index: ReflectedIndex) -> set[str]:
    condition = str(index.get("dialect_options", {}).get("postgresql_where", ""))
    return {name for name in index["column_names"] if name} | set(re.findall(r"\w+", condition))


def _add_many(store: Store, count: int, host: str, due: datetime) -> None:
    """Add sources with a host each, or all with one."""
    model = add_source(store, token(), now=due)
    with store.engine.begin() as connection:
        values = connection.execute(select(source_table).where(source_table.c.id == model.id)).one()._asdict()
        del values["id"]
        rows = [
            {**values, "slug": token(), "address": f"https://{token()}.example", "host": host.format(number=number)}
            for number in range(count)
        ]
        connection.execute(source_table.delete().where(source_table.c.id == model.id))
        connection.execute(source_table.insert(), rows)
