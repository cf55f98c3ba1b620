"""The interface that each kind of source implements."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from aggregator.domain.billing.metering import Spending, Unmetered
from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.results import FetchResult
from aggregator.domain.source import InProcessParser, Json, Parser, Source
from aggregator.domain.source_options import SourceOption, parse_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import timedelta

    from aggregator.domain.activity import ActivityKind, Actor
    from aggregator.domain.billing.budget import Metered
    from aggregator.domain.errors import SourceError
    from aggregator.domain.networks import Network
    from aggregator.domain.polling.rate_limit import Clock, RateLimiter
    from aggregator.domain.polling.results import Discovery, PollOutcome
    from aggregator.domain.settings_schema import Option
    from aggregator.fetching.client import Http
    from aggregator.fetching.ip_policy import Network as IpNetwork

_NO_OPTIONS: Mapping[str, Json] = MappingProxyType({})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PollContext:
    """Clients, clock and settings for a kind of source."""

    http: Http
    clock: Clock
    quiet: RateLimiter
    settings: Mapping[str, Any] = field(default_factory=dict)  # values of the settings of kinds, by key
    unsealed: Callable[[Source], Mapping[str, str]] = lambda _: {}  # the secret headers of a source
    deadline: float = float("inf")  # of time.monotonic(); a source not begun by then is left for the next tick
    spending: Spending = field(default_factory=Unmetered)
    parser: Parser = field(default_factory=InProcessParser)


class QueueClass(StrEnum):
    """The classes of service: which Celery queue polls go through, so that slow APIs delay no feeds."""

    FEEDS = "feeds"  # documents on the web: many hosts, short requests
    API = "api"  # a network's API: one host, rate limits, credentials


class Saving(NamedTuple):
    """Options that make a source cost less."""

    change: str  # in words
    options: Mapping[str, Json]
    share: float  # of what the source costs


class SourceKind:
    """A kind of source. Subclasses set at least `name` and `label`, and define `discover` and `poll`."""

    name: str  # stored with each source
    label: str  # for people, with an article in front: "a feed", "a calendar"
    queue: QueueClass = QueueClass.FEEDS
    former_queue: str = ""  # the name of its own queue in the last release, still consumed
    any_address: bool = False  # it takes every web address, so the other kinds get an address first
    eagerness: float = 1.0  # polls of a source of this kind, as a multiple of the usual number
    per_host: int | None = None  # sources of one host that may be under way together; None: as few as is polite
    syndicated: bool = False  # feed readers can subscribe to its addresses
    address_form: str = ""  # what an address looks like, for errors and help: "an X handle (@name)"
    options: tuple[SourceOption, ...] = ()
    settings: tuple[Option[Any], ...] = ()  # AGGREGATOR_* variables that it reads, in `PollContext.settings`
    networks: tuple[Network, ...] = ()  # where what it reads is published, unless on the web

    @property
    def edits_always_show(self) -> bool:
        """Whether the terms of a network require that edits show at once, also of approved activities."""
        return any(network.terms.edits_replace for network in self.networks)

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        """Check options and return them as they are stored.

        Raises:
            BadRequestError: an option is unknown or its value is invalid.
        """
        return parse_options(self.options, options, self.label)

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = _NO_OPTIONS,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Discovery | None:
        """Look an address up with one request; return None, without a request, if it is not for this kind.

        Args:
            address: as a person gave it.
            context: clients, clock and settings.
            options: as `parse_options` returned them.
            headers: secret headers that requests to this very host carry.

        Raises:
            SourceError: the address is for this kind, but can't be read; the message says what was found.
        """
        raise NotImplementedError

    def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll sources, each failing alone, and yield each outcome as it is known."""
        raise NotImplementedError

    async def archive(self, source: Source, context: PollContext, pages: int) -> AsyncIterator[FetchResult]:
        """Read the oldest entries of a source, page by page, newest first; nothing if it has no archive.

        Raises:
            SourceError: a page can't be read.
        """
        del source, context, pages
        for result in tuple[FetchResult, ...]():
            yield result

    def address_key(self, address: str) -> str | None:
        """Return what all spellings of an address share; None if its form does not show that it is for this kind."""
        del address
        return None

    def unfetched(self, address: str, name: str | None, private_networks: Sequence[IpNetwork]) -> Discovery:
        """Return an address as a source, judged by its form alone; called if `address_key` recognized it.

        Raises:
            BadRequestError: the address must be looked up.
            ForbiddenAddressError: it leads into a private network.
        """
        del name, private_networks
        raise BadRequestError(f"{address} must be looked up; import it without --no-fetch.")

    def export_address(self, source: Source) -> str:
        """Return the address under which `discover` of another installation finds the source again."""
        return source.address

    def web_page(self, source: Source) -> str:
        """Return the web address of a page for people, or ""."""
        return source.address if source.address.startswith(("http://", "https://")) else ""

    def metered(self, values: Mapping[str, Any]) -> Metered | None:
        """Return the metered service that it calls, if any, from the values of its settings."""
        del values
        return None

    def savings(self, options: Mapping[str, Json], parts: Mapping[ActivityKind, float]) -> Sequence[Saving]:
        """Return which options would make a source cost less.

        Args:
            options: of the source.
            parts: which part of its recent activities each kind of activity is.
        """
        del options, parts
        return ()


@runtime_checkable
class BulkDiscovery(Protocol):
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
class ProfileSource(Protocol):
    """A kind of source whose network returns profiles of accounts by their ids."""

    network: str
    most_people: int  # that one request may ask for
    people_kept: timedelta  # after which those whom we follow are asked for again
    others_kept: timedelta  # the same for all others

    def post_id(self, text: str) -> str | None:
        """Return the id of a post from its id, its key or its address; None if it is none of them."""
        ...

    def account_id(self, text: str) -> str | None:
        """Return the id of an account from its id or its key; None if it is neither."""
        ...

    def handle(self, text: str) -> str | None:
        """Return the handle of an account from a handle or the address of its profile; None if it is neither."""
        ...

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
class UsageReporter(Protocol):
    """A kind of source whose service says how much it has counted itself."""

    service: str

    async def counted(self, context: PollContext) -> int | None:
        """Return how many posts the service has counted in its cycle; None where it does not say.

        Raises:
            SourceError: no usable answer came.
        """
        ...
