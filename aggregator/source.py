"""Sources: what we poll, how a kind of source is plugged in, and what a poll brings back.

A new kind of source is one module in `aggregator/sources/` whose `KIND` satisfies `SourceKind`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from aggregator.activity import Actor, NewActivity
    from aggregator.errors import SourceError
    from aggregator.fetch import Http

Json = Any  # what the json module reads and writes

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Policy(StrEnum):
    """What happens to what a source brings."""

    AUTO = "auto"  # shown at once
    DELAY = "delay"  # shown after a while in which people may still take it back
    HOLD = "hold"  # waits for a person


class OnEdit(StrEnum):
    """What becomes of an activity that a person approved when its publisher edits it. X's edits always replace."""

    STAY = "stay"  # it stays as it was approved; the new words wait for a person
    RETURN = "return"  # it takes the new words and waits for a person


class SourceState(StrEnum):
    """Whether a source is polled."""

    ACTIVE = "active"
    PAUSED = "paused"  # by a person
    STOPPED = "stopped"  # by us, for a reason that only a person can mend
    REMOVED = "removed"  # kept only for what its items and gone keys refer to


@dataclass(frozen=True, slots=True)
class Source:
    """A source as the database holds it.

    `options` and `fetch_state` belong to the kind: the first is what people set, the second what polling remembers
    (validators, watermarks).
    """

    id: int
    slug: str
    name: str
    kind: str
    address: str
    host: str  # under which its turns are counted: host group and port
    options: Mapping[str, Json]
    policy: Policy
    state: SourceState
    state_reason: str
    every: timedelta | None  # between polls, where people set it; else the source's rhythm decides
    floor: timedelta  # the least time between polls
    due: datetime
    due_reason: str
    failures: int  # in a row
    fetch_state: Mapping[str, Json]
    created: datetime
    revision: int
    last_polled: datetime | None = None
    last_success: datetime | None = None
    last_new: datetime | None = None  # when a poll last brought something new
    last_outcome: str | None = None
    last_error: str | None = None  # the sentence
    last_error_code: str | None = None
    leased_until: datetime | None = None
    own_host: str = ""  # name and port
    ceiling: timedelta = timedelta(hours=24)  # the most time between polls that bring an answer
    interval: timedelta = timedelta(hours=1)  # until the next poll, as its last answer had it
    strain: float = 0.0  # the weights of its failures in a row
    rhythm: Mapping[str, Json] | None = None  # when it publishes, see `cadence.Rhythm`
    moving: Mapping[str, Json] | None = None  # a permanent redirect that was seen, see `moves`
    sealed: str | None = None  # headers that nobody else may read, see `seal`
    appetite: float | None = None  # dollars a day that reading all of it costs; None: nothing, or not known
    delay: timedelta | None = None  # under the policy to delay
    on_edit: OnEdit = OnEdit.STAY
    trusted: tuple[str, ...] = ()  # handles or names of authors whose words are shown whatever the policy
    managed: str = ""  # the file that says how it is set; "": people do, at the desk or the command line
    unfinished: int = 0  # polls in a row that began and never ended, the one that runs included


