"""The interface that each kind of source implements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aggregator.domain.billing.metering import Spending, Unmetered
from aggregator.domain.source import InProcessParser, Json, Parser, Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import timedelta

    from aggregator.domain.activity import Actor
    from aggregator.domain.errors import SourceError
    from aggregator.domain.polling.rate_limit import Clock, RateLimiter
    from aggregator.domain.polling.results import Discovery, FetchResult, PollOutcome
    from aggregator.fetching.client import Http


@dataclass(frozen=True, slots=True)
class PollContext:
    """What a kind of source gets to work with."""

    http: Http
    clock: Clock
    quiet: RateLimiter
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
    edits_always_show: bool  # its terms require that edits show at once, also those of approved activities

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

    def archive(self, source: Source, context: PollContext, pages: int) -> AsyncIterator[FetchResult]:
        """Read what a source has published longest ago, page by page, newest first; nothing where it has no archive.

        Raises:
            SourceError: a page can't be read.
        """
        ...

    def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll sources, each failing alone, and yield each outcome as it comes."""
        ...


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
class UsageReporter(Protocol):
    """A kind of source whose service says how much it has counted itself."""

    service: str

    async def counted(self, context: PollContext) -> int | None:
        """Return how many posts the service has counted in its cycle; None where it does not say.

        Raises:
            SourceError: no usable answer came.
        """
        ...
