"""Gather the state of the system for people, and what needs one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aggregator.domain.monitoring.attention import reasons
from aggregator.services.alert_rounds import current_conditions
from aggregator.services.broker_probe import queue_lengths
from aggregator.services.cleanup import retained
from aggregator.services.queues import CONTROL, QUEUES
from aggregator.services.system_facts import read_system_facts
from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from aggregator.config.settings import Settings
    from aggregator.domain.monitoring.alerts import Condition
    from aggregator.domain.monitoring.counts import CountKey
    from aggregator.domain.monitoring.system_facts import BrokerFacts, ReplicaFacts, SystemFacts
    from aggregator.domain.polling.api_refusals import Refusal
    from aggregator.domain.polling.host_limits import Pause
    from aggregator.domain.retention import Retained
    from storage.backfills import BackfillState
    from storage.store import Store, Transaction

    Workers = Mapping[str, Collection[str]]  # name -> its queues


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """The state of the system."""

    installation: str
    facts: SystemFacts
    today: Mapping[CountKey, int]
    sources: int
    paused: Sequence[Pause]
    refusals: Sequence[Refusal]  # those that stop polls
    unread: Mapping[int, int]  # source -> entries
    ids_only: Sequence[str]  # networks of which only ids are stored
    content_to_remove: int  # items of them with content
    migrations: Sequence[BackfillState]
    retained: Sequence[Retained]
    replica: ReplicaFacts | None = None
    broker: BrokerFacts | None = None
    workers: Workers | None = None
    needs_attention: Sequence[str] = ()


def read_status(
    store: Store,
    settings: Settings,
    now: datetime,
    responding_workers: Callable[[], Workers],
    replicated: Store | None = None,
) -> SystemStatus:
    """Return the state of the system.

    Args:
        store: the database.
        settings: all settings.
        now: the present time.
        responding_workers: asks the workers, with a limit of time.
        replicated: the database with the replica that readers use, if there is one.

    Raises:
        StoreUnavailableError: the database doesn't respond.
    """
    with store.reading() as tx:
        conditions: list[Condition] = list(current_conditions(tx, settings, now))
        stored = _stored_status(tx, settings, now, store.ids_only)
    broker, workers = None, None
    if not settings.embedded_broker:
        broker = queue_lengths(settings.broker_url, stored.installation, QUEUES)
        workers = responding_workers() if broker.problem is None else {}
    replica = replicated.replica(stored.facts.revision) if replicated is not None else None
    attention = reasons(
        stored.facts.last_tick,
        now,
        broker=broker,
        replica=replica,
        workers=workers,
        needed_queues=needed_queues(stored.facts),
        conditions=conditions,
    )
    return replace(stored, replica=replica, broker=broker, workers=workers, needs_attention=attention)


def _stored_status(tx: Transaction, settings: Settings, now: datetime, ids_only: Iterable[str]) -> SystemStatus:
    facts = read_system_facts(tx, settings, now)
    today = tx.monitoring.counts.totals(now.date().isoformat())
    return SystemStatus(
        installation=tx.stream.state.instance(),
        facts=facts,
        today=today,
        sources=sum(found.sources for found in facts.sources),
        paused=tx.polling.hosts.paused(now),
        refusals=[refusal for refusal in tx.api.refusals.all() if refusal.stops_polls],
        unread=tx.stream.unread.counts(),
        ids_only=sorted(ids_only),
        content_to_remove=tx.stream.reduction.count(),
        migrations=tx.backfills.states(),
        retained=retained(tx, settings, today),
    )


def needed_queues(facts: SystemFacts) -> set[str]:
    """Return the queues of control tasks and of all kinds with active sources."""
    known = kinds()
    return {CONTROL} | {
        known[found.kind].queue.value for found in facts.sources if found.state == "active" and found.kind in known
    }
