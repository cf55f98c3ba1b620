"""Gather the state of the system for people, and what needs one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.domain.monitoring.attention import reasons
from aggregator.services.alert_rounds import current_conditions
from aggregator.services.broker_probe import queue_lengths
from aggregator.services.cleanup import retained
from aggregator.services.queues import CONTROL, QUEUES
from aggregator.services.system_facts import read_system_facts
from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from aggregator.config.settings import Settings
    from aggregator.domain.monitoring.alerts import Condition
    from aggregator.domain.monitoring.counts import CountKey
    from aggregator.domain.monitoring.system_facts import BrokerFacts, ReplicaFacts, SystemFacts
    from aggregator.domain.polling.api_refusals import Refusal
    from aggregator.domain.polling.host_limits import Pause
    from aggregator.domain.retention import Retained
    from storage.backfills import BackfillState
    from storage.store import Store

    Workers = Mapping[str, Collection[str]]  # name -> its queues


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """The state of the system."""

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
    replica: ReplicaFacts | None
    broker: BrokerFacts | None
    workers: Workers | None
    needs_attention: Sequence[str]


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
        facts = read_system_facts(tx, settings, now)
        conditions: list[Condition] = list(current_conditions(tx, settings, now))
        installation = tx.stream.state.instance()
        today = tx.monitoring.counts.totals(now.date().isoformat())
        paused = tx.polling.hosts.paused(now)
        refusals = [refusal for refusal in tx.api.refusals.all() if refusal.stops_polls]
        unread = tx.stream.unread.counts()
        content = tx.stream.reduction.count()
        migrations = tx.backfills.states()
        records = retained(tx, settings, today)
    broker, workers = None, None
    if not settings.embedded_broker:
        broker = queue_lengths(settings.broker_url, installation, QUEUES)
        workers = responding_workers() if broker.problem is None else {}
    replica = replicated.replica(facts.revision) if replicated is not None else None
    attention = reasons(
        facts.last_tick,
        now,
        broker=broker,
        replica=replica,
        workers=workers,
        needed_queues=needed_queues(facts),
        conditions=conditions,
    )
    return SystemStatus(
        facts=facts,
        today=today,
        sources=sum(found.sources for found in facts.sources),
        paused=paused,
        refusals=refusals,
        unread=unread,
        ids_only=sorted(store.ids_only),
        content_to_remove=content,
        migrations=migrations,
        retained=records,
        replica=replica,
        broker=broker,
        workers=workers,
        needs_attention=attention,
    )


def needed_queues(facts: SystemFacts) -> set[str]:
    """Return the queues of control tasks and of all kinds with active sources."""
    known = kinds()
    return {CONTROL} | {
        known[found.kind].queue.value for found in facts.sources if found.state == "active" and found.kind in known
    }