@dataclass(frozen=True, slots=True)
class FetchFacts:
    """How a poll went on the wire, for the fetch log."""

    started: datetime
    duration: timedelta
    status: int | None = None  # of the last answer
    bytes: int = 0  # received, as they were on the wire
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the other side asks of our polling. It only ever makes the next poll later."""

    floor: timedelta = timedelta()  # the least time between polls that is polite for what it gives us
    at_least: timedelta = timedelta()  # until the next poll, asked for with this answer
    why: str = ""  # which of its words asks for that, for people: "max-age", "ttl"
    skip_hours: frozenset[int] = frozenset()  # 0 to 23, UTC
    skip_days: frozenset[int] = frozenset()  # 0 is Monday


class Place(NamedTuple):
    """Where a source lives."""

    address: str
    host: str  # "name:port"; which group of hosts that belongs to is for the store to say


@dataclass(frozen=True, slots=True)
class Harvest:
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
    wishes: Wishes = Wishes()
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
class Polled:
    """The outcome of polling one source."""

    source_id: int
    outcome: Harvest | Failure


@dataclass(frozen=True, slots=True)
class Settlement:
    """How polling a source ended: its next poll, its fetch state, and a line of the fetch log."""

    source_id: int
    token: str  # of the lease under which it was polled
    facts: FetchFacts
    outcome: str  # "new", "unchanged" or "failed"
    due: datetime
    due_reason: str
    failures: int
    fetch_state: Mapping[str, Json]
    now: datetime
    interval: timedelta
    strain: float = 0.0
    rhythm: Mapping[str, Json] | None = None
    speed: float | None = None  # None: it does not follow its rhythm
    appetite: float | None = None
    moving: Mapping[str, Json] | None = None
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
    harvest: Harvest | None = None


class Clock(Protocol):
    """The time, as an argument."""

    def __call__(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


@dataclass(slots=True)
class HostTurn:
    """A turn at a host while it is held. Whoever holds it says whether the host answered as if all were well."""

    answered: bool = False


class Quiet(Protocol):
    """May I call this host (or API endpoint) now? Shared by all workers through the database."""

    def turn(self, host: str, endpoint: str = "") -> AbstractAsyncContextManager[HostTurn]:
        """Wait for a turn at `host` and hold it while the request runs.

        An `endpoint` of an API has turns and pauses of its own: it is called as fast as its limits allow.

        Raises:
            PausedError: the host asked us to stay away, or no turn is free within the time a poll may wait.
        """
        ...

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        """Let nobody call `host` before `until`; where it did not say for how long, each time for longer.

        Returns until when the caller should leave it alone.
        """
        ...


class Purpose(StrEnum):
    """What a request that costs money is for."""

    POLL = "poll"
    PROFILE = "profile"  # names and pictures of people
    COMPLIANCE = "compliance"  # whether what we show still stands; a part of the budget is kept for it
    LOOKUP = "lookup"  # somebody adds a source


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a service that bills what it returns, and the most that it may return."""

    service: str  # "x"
    endpoint: str
    purpose: Purpose
    posts: int = 0
    users: int = 0
    source_id: int = 0  # for which source; 0: none in particular


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back, by native ids: each is billed once a day, however often it comes."""

    posts: Collection[str] = ()
    users: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Ration:
    """What one source may cost, so that the budget lasts."""

    first: int  # posts that its first poll may read
    most: int  # posts that what is left pays for
    dollars: float | None = None  # a day; None: all that it likes
    posts: float | None = None  # the same in posts


class Spending(Protocol):
    """May this be spent? Shared by all workers through the database."""

    async def reserve(self, call: Call) -> str:
        """Set the money for a call aside and return a token to settle it by.

        Raises:
            BudgetError: there is not enough left, or the service said that a cap is reached; nothing was sent.
        """
        ...

    async def settle(self, token: str, returned: Returned) -> float:
        """Enter what a call returned into the ledger; return what it cost, in dollars."""
        ...

    async def block(self, service: str, reason: str) -> datetime:
        """Let nobody call a service that says a cap is reached; return until when."""
        ...

    async def ration(self, service: str) -> Ration | None:
        """Return what a source may cost so that the budget lasts; None: there is no budget."""
        ...

    async def room(self, service: str, purpose: Purpose) -> int | None:
        """Return how many posts may be read now for a purpose; None: as many as one likes."""
        ...


class Unmetered:
    """The `Spending` port where nothing costs anything."""

    async def reserve(self, call: Call) -> str:
        """Allow everything."""
        return call.endpoint

    async def settle(self, token: str, returned: Returned) -> float:
        """Forget it."""
        del token, returned
        return 0.0

    async def block(self, service: str, reason: str) -> datetime:
        """Block nothing: whoever asks learns it anew."""
        del service, reason
        return datetime.now(UTC)

    async def ration(self, service: str) -> Ration | None:
        """Set no limit."""
        del service
        return None

    async def room(self, service: str, purpose: Purpose) -> int | None:
        """Set no limit."""
        del service, purpose
        return None


class Parser(Protocol):
    """Reads untrusted documents within limits."""

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function of a module and return its result, or raise its exception; both can be pickled.

        Raises:
            TooComplexError: it reached a limit. ParserCrashError: its process died.
        """
        ...


