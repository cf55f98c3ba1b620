"""Determine whether a source is out of date. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from aggregator.domain.errors import (
    CredentialsError,
    MissingAccountError,
    NotAllowedError,
    ProtectedAccountError,
    SuspendedAccountError,
    WorkerLostError,
)
from aggregator.domain.source import SourceState

# Errors of which a single one is certain.
ACCOUNT_CODES = tuple(error.code for error in (MissingAccountError, ProtectedAccountError, SuspendedAccountError))
CERTAIN_CODES = (*ACCOUNT_CODES, CredentialsError.code, NotAllowedError.code, WorkerLostError.code)
FAILURES_THAT_COUNT = 2  # consecutive; readers are not warned about a single failure
LATE_BY = timedelta(minutes=10)  # tolerated delay of a poll


class PollFacts(Protocol):
    """The polling facts that staleness depends on, as in `PollState`."""

    @property
    def due(self) -> datetime | None: ...  # noqa: D102  # as in `PollState`
    @property
    def interval(self) -> timedelta: ...  # noqa: D102
    @property
    def failures(self) -> int: ...  # noqa: D102
    @property
    def last_success(self) -> datetime | None: ...  # noqa: D102
    @property
    def last_error_code(self) -> str | None: ...  # noqa: D102


class StaleSource(NamedTuple):
    """A stale source: the few fields that warnings need, which are read every few seconds."""

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
    """Return whether a source's items may be out of date: it fails, was stopped, or is long overdue.

    Paused sources don't count, nor does a single failure that may be a brief outage. `SourceLists.stale` is the same
    rule in SQL.
    """
    if state is SourceState.STOPPED:
        return True
    if state is not SourceState.ACTIVE:
        return False
    never = poll.last_success is None and poll.failures > 0
    overdue = poll.due is not None and now - poll.due > 2 * poll.interval + LATE_BY
    certain = poll.failures > 0 and poll.last_error_code in CERTAIN_CODES
    return never or certain or poll.failures >= FAILURES_THAT_COUNT or overdue
