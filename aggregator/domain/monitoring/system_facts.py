"""Types for the state of a system, which `/metrics` and `status` show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.monitoring.counts import CountKey
    from aggregator.domain.polling.pushes import PushState


class SourceCounts(NamedTuple):
    """The sources of one kind in one state."""

    kind: str
    state: str
    sources: int
    due: int  # due now and not leased
    overdue: int  # late by more than two intervals, as in `source_health.is_stale`
    failing: int  # the last poll failed
    leased: int
    unfinished: int  # their last poll started and never ended
    last_polled: datetime | None


class TableSize(NamedTuple):
    """The size of a table with its indexes."""

    name: str
    rows: int  # the database's estimate
    bytes: int


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The size of the database and its connections."""

    kind: str  # "postgresql" or "sqlite"
    bytes: int
    tables: Sequence[TableSize] = ()
    connections: int | None = None
    most_connections: int | None = None


class QueueFacts(NamedTuple):
    """The review queue. Counts stop at a limit, so that a long queue costs no more."""

    waiting: int
    quarantined: int
    oldest_waiting: datetime | None


class BudgetFacts(NamedTuple):
    """A metered service in its present cycle; amounts are in micros."""

    service: str
    label: str
    spent: int
    reserved: int
    budget: int | None  # None: unlimited
    balance: int | None  # of prepaid credits, if the service reports it
    balance_days: float | None  # that the balance lasts
    blocked_until: datetime | None


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """The state of a system at a time."""

    at: datetime
    revision: int
    changed: datetime | None
    last_tick: datetime | None
    sources: Sequence[SourceCounts]
    oldest_due: datetime | None  # the due time of the active source that has waited longest
    paused_hosts: int
    refusals: Mapping[tuple[str, str], int]  # service and error code -> number
    alerts: Mapping[str, int]  # kind of alert -> number of open ones
    queue: QueueFacts
    unread_entries: int
    database: DatabaseFacts
    counts: Mapping[CountKey, int]
    budgets: Sequence[BudgetFacts] = ()
    pushes: Sequence[PushState] = ()


@dataclass(frozen=True, slots=True)
class ReplicaFacts:
    """The state of the replica that a reader uses; `problem` is None if it responds."""

    behind: int | None  # revisions that it lacks; None: unknown, since it or the primary doesn't respond
    lag: float | None  # seconds
    problem: str | None
    primary_away: bool
    reads: Mapping[str, int] = field(default_factory=dict)  # of this process, by "replica" and "primary"


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """The state of the broker; `problem` is None if it responds."""

    queues: Mapping[str, int] = field(default_factory=dict)  # waiting messages by queue
    unacknowledged: int | None = 0  # messages that workers have received; None: the broker does not report it
    problem: str | None = None
