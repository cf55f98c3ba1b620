"""Show the state of the system as lines of text or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.cli.output import ago
from aggregator.domain.billing.budget import dollars
from aggregator.domain.monitoring.attention import TICKS_STOPPED
from aggregator.domain.monitoring.counts import ITEMS, POLLS
from aggregator.domain.networks import network_of
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.monitoring.counts import CountKey
    from aggregator.domain.monitoring.system_facts import BrokerFacts, BudgetFacts, DatabaseFacts, ReplicaFacts
    from aggregator.domain.polling.pushes import PushState
    from aggregator.domain.retention import Retained
    from aggregator.services.system_status import SystemStatus
    from storage.backfills import BackfillState

_MEGABYTE = 1_000_000
_NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def system_lines(found: SystemStatus, now: datetime) -> Iterator[str]:
    """Yield the lines about the system as a whole."""
    facts = found.facts
    yield f"Scheduler: {scheduler_line(facts.last_tick, now)}"
    yield from _servers(found)
    for pause in found.paused:
        yield f"Paused: {pause.host}, until {pause.until:%H:%M:%S} UTC ({one_line(pause.reason)})"
    for refusal in found.refusals:
        yield (
            f"Refused: {one_line(refusal.reason, 300)} Since {ago(refusal.since, now)}; one call tries again "
            f"{ago(refusal.until, now)}, or at once: aggregator source resume --all"
        )
    for budget in facts.budgets:
        if budget.spent or budget.budget is not None or budget.balance is not None:
            yield f"Budget: {_budget(budget, now)}"
    for stream in facts.pushes:
        yield f"Pushed: {network_of(stream.network).label}, {_stream(stream, now)}"
    queue = facts.queue
    if queue.waiting or queue.quarantined:
        oldest = f", the oldest from {ago(queue.oldest_waiting, now)}" if queue.oldest_waiting else ""
        quarantined = f"; {queue.quarantined} quarantined" if queue.quarantined else ""
        yield f"Review queue: {counted(queue.waiting, 'item')}{oldest}{quarantined}"
    if found.unread:
        kept = f"{counted(sum(found.unread.values()), 'item')} of {counted(len(found.unread), 'source')}"
        yield f"Not readable: {kept}, kept until a newer version can read them"
    for network in found.ids_only:
        rest = (
            f"{counted(found.content_to_remove, 'item')} still have content, which 'aggregator migrate' removes at once"
        )
        yield f"Ids only: {network_of(network).label}; {rest if found.content_to_remove else 'no content is stored'}"
    yield from migration_lines(found.migrations)
    yield f"Retention: {_retention(found.retained, now)}"
    yield f"Today: {_today(found.today)}"
    yield f"Stream: revision {facts.revision}, {counted(found.sources, 'source')}"


def _servers(found: SystemStatus) -> Iterator[str]:
    if found.workers is not None:
        yield f"Workers: {', '.join(found.workers) if found.workers else 'none responds'}"
    if found.broker is not None:
        yield f"Broker: {_broker(found.broker)}"
    yield f"Database: {_database(found.facts.database)}"
    if found.replica is not None:
        yield f"Replica: {_replica(found.replica)}"


def system_json(found: SystemStatus) -> dict[str, object]:
    """Return the JSON fields about the system as a whole."""
    facts = found.facts
    return {
        "last_tick": facts.last_tick,
        "revision": facts.revision,
        "workers": None if found.workers is None else list(found.workers),
        "queues_served": found.workers,
        "broker": None if found.broker is None else _fields(found.broker),
        "replica": None if found.replica is None else _lag(found.replica),
        "database": {"kind": facts.database.kind, "bytes": facts.database.bytes}
        | {"connections": facts.database.connections, "max_connections": facts.database.most_connections},
        "paused_hosts": [pause._asdict() for pause in found.paused],
        "refusals": [refusal._asdict() for refusal in found.refusals],
        "budgets": [budget._asdict() for budget in facts.budgets],
        "pushed": [stream._asdict() for stream in facts.pushes],
        "review_queue": facts.queue._asdict(),
        "open_alerts": dict(facts.alerts),
        "today": _sums(found.today),
        "unread_entries": sum(found.unread.values()),
        "content_to_remove": found.content_to_remove,
        "background_migrations": [
            {**state._asdict(), "share": state.share} for state in found.migrations if state.finished is None
        ],
        "retention": {
            state.rule.records: {"kept": state.rule.age, "oldest": state.oldest, "deleted_today": state.deleted_today}
            for state in found.retained
        },
        "needs_attention": list(found.needs_attention),
    }


def migration_lines(states: Sequence[BackfillState]) -> Iterator[str]:
    """Yield a line for each background migration that has not finished."""
    for state in states:
        if state.finished is None:
            share = "progress unknown" if state.share is None else f"{state.share:.0%}"
            problem = f"; the last batch failed: {one_line(state.problem, 300)}" if state.problem else ""
            yield f"Background migration: {state.name}, {share}, {counted(state.changed, 'row')} changed{problem}"


def scheduler_line(last_tick: datetime | None, now: datetime) -> str:
    """Return the state of the scheduler in words."""
    if last_tick is None:
        return "has never run; start 'aggregator run', or a worker and 'celery -A scheduler beat'"
    if last_tick - now > TICKS_STOPPED:
        return f"last ticked {ago(last_tick, now)}, which is in the future: the clock was set back or is wrong"
    if now - last_tick > TICKS_STOPPED:
        return f"last ticked {ago(last_tick, now)}; start it again, or check that a worker consumes the queue 'control'"
    return f"ticking (last {ago(last_tick, now)})"


def _broker(broker: BrokerFacts) -> str:
    if broker.problem is not None:
        return f"does not respond ({one_line(broker.problem)})"
    waiting = [f"{queue} {length}" for queue, length in broker.queues.items() if length]
    running = "" if broker.unacknowledged is None else f", {broker.unacknowledged} running"
    return f"{', '.join(waiting) if waiting else 'no messages'} waiting{running}"


def _replica(replica: ReplicaFacts) -> str:
    if replica.problem is not None:
        return f"does not respond ({one_line(replica.problem)}); readers use the database itself"
    if replica.lag is None:
        return "is no replica, but a database that accepts writes"
    return f"{replica.lag:.1f} s behind, {counted(replica.behind or 0, 'change')} missing"


def _database(database: DatabaseFacts) -> str:
    size = f"{_NAMES.get(database.kind, database.kind)}, {database.bytes / _MEGABYTE:,.1f} MB"
    if database.connections is None:
        return size
    return f"{size}, {database.connections} of {database.most_connections} connections"


def _budget(budget: BudgetFacts, now: datetime) -> str:
    limit = f" of {dollars(budget.budget)}" if budget.budget is not None else ""
    text = f"{budget.label}: {dollars(budget.spent)}{limit} in this cycle"
    if budget.balance is not None:
        text += f"; prepaid credits {dollars(budget.balance)}"
    if budget.blocked_until is not None:
        text += f"; blocked by a cap of the service, which ends {ago(budget.blocked_until, now)}"
    return text


def _stream(stream: PushState, now: datetime) -> str:
    if stream.opened is not None:
        event = f", the newest event from {ago(stream.position, now)}" if stream.position else ""
        return f"connected {ago(stream.opened, now)}{event}"
    if stream.claimed:
        return "not connected; the log of the listener says why"
    before = f", since {ago(stream.alive, now)}" if stream.alive else ""
    return f"no process listens{before}; start 'aggregator listen'"


def _retention(states: Sequence[Retained], now: datetime) -> str:
    deleted = counted(sum(state.deleted_today for state in states), "record")
    behind = [state for state in states if state.is_behind(now)]
    late = ", ".join(f"{state.rule.records} (the oldest from {ago(state.oldest, now)})" for state in behind)
    return f"{deleted} deleted today" + (f"; behind with {late}: aggregator prune" if late else "")


def _today(counts: Mapping[CountKey, int]) -> str:
    sums = _sums(counts)
    failed = f" ({sums['failed']} failed)" if sums["failed"] else ""
    return f"{counted(sums['polls'], 'poll')}{failed}, {counted(sums['new'], 'new item')}, {sums['changed']} changed"


def _sums(counts: Mapping[CountKey, int]) -> dict[str, int]:
    """Return the totals of a day (UTC)."""
    return {
        "polls": sum(count for key, count in counts.items() if key.measure == POLLS),
        "failed": sum(count for key, count in counts.items() if key.measure == POLLS and ":" in key.label),
        "new": sum(count for key, count in counts.items() if key[::2] == (ITEMS, "new")),
        "changed": sum(count for key, count in counts.items() if key[::2] == (ITEMS, "changed")),
    }


def _lag(replica: ReplicaFacts) -> dict[str, Any]:
    return {"lag": replica.lag, "behind": replica.behind, "problem": replica.problem}


def _fields(broker: BrokerFacts) -> dict[str, Any]:
    return {"queues": dict(broker.queues), "unacknowledged": broker.unacknowledged, "problem": broker.problem}
