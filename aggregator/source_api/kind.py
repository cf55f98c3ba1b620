"""Define the interface of a kind of source."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from aggregator.domain.billing.metering import Spending, Unmetered
from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.api_refusals import NoRefusals, Refusals
from aggregator.domain.polling.results import FetchResult
from aggregator.domain.source import InProcessParser, Json, Parser, Source
from aggregator.domain.source_options import SourceOption, parse_options
from aggregator.source_api.account_connection import Credentials, NoCredentials

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from aggregator.domain.activity import ActivityKind, Actor, NewActivity
    from aggregator.domain.billing.budget import Metered
    from aggregator.domain.clock import Clock
    from aggregator.domain.errors import SourceError
    from aggregator.domain.networks import Network
    from aggregator.domain.polling.host_limits import RateLimiter
    from aggregator.domain.polling.results import Discovery, PollOutcome
    from aggregator.domain.settings_schema import Option
    from aggregator.fetching.client import Http
    from aggregator.fetching.ip_policy import Network as IpNetwork
    from aggregator.source_api.archive import ArchiveCost, ArchiveRequest

_NO_OPTIONS: Mapping[str, Json] = MappingProxyType({})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PollContext:
    """Clients, clock and settings for a kind of source."""

    http: Http
    clock: Clock
    rate_limiter: RateLimiter
    settings: Mapping[str, Any] = field(default_factory=dict)  # values of the settings of kinds, by key
    unsealed: Callable[[Source], Mapping[str, str]] = lambda _: {}  # the secret headers of a source
    deadline: float = float("inf")  # from time.monotonic(); a source not started by then is left for the next tick
    spending: Spending = field(default_factory=Unmetered)
    parser: Parser = field(default_factory=InProcessParser)
    refusals: Refusals = field(default_factory=NoRefusals)
    credentials: Credentials = field(default_factory=NoCredentials)


class QueueClass(StrEnum):
    """Classes of service, one Celery queue each, so that slow APIs do not delay feeds."""

    FEEDS = "feeds"  # documents on the web: many hosts, short requests
    API = "api"  # a network's API: one host, rate limits, credentials


class Saving(NamedTuple):
    """Options that reduce the cost of a source."""

    change: str  # description
    options: Mapping[str, Json]
    share: float  # share of the source's cost


class SourceKind:
    """A kind of source. Subclasses set at least `name` and `label`, and define `discover` and `poll`."""

    name: str  # stored with each source
    label: str  # for people, with an article: "a feed", "a calendar"
    queue: QueueClass = QueueClass.FEEDS
    former_queue: str = ""  # its queue in the last release, which is still consumed
    any_address: bool = False  # accepts any web address, so other kinds are tried first
    eagerness: float = 1.0  # multiplier of the usual number of polls
    per_host: int | None = None  # concurrent sources of one host; None: the polite default
    syndicated: bool = False  # feed readers can subscribe to its addresses
    address_form: str = ""  # form of an address, for errors and help: "an X handle (@name)"
    options: tuple[SourceOption, ...] = ()
    settings: tuple[Option[Any], ...] = ()  # its AGGREGATOR_* variables; values are in `PollContext.settings`
    archive_pages: int = 20  # read by default
    may_backdate: bool = True  # publishers set the dates, so that old entries in a burst are suspicious
    late_modules: tuple[str, ...] = ()  # modules that only polls import
    networks: tuple[Network, ...] = ()  # networks on which its content is published, apart from the web

    @property
    def edits_always_show(self) -> bool:
        """Return whether a network's terms require that edits show at once, even of approved activities."""
        return any(network.terms.edits_replace for network in self.networks)

    @property
    def reads_again(self) -> bool:
        """Return whether entries of this kind are kept until a newer version can read them."""
        return type(self).read_again is not SourceKind.read_again

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        """Validate options and return them in stored form.

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
        """Resolve an address with one request; return None, without a request, if the address is for another kind.

        Args:
            address: as given by the user.
            context: clients, clock and settings.
            options: as returned by `parse_options`.
            headers: secret headers for requests to this host.

        Raises:
            SourceError: the address is for this kind, but can't be read; the message describes the response.
        """
        raise NotImplementedError  # every kind defines this method

    def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll sources, each failing separately, and yield each outcome when it is ready."""
        raise NotImplementedError  # every kind defines this method

    def read_again(self, raw: bytes, source: Source) -> Sequence[NewActivity]:
        """Read an entry that a former version could not read; return nothing if it still can't be read.

        Kinds whose results have `unread` entries define this method.
        """
        del raw, source
        return ()

    def archive_cost(
        self, source: Source, request: ArchiveRequest, values: Mapping[str, Any], now: datetime
    ) -> ArchiveCost | None:
        """Return what older items may cost, from the values of the kind's settings; None: nothing.

        Raises:
            BadRequestError: the source has no archive.
        """
        del source, request, values, now
        return None

    async def archive(
        self, source: Source, context: PollContext, request: ArchiveRequest
    ) -> AsyncGenerator[FetchResult]:
        """Read the archive of a source page by page, newest first; yield nothing if it has no archive.

        Raises:
            SourceError: a page can't be read.
        """
        del source, context, request
        for result in tuple[FetchResult, ...]():
            yield result

    def address_key(self, address: str) -> str | None:
        """Return the normalized form of an address; None if the address alone does not identify this kind."""
        del address
        return None

    def unfetched(self, address: str, name: str | None, private_networks: Sequence[IpNetwork]) -> Discovery:
        """Return an address as a source without a request; called if `address_key` recognized it.

        Raises:
            BadRequestError: a request is needed.
            ForbiddenAddressError: its host has a private address.
        """
        del name, private_networks
        raise BadRequestError(f"{address} must be looked up; import it without --no-fetch.")

    def export_address(self, source: Source) -> str:
        """Return the address for exports, which `discover` of another installation resolves to this source."""
        return source.address

    def web_page(self, source: Source) -> str:
        """Return the URL of a page for people, or ""."""
        return source.address if source.address.startswith(("http://", "https://")) else ""

    def credential(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return the service that it calls and the id of the credential in the settings, or None."""
        del values
        return None

    def has_fallback(self, values: Mapping[str, Any]) -> bool:
        """Return whether its sources are read from another host while their own has an outage."""
        del values
        return False

    def metered(self, values: Mapping[str, Any]) -> Metered | None:
        """Return the metered service that it calls, or None, from the values of its settings."""
        del values
        return None

    def savings(self, options: Mapping[str, Json], parts: Mapping[ActivityKind, float]) -> Sequence[Saving]:
        """Return the options that would reduce the cost of a source.

        Args:
            options: of the source.
            parts: the share of each kind of activity among its recent activities.
        """
        del options, parts
        return ()


@runtime_checkable
class BulkDiscovery(Protocol):
    """A kind of source that can resolve many addresses with one request."""

    async def discover_all(
        self, addresses: Sequence[str], context: PollContext
    ) -> Mapping[str, Discovery | SourceError]:
        """Resolve those addresses that are for this kind; omit the others.

        Raises:
            SourceError: the response was not usable.
        """
        ...


@runtime_checkable
class ProfileSource(Protocol):
    """A kind of source whose network returns profiles of accounts by their ids."""

    network: str
    most_people: int  # account ids per request
    people_kept: timedelta  # time between refreshes for followed accounts
    others_kept: timedelta  # the same for all others

    def post_id(self, text: str) -> str | None:
        """Return the id of a post from its id, its key or its URL, or None."""
        ...

    def account_id(self, text: str) -> str | None:
        """Return the id of an account from its id or its key, or None."""
        ...

    def handle(self, text: str) -> str | None:
        """Return the handle of an account from a handle or the URL of its profile, or None."""
        ...

    async def people(self, native_ids: Sequence[str], context: PollContext) -> Sequence[Actor]:
        """Fetch profiles in one request; omit accounts that no longer exist.

        Raises:
            SourceError: the response was not usable.
        """
        ...

    async def owner(self, handle: str, context: PollContext) -> str | None:
        """Return the id of the account that has a handle now, or None if it is unused.

        Raises:
            SourceError: the response was not usable.
        """
        ...


@runtime_checkable
class UsageReporter(Protocol):
    """A kind of source whose service reports its own usage count."""

    service: str

    async def counted(self, context: PollContext) -> int | None:
        """Return the number of posts that the service has counted in its cycle, or None if it does not report it.

        Raises:
            SourceError: the response was not usable.
        """
        ...


@runtime_checkable
class BalanceReporter(Protocol):
    """A kind of source whose service is prepaid and reports the balance."""

    service: str

    async def balance(self, context: PollContext) -> int | None:
        """Return the balance of the prepaid credits in micros, or None if the service does not report it.

        Raises:
            SourceError: the response was not usable.
        """
        ...