class InProcessParser:
    """The `Parser` port without limits, for documents that can be trusted."""

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call the function here and now."""
        return function(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class PollContext:
    """What a kind of source gets to work with."""

    http: Http
    clock: Clock
    quiet: Quiet
    credentials: Mapping[str, str] = field(default_factory=dict)  # by name: "x_bearer_token", "x_base_url"
    unsealed: Callable[[Source], Mapping[str, str]] = lambda _: {}  # the secret headers of a source
    deadline: float = float("inf")  # of time.monotonic(); a source not begun by then is left for the next tick
    spending: Spending = field(default_factory=Unmetered)
    parser: Parser = field(default_factory=InProcessParser)


class SourceKind(Protocol):
    """A kind of source."""

    name: str  # as in the database: "rss"
    queue: str  # the Celery queue its polls go through
    any_address: bool  # it takes every web address, so the other kinds are asked first what an address is
    eagerness: float  # how many of the usual polls a source of this kind gets
    per_host: int | None  # sources of one host that may be under way together; None: as few as is polite

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        """Check options that people set and return them complete.

        Raises:
            BadRequestError: an option is unknown or its value can't be used.
        """
        ...

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = ...,
        headers: Mapping[str, str] = ...,
    ) -> Discovery | None:
        """Say what an address is, with one request; None where it is nothing for this kind, without a request.

        Args:
            address: what people gave.
            context: what to work with.
            options: as `parse_options` returned them.
            headers: secret headers that requests to this very host carry.

        Raises:
            SourceError: the address is for this kind, but can't be read; the sentence says what was seen.
        """
        ...

    def archive(self, source: Source, context: PollContext, pages: int) -> AsyncIterator[Harvest]:
        """Read what a source has published longest ago, page by page, newest first; nothing where it has no archive.

        Raises:
            SourceError: a page can't be read.
        """
        ...

    def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[Polled]:
        """Poll sources, each failing alone, and yield each outcome as it comes."""
        ...


@runtime_checkable
class DiscoversTogether(Protocol):
    """A kind of source that finds out about many addresses with one request."""

    async def discover_all(
        self, addresses: Sequence[str], context: PollContext
    ) -> Mapping[str, Discovery | SourceError]:
        """Say what those of the addresses are that are for this kind; the others are left out.

        Raises:
            SourceError: no usable answer came.
        """
        ...


@runtime_checkable
class KnowsPeople(Protocol):
    """A kind of source whose network tells about people by their ids."""

    network: str
    most_people: int  # that one request may ask for
    people_kept: timedelta  # after which those whom we follow are asked for again
    others_kept: timedelta  # the same for all others

    async def people(self, native_ids: Sequence[str], context: PollContext) -> Sequence[Actor]:
        """Ask for people in one request; who is not there any more is left out.

        Raises:
            SourceError: no usable answer came.
        """
        ...

    async def owner(self, handle: str, context: PollContext) -> str | None:
        """Return the id of whoever has a handle now; None where nobody has.

        Raises:
            SourceError: no usable answer came.
        """
        ...


@runtime_checkable
class CountsUse(Protocol):
    """A kind of source whose service says how much it has counted itself."""

    service: str

    async def counted(self, context: PollContext) -> int | None:
        """Return how many posts the service has counted in its cycle; None where it does not say.

        Raises:
            SourceError: no usable answer came.
        """
        ...
