"""Decide whether a source is stale. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from aggregator.domain.source import SourceState

FAILURES_THAT_COUNT = 2  # in a row; one failure is no reason to warn readers
LATE_BY = timedelta(minutes=10)  # a poll may be that late


class PollFacts(Protocol):
    """What staleness rests on, as `PollState` has it."""

    @property
    def due(self) -> datetime | None: ...  # noqa: D102  # as in `PollState`
    @property
    def interval(self) -> timedelta: ...  # noqa: D102
    @property
    def failures(self) -> int: ...  # noqa: D102
    @property
    def last_success(self) -> datetime | None: ...  # noqa: D102


class StaleSource(NamedTuple):
    """A stale source: the few facts that warnings need, which are read every few seconds."""

    slug: str
    name: str
    state: SourceState
    state_reason: str
    due: datetime | None
    interval: timedelta
    failures: int
    created: datetime
    last_success: datetime | None
    last_error: str | None
    last_error_code: str | None


def is_stale(state: SourceState, poll: PollFacts, now: datetime) -> bool:
    """Whether the items of a source may be old: it fails, was stopped, or is long overdue.

    A paused source is not stale, nor is one that failed once. `SourceLists.stale` says the same in SQL.
    """
    if state is SourceState.STOPPED:
        return True
    if state is not SourceState.ACTIVE:
        return False
    never = poll.last_success is None and poll.failures > 0
    overdue = poll.due is not None and now - poll.due > 2 * poll.interval + LATE_BY
    return never or poll.failures >= FAILURES_THAT_COUNT or overdue
