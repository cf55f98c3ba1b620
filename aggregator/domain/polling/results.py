"""Types for the result of a poll, from the fetched document to the stored record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.errors import SourceError
    from aggregator.domain.source import Json, Place


@dataclass(frozen=True, slots=True)
class FetchFacts:
    """HTTP facts of a poll for the fetch log."""

    started: datetime
    duration: timedelta
    status: int | None = None  # of the last response
    bytes: int = 0  # received bytes, compressed
    requests: int = 0


@dataclass(frozen=True, slots=True)
class PublisherHints:
    """The publisher's polling hints. They only delay the next poll."""

    floor: timedelta = timedelta()  # minimum polite interval for this kind of response
    at_least: timedelta = timedelta()  # interval requested by this response
    why: str = ""  # the source of that hint: "max-age", "ttl"
    skip_hours: frozenset[int] = frozenset()  # 0 to 23, UTC
    skip_days: frozenset[int] = frozenset()  # 0 is Monday


@dataclass(frozen=True, slots=True)
class UnreadEntry:
    """An entry with an unknown structure, kept as the source sent it until a newer version can read it."""

    native_id: str
    key: str  # as in `NewActivity`
    reason: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """Facts of a complete document that its entries don't show."""

    size: int  # bytes, decompressed
    built: datetime | None = None  # when the publisher made it


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The result of fetching one source.

    `activities` are oldest first. `unchanged`: the source had no changes (304, or identical bytes). `state` replaces
    the source's fetch state in the transaction that stores the activities. `gone` are keys that the source reports as
    deleted; `account_gone`: the account doesn't exist any more, so that all items of the source are removed.
    """

    activities: Sequence[NewActivity] = ()
    state: Mapping[str, Json] = field(default_factory=dict)
    unchanged: bool = False
    gone: Sequence[str] = ()
    account_gone: bool = False
    name: str | None = None  # the source's title
    not_before: datetime | None = None  # the publisher or the budget requests no earlier poll
    look_again: datetime | None = None  # something may change until then, so poll just afterwards
    appetite: float | None = None  # estimated cost of reading everything, in dollars a day
    hints: PublisherHints = PublisherHints()
    skipped: int = 0  # entries with identical bytes as in the last poll
    present: Collection[str] = ()  # native ids of those
    entries: int | None = None  # entries in the document; None: there was no complete document
    document: DocumentFacts | None = None  # None: there was no complete document, or its facts say nothing
    moved_to: Place | None = None  # the target of permanent redirects
    note: str | None = None  # a note for people that isn't an error
    facts: FetchFacts | None = None
    unread: Sequence[UnreadEntry] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why polling a source failed."""

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
    """The stored record of a poll: next poll, fetch state and log entry."""

    source_id: int
    token: str  # of the lease
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
    watch: Mapping[str, Any] | None = None  # facts for later polls, see `monitoring.watching`; None: as before
    silent_from: datetime | None = None  # stored with `watch`
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    message: str | None = None  # the error message, or a note
    error_code: str | None = None
    unfinished: int = 0  # earlier polls that never ended, if this one doesn't reset them
    kind: str = ""  # of the source
    delays: Sequence[tuple[str, timedelta]] = ()  # network and delay of new items: from publication until visible


@dataclass(frozen=True, slots=True)
class Discovery:
    """The detected kind of an address, before it becomes a source.

    `first_result` is the result of the detection's request, so that adding a source needs no second one. `floor` is the
    minimum interval for this source.
    """

    kind: str
    address: str  # the canonical address to poll
    host: str
    name: str
    slug: str  # a proposal; made unique when stored
    every: timedelta | None  # None: adaptive
    floor: timedelta
    options: Mapping[str, Json] = field(default_factory=dict)
    first_result: FetchResult | None = None
    notes: Sequence[str] = ()  # how the address was found, for people
    cost: str = ""  # a recurring cost that people confirm before the source is added
