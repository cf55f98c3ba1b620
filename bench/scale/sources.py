"""Measure what grows with the number of sources: dispatch, claim, renewing and settling polls, metrics and alerts."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from aggregator.config.settings import Settings
from aggregator.domain.polling.results import FetchFacts, PollRecord, PollStatus
from aggregator.services.alert_rounds import current_conditions
from aggregator.services.dispatch import Dispatcher, Limits
from aggregator.services.incidents import attend_incidents
from bench.cost import Cost, measured
from bench.scale.fill import fill_sources, maintain
from storage.store import Store
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aggregator.services.dispatch import Batch

SIZES = (1_000, 10_000, 100_000, 1_000_000)
TICK = timedelta(seconds=5)
TICKS = 14  # more than a minute: what is done once a minute or every half a minute is among them
ROUNDS = 2
_COUNTED = text(
    "SELECT n_tup_upd, n_tup_hot_upd, pg_table_size(relid) / 1e6, pg_indexes_size(relid) / 1e6 "
    "FROM pg_stat_user_tables WHERE relname = 'source'"
)
_SETTINGS = ("fsync", "synchronous_commit", "shared_buffers", "max_wal_size")


class Times(NamedTuple):
    """The cost of each run, by step."""

    dispatch: list[Cost]
    renew: list[Cost]
    settle: list[Cost]
    polls: list[int]


def measure(counts: Sequence[int] | None) -> None:
    """Print a table of medians and maxima for each number of sources."""
    for count in counts or SIZES:
        with servers.postgresql(durable=True) as (url, origin):
            store = Store.open(url)
            store.migrate(authority="bench.invalid", today=datetime.now(UTC).date())
            now = datetime.now(UTC)
            seconds = fill_sources(store, count, now)
            print(f"\n{count:,} sources on PostgreSQL ({origin}), {shown(store)}; stored in {seconds:.0f} s")
            measure_store(store, now)
            store.close()


def measure_store(store: Store, now: datetime) -> None:
    """Print the costs of a store with sources that are due from now on."""
    moment = [now]
    settings = Settings.from_environment({"AGGREGATOR_POLLS_PER_MINUTE": "100000"})
    dispatcher = Dispatcher(store, settings, lambda: moment[0], Limits.of(settings))
    print(f"  {'':<44}{'least ms':>10}{'median ms':>10}{'most ms':>10}{'CPU ms':>10}")
    before = _counted(store)
    times = _ticks(store, dispatcher, moment)
    _line(f"dispatch, {median(times.polls):.0f} sources", times.dispatch)
    _line("renew the leases of 50", times.renew)
    _line("settle 50 polls", times.settle)
    updates, hot, table, indexes = _counted(store)
    share = (hot - before[1]) / max(updates - before[0], 1)
    print(f"  {share:.0%} of updates are HOT; table {table:,.0f} MB, indexes {indexes:,.0f} MB")
    moment[0] += timedelta(minutes=1)
    _line("facts for /metrics", _repeated(store, partial(_facts, store, moment[0])))
    _line("a round of alerts", _repeated(store, partial(_alerts, store, settings, moment[0])))
    backlog = timedelta(hours=2)
    moment[0] += backlog  # everything is due
    maintain(store)
    times = _ticks(store, dispatcher, moment, ticks=6)
    _line(f"dispatch when all are due, {median(times.polls):.0f} sources", times.dispatch)


def _ticks(store: Store, dispatcher: Dispatcher, moment: list[datetime], ticks: int = TICKS) -> Times:
    """Dispatch as the scheduler does, and let each poll find no news."""
    times = Times([], [], [], [])
    for _ in range(ticks):
        moment[0] += TICK
        batches: list[Batch] = []
        work = partial(_claim, dispatcher, batches)
        times.dispatch.append(measured(work, store.engine))
        times.polls.append(sum(len(batch.ids) for batch in batches))
        for batch in batches:
            times.renew.append(_wall(partial(_renew, store, batch, moment[0])))
            times.settle.append(_wall(partial(_settle, store, batch, moment[0])))
    return times


def _claim(dispatcher: Dispatcher, batches: list[Batch]) -> None:
    batches.extend(dispatcher.claim())


def _renew(store: Store, batch: Batch, now: datetime) -> None:
    with store.writing() as tx:
        tx.polling.schedule.renew(batch.ids, batch.token, now + timedelta(minutes=10))


def _settle(store: Store, batch: Batch, now: datetime) -> None:
    records = [
        PollRecord(
            source_id=source_id,
            token=batch.token,
            facts=FetchFacts(now, timedelta(milliseconds=120), status=304, bytes=200, requests=1),
            outcome=PollStatus.UNCHANGED,
            due=now + timedelta(hours=1, milliseconds=source_id % 997),
            due_reason="adaptive",
            failures=0,
            fetch_state={"etag": f'"{source_id}"', "entries": [f"{source_id}-{entry:028}" for entry in range(10)]},
            now=now,
            interval=timedelta(hours=1),
            publishing_profile={"hours": [entry / 97 for entry in range(24)]},
            poll_weight=1.0,
            kind="rss",
        )
        for source_id in batch.ids
    ]
    with store.writing() as tx:
        tx.polling.schedule.settle(records)


def _facts(store: Store, now: datetime) -> None:
    with store.reading() as tx:
        tx.monitoring.facts.read(now)


def _alerts(store: Store, settings: Settings, now: datetime) -> None:
    with store.writing(lock_stream=False) as tx:
        attend_incidents(tx, now)
        tx.monitoring.alerts.hold(current_conditions(tx, settings, now), now)


def _repeated(store: Store, work: Callable[[], None]) -> list[Cost]:
    return [measured(work, store.engine) for _ in range(ROUNDS)]


def _wall(work: Callable[[], None]) -> Cost:
    """Return the time alone: to find the CPU of all processes takes longer than a short step."""
    return Cost(timed(work) / 1000, 0, 0)


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that work takes."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _line(name: str, costs: Sequence[Cost]) -> None:
    """Print times, and the average CPU of program and database, which other work on the machine changes little."""
    if costs:
        walls = [1000 * cost.wall for cost in costs]
        cpu = 1000 * sum(cost.cpu for cost in costs) / len(costs)
        print(f"  {name:<44}{min(walls):>10.1f}{median(walls):>10.1f}{max(walls):>10.1f}{cpu:>10.1f}", flush=True)


def _counted(store: Store) -> tuple[float, float, float, float]:
    with store.engine.connect() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
        updates, hot, table, indexes = connection.execute(_COUNTED).one()
    return float(updates), float(hot), float(table), float(indexes)


def shown(store: Store) -> str:
    """Return the settings that matter."""
    with store.engine.connect() as connection:
        return ", ".join(f"{name} {connection.execute(text(f'SHOW {name}')).scalar()}" for name in _SETTINGS)
