"""Types for the result of a poll, from the fetched document to the stored record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.errors import SourceError
    from aggregator.domain.source import Json, Place


@dataclass(frozen=True, slots=True)
class FetchFacts:
    """How a poll went on the wire, for the fetch log."""

    started: datetime
    duration: timedelta
    status: int | None = None  # of the last answer
    bytes: int = 0  # received, as they were on the wire
    requests: int = 0


@dataclass(frozen=True, slots=True)
class PublisherHints:
    """What the other side asks of our polling. It only ever makes the next poll later."""

    floor: timedelta = timedelta()  # the least time between polls that is polite for what it gives us
    at_least: timedelta = timedelta()  # until the next poll, asked for with this answer
    why: str = ""  # which of its words asks for that, for people: "max-age", "ttl"
    skip_hours: frozenset[int] = frozenset()  # 0 to 23, UTC
    skip_days: frozenset[int] = frozenset()  # 0 is Monday


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What polling one source brought.

    `activities` oldest first. `unchanged` says that the source had nothing to tell (304, or the very same bytes).
    `state` replaces the source's fetch state in the transaction that stores the activities. `gone` are keys that the
    source says no longer exist.
    """

    activities: Sequence[NewActivity] = ()
    state: Mapping[str, Json] = field(default_factory=dict)
    unchanged: bool = False
    gone: Sequence[str] = ()
    name: str | None = None  # what the source calls itself
    not_before: datetime | None = None  # the other side, or the budget, asks not to be polled earlier
    look_again: datetime | None = None  # something of it may change until then, so it is worth a look just after
    appetite: float | None = None  # dollars a day that reading all of it costs, as far as is known by now
    wishes: PublisherHints = PublisherHints()
    skipped: int = 0  # entries that the last poll had brought in the very same bytes
    present: Collection[str] = ()  # native ids of those
    entries: int | None = None  # in the document; None: there was no whole document to count in
    moved_to: Place | None = None  # where permanent redirects led to this answer
    note: str | None = None  # something worth telling people that is no failure
    facts: FetchFacts | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why polling one source brought nothing."""

    error: SourceError
    facts: FetchFacts | None = None


@dataclass(frozen=True, slots=True)
class PollOutcome:
    """The outcome of polling one source."""

    source_id: int
    outcome: FetchResult | Failure


class PollStatus(StrEnum):
    """How polling a source ended."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PollRecord:
    """How polling a source ended: its next poll, its fetch state, and a line of the fetch log."""

    source_id: int
    token: str  # of the lease under which it was polled
    facts: FetchFacts
    outcome: PollStatus
    due: datetime
    due_reason: str
    failures: int
    fetch_state: Mapping[str, Json]
    now: datetime
    interval: timedelta
    failure_weight: float = 0.0
    publishing_profile: Mapping[str, Json] | None = None
    poll_weight: float | None = None  # None: the schedule is not adaptive
    daily_cost: float | None = None  # dollars
    pending_redirect: Mapping[str, Json] | None = None
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    message: str | None = None  # the error's sentence, or a note
    error_code: str | None = None
    unfinished: int = 0  # polls before that never ended, where this one does not clear the source


@dataclass(frozen=True, slots=True)
class Discovery:
    """What an address turned out to be, before it becomes a source.

    `harvest` is what the one request for it already brought, so that adding a source costs no second one.
    `floor` is the shortest time between polls that this source may be given.
    """

    kind: str
    address: str  # canonical: what will be polled
    host: str
    name: str
    slug: str  # a proposal; made unique when stored
    every: timedelta | None  # None: as its rhythm asks for
    floor: timedelta
    options: Mapping[str, Json] = field(default_factory=dict)
    harvest: FetchResult | None = None
