"""Test sources that kill the process that polls them: they fail alone, and other sources go on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.errors import StoreUnavailableError, WorkerLostError
from aggregator.domain.monitoring.alerts import SOURCE
from aggregator.services.alert_rounds import current_conditions
from aggregator.services.poll_records import MOST_UNFINISHED
from storage.polling.clock_correction import REASON, TOLERANCE
from storage.polling.leases import Lease
from storage.tables.polling import host
from tests.building import NOON, add_source, due_of, lease_of
from tests.upstream import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from aggregator.domain.source import Source
    from storage.store import Store

LEASE = timedelta(minutes=5)
TICK = timedelta(seconds=30)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(feeds=5, entries=2) as publisher:
        yield publisher


@pytest.fixture
def container(store: Store, tmp_path: Path, clock: Clock, publisher: Publisher) -> Iterator[Container]:
    environ = {
        "AGGREGATOR_DATA_DIR": str(tmp_path),
        "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_LEASE": str(int(LEASE.total_seconds())),
    }
    container = Container(Settings.from_environment(environ), clock)
    for number in range(1, 6):
        add_source(store, f"s{number}", address=publisher.url(f"/good/{number}.xml"), host=publisher.host)
    yield container
    container.close()


def sources(container: Container) -> dict[str, Source]:
    with container.store.reading() as tx:
        return {source.slug: source for source in tx.polling.sources.each()}


def tick(container: Container, clock: Clock, deadly: int, *, reported: bool = True) -> list[list[int]]:
    """Claim and poll; the process that polls the deadly source dies before anything is stored. Return the batches."""
    clock.now += TICK if reported else LEASE
    batches = container.dispatcher.claim()
    for batch in batches:
        if deadly not in batch.ids:
            container.polling.poll(batch.ids, batch.token)
            continue
        with container.store.writing() as tx:
            begun = tx.polling.schedule.renew(batch.ids, batch.token, clock.now + LEASE)
        assert all(source.poll.unfinished <= MOST_UNFINISHED for source in begun)
        if reported:
            container.dispatcher.release(batch.ids, batch.token, ended=False)
    return [batch.ids for batch in batches]


def _unfinished(container: Container, source: Source) -> int:
    return lease_of(container.store, source.id).unfinished


@pytest.mark.parametrize("reported", [True, False], ids=["told at once", "lease runs out"])
def test_a_source_that_ends_its_process_fails_alone(container: Container, clock: Clock, *, reported: bool) -> None:
    deadly = sources(container)["s3"].id
    assert [len(ids) for ids in tick(container, clock, deadly, reported=reported)] == [5]
    assert sorted(tick(container, clock, deadly, reported=reported)) == [
        [source.id] for source in sources(container).values()
    ]
    others = [source for source in sources(container).values() if source.id != deadly]
    assert [(source.poll.last_outcome, _unfinished(container, source)) for source in others] == [("new", 0)] * 4
    assert [deadly] in tick(container, clock, deadly, reported=reported)
    assert sources(container)["s3"].poll.failures == 0

    clock.now += TICK if reported else LEASE
    for batch in container.dispatcher.claim():  # the fourth time it is not even asked
        container.polling.poll(batch.ids, batch.token)

    failed = sources(container)["s3"]
    assert (failed.poll.failures, failed.poll.last_error_code) == (1, WorkerLostError.code)
    assert _unfinished(container, failed) == MOST_UNFINISHED - 1
    assert due_of(failed) > clock.now
    with container.store.reading() as tx:  # what `status` and alerts show
        (condition,) = current_conditions(tx, container.settings, clock.now)
    assert (condition.kind, condition.subject) == (SOURCE, "source:s3")
    assert "died 3 times in a row" in condition.sentence


def test_a_source_that_fails_so_is_cleared_by_a_poll_that_ends(container: Container, clock: Clock) -> None:
    with container.store.writing() as tx:
        claimed = tx.polling.schedule.claim_these([sources(container)["s1"].id], clock.now, lease=LEASE, token="t")
        for _ in range(MOST_UNFINISHED - 1):
            tx.polling.schedule.renew([source.id for source in claimed], "t", clock.now + LEASE)
    assert _unfinished(container, sources(container)["s1"]) == MOST_UNFINISHED - 1
    container.polling.poll([claimed[0].id], "t")
    assert (sources(container)["s1"].poll.last_outcome, _unfinished(container, sources(container)["s1"])) == ("new", 0)


def test_a_poll_that_is_cut_short_in_order_counts_for_nothing(container: Container, clock: Clock) -> None:
    clock.now += TICK
    (batch,) = container.dispatcher.claim()
    container.dispatcher.give_back(batch)
    assert {_unfinished(container, source) for source in sources(container).values()} == {0}
    clock.now += TICK
    (batch,) = container.dispatcher.claim()
    container.limits = type(container.limits)(
        container.limits.hard, container.limits.soft, -1.0, container.limits.per_host
    )
    container.polling.poll(batch.ids, batch.token)  # too late for any of them to begin
    assert {lease_of(container.store, source.id) for source in sources(container).values()} == {Lease()}


def test_a_database_that_goes_away_is_not_blamed_on_the_sources(
    container: Container, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now += TICK
    (batch,) = container.dispatcher.claim()

    def away(*_: object) -> None:
        raise StoreUnavailableError("The database doesn't respond.")

    with monkeypatch.context() as patched:
        patched.setattr("aggregator.services.ingest.Ingest._store_result", away)
        patched.setattr("aggregator.services.ingest.Ingest._close", away)
        with pytest.raises(StoreUnavailableError):
            container.polling.poll(batch.ids, batch.token)
    assert {_unfinished(container, source) for source in sources(container).values()} == {1}

    container.dispatcher.release(batch.ids, batch.token, ended=True)  # as the worker has it done
    clock.now += TICK
    batches = container.dispatcher.claim()  # they are free again, and due together

    assert [sorted(batch.ids) for batch in batches] == [sorted(batch.ids)]
    assert {_unfinished(container, source) for source in sources(container).values()} == {0}


def test_a_clock_that_was_ahead_and_is_set_right_stops_nothing(
    container: Container, clock: Clock, publisher: Publisher
) -> None:
    ahead = timedelta(days=30)
    clock.now += ahead
    for batch in container.dispatcher.claim():
        container.polling.poll(batch.ids, batch.token)
    polled = sources(container)
    assert {polled_source.poll.last_outcome for polled_source in polled.values()} == {"new"}
    with container.store.writing() as tx:
        tx.polling.schedule.claim_these([polled["s5"].id], clock.now, lease=LEASE, token="of a dead worker")
        tx.polling.hosts.pause(publisher.host, clock.now + timedelta(hours=2), clock.now, "429")

    clock.now += TICK - ahead
    container.dispatcher.claim()

    for source in sources(container).values():
        assert due_of(source) <= clock.now + source.floor
        assert source.poll.due_reason == REASON
        assert source.poll.last_polled == clock.now
        assert lease_of(container.store, source.id).until in {None, clock.now}
    with container.store.reading() as tx:
        assert tx.polling.hosts.paused(clock.now) == []
    with container.store.engine.connect() as connection:
        turns = [row.next_start for row in connection.execute(select(host.c.next_start))]
    assert turns
    assert max(turns) <= clock.now  # or each poll would wait for its turn
    clock.now += timedelta(minutes=16)
    assert sorted(id_ for batch in container.dispatcher.claim() for id_ in batch.ids) == sorted(
        polled_source.id for polled_source in polled.values()
    )


def test_clocks_that_differ_a_little_change_nothing(container: Container, clock: Clock) -> None:
    clock.now += TICK
    for batch in container.dispatcher.claim():
        container.polling.poll(batch.ids, batch.token)
    before = {source.slug: source.poll.due for source in sources(container).values()}
    clock.now -= TOLERANCE - TICK
    container.dispatcher.claim()
    assert {source.slug: source.poll.due for source in sources(container).values()} == before
