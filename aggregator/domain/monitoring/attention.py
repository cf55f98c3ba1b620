"""Decide what needs a person. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.monitoring.alerts import SOURCE
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.monitoring.alerts import Condition
    from aggregator.domain.monitoring.system_facts import BrokerFacts, ReplicaFacts

TICKS_STOPPED = timedelta(seconds=60)
_MOST_NAMED = 3  # sources
_REPLICA_LAG = 60.0  # seconds


def reasons(
    last_tick: datetime | None,
    now: datetime,
    *,
    broker: BrokerFacts | None,
    replica: ReplicaFacts | None = None,
    workers: Mapping[str, Collection[str]] | None,
    needed_queues: Collection[str],
    conditions: Sequence[Condition],
) -> list[str]:
    """Return what needs a person, the most important first.

    Args:
        last_tick: when dispatch last ran.
        now: the present time.
        broker: its state; None with an embedded broker.
        replica: its state; None: there is none.
        workers: the queues of each worker that responds; None with an embedded broker, whose worker is a thread.
        needed_queues: the queues that sources and control tasks need.
        conditions: the conditions of alerts.
    """
    return [
        *_of_scheduler(last_tick, now),
        *_of_workers(broker, workers, needed_queues),
        *_of_replica(replica),
        *_of_conditions(conditions),
    ]


def is_ticking(last_tick: datetime | None, now: datetime) -> bool:
    """Return whether dispatch ran lately; a time in the future means that a clock is wrong."""
    return last_tick is not None and abs(now - last_tick) <= TICKS_STOPPED


def _of_scheduler(last_tick: datetime | None, now: datetime) -> Iterator[str]:
    if last_tick is None:
        yield "the scheduler has never run"
    elif not is_ticking(last_tick, now):
        yield "the scheduler does not run" if last_tick < now else "the scheduler's clock is ahead"


def _of_workers(
    broker: BrokerFacts | None, workers: Mapping[str, Collection[str]] | None, needed: Collection[str]
) -> Iterator[str]:
    if broker is not None and broker.problem is not None:
        yield f"the broker does not respond ({one_line(broker.problem, 100)})"
    elif workers is not None and not workers:
        yield "no worker responds"
    elif workers is not None:
        served = {queue for queues in workers.values() for queue in queues}
        for queue in sorted(set(needed) - served):
            yield f"no worker serves the queue '{queue}'"


def _of_replica(replica: ReplicaFacts | None) -> Iterator[str]:
    if replica is None:
        return
    if replica.problem is not None:
        yield f"the replica does not respond ({one_line(replica.problem, 100)})"
    elif (replica.lag or 0) > _REPLICA_LAG:
        yield f"the replica is {replica.lag:.0f} s behind"


def _of_conditions(conditions: Sequence[Condition]) -> Iterator[str]:
    """Yield a sentence for each condition, and one for all sources together."""
    stopped = sorted(found.subject.partition(":")[2] for found in conditions if found.kind == SOURCE)
    if stopped:
        named = ", ".join(stopped[:_MOST_NAMED]) + (", ..." if len(stopped) > _MOST_NAMED else "")
        yield f"{counted(len(stopped), 'source')} stopped or failing ({named})"
    for found in conditions:
        if found.kind != SOURCE:
            yield one_line(found.sentence, 200).rstrip(".")
