"""Poll documents concurrently, each failing separately, and evaluate their caching headers."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from aggregator.domain.errors import BadRequestError, ForbiddenAddressError, NoFeedError, SourceError, UnreadableError
from aggregator.domain.networks import network_at
from aggregator.domain.polling.results import Discovery, Failure, FetchFacts, PollOutcome
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR, PRIVATE_FLOOR
from aggregator.domain.source import Place
from aggregator.fetching.ip_policy import deny_reason, is_address, within
from aggregator.fetching.request_target import check_address, display_url, host_key
from aggregator.fetching.response import TransferStats
from aggregator.source_api.kind import SourceKind
from aggregator.system import tracing
from aggregator.text.urls import canonical_url, slug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from aggregator.domain.polling.results import FetchResult
    from aggregator.domain.source import Json, Source
    from aggregator.fetching.ip_policy import Network
    from aggregator.fetching.response import Response
    from aggregator.source_api.kind import PollContext

    Reading = Callable[[Source, PollContext, TransferStats], Awaitable[FetchResult]]

CONCURRENT = 32  # concurrent sources of a batch

_MOST_SECONDS = 2**31
_AGE = re.compile(r"(?:^|[,\s])(?:s-maxage|max-age)\s*=\s*\"?(-?[0-9]+)", re.IGNORECASE)
_log = structlog.get_logger(__name__)


async def side_by_side(batch: Sequence[Source], context: PollContext, read: Reading) -> AsyncIterator[PollOutcome]:
    """Poll sources and yield each outcome when it is ready; sources not started by the deadline are omitted.

    Args:
        batch: the sources.
        context: clients, clock and settings.
        read: polls one source; raises a `SourceError` if there is no usable response.
    """
    semaphore = asyncio.Semaphore(CONCURRENT)

    async def poll_one(source: Source) -> PollOutcome | None:
        async with semaphore:
            if time.monotonic() >= context.deadline:
                return None
            return PollOutcome(source.id, await _outcome(source, context, read))

    tasks = [asyncio.create_task(poll_one(source)) for source in batch]
    try:
        for finished in asyncio.as_completed(tasks):
            polled = await finished
            if polled is not None:
                yield polled
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _outcome(source: Source, context: PollContext, read: Reading) -> FetchResult | Failure:
    started, began, tally = context.clock(), time.monotonic(), TransferStats()
    try:
        with tracing.span("poll source", source=source.slug, kind=source.kind):
            return await read(source, context, tally)
    except SourceError as problem:
        error = problem
    except Exception as problem:  # noqa: BLE001 - one document must not affect the others
        _log.exception("poll failed unexpectedly", source=source.slug, address=display_url(source.address))
        error = UnreadableError(
            f"Reading {display_url(source.address)} failed unexpectedly ({type(problem).__name__}); "
            "the log has the details."
        )
    duration = timedelta(seconds=time.monotonic() - began)
    return Failure(error, FetchFacts(started, duration, tally.status, tally.wire_bytes, tally.requests))


def facts_of(response: Response) -> FetchFacts:
    """Return the HTTP facts of a poll of one document."""
    return FetchFacts(response.started, response.duration, response.status, response.wire_bytes, response.requests)


def moved_to(response: Response, address: str) -> Place | None:
    """Return the target of permanent redirects if it differs from the source's address."""
    url = canonical_url(response.permanent_url) if response.permanent_url else None
    if url is None or url == address or network_at(urlsplit(url).hostname or ""):
        return None  # the pages of a network with an API are not read as web pages
    return Place(url, host_key(url))


async def discovered(
    kind: SourceKind,
    response: Response,
    url: str,
    options: Mapping[str, Json],
    read: Callable[[str, timedelta], Awaitable[FetchResult]],
    default_slug: str,
) -> Discovery:
    """Return a fetched document as a source, named by its title or else by its host.

    Args:
        kind: of source.
        response: the document.
        url: its requested URL.
        options: as given by the user.
        read: parses the document, from its canonical address and the least time between polls.
        default_slug: the slug if neither name nor host gives one.
    """
    address = canonical_url(response.permanent_url or url) or url
    if network := network_at(urlsplit(response.url).hostname or ""):
        raise NoFeedError(f"{display_url(url)} leads to a page of {network.label}, which is not read as a web page.")
    floor = PRIVATE_FLOOR if response.private else DOCUMENT_FLOOR
    result = await read(address, floor)
    name = result.name or host_key(address).rpartition(":")[0]
    return _discovery(kind.name, address, name, floor, default_slug, options, result)


def _discovery(
    kind: str,
    address: str,
    name: str,
    floor: timedelta,
    default_slug: str,
    options: Mapping[str, Json] | None = None,
    result: FetchResult | None = None,
) -> Discovery:
    host = host_key(address)
    return Discovery(
        kind=kind,
        address=address,
        host=host,
        name=name,
        slug=slug(name) or slug(host.rpartition(":")[0]) or default_slug,
        every=None,
        floor=floor,
        options=options or {},
        first_result=result,
    )


class DocumentKind(SourceKind):
    """A kind of source with one document per source, at a web address. Subclasses define `read`."""

    fallback_slug = "feed"  # slug if neither name nor host gives one

    def web_address(self, address: str) -> str | None:
        """Return the canonical web address of an input, or None if the input is for another kind."""
        raise NotImplementedError  # every kind defines this method

    async def read(self, source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
        """Poll one source.

        Raises:
            SourceError: the response was not usable.
        """
        raise NotImplementedError  # every kind defines this method

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll documents concurrently, each failing separately; sources not started by the deadline are omitted."""
        async for outcome in side_by_side(batch, context, self.read):
            yield outcome

    def address_key(self, address: str) -> str | None:
        """Return the canonical web address."""
        return self.web_address(address)

    def unfetched(self, address: str, name: str | None, private_networks: Sequence[Network]) -> Discovery:
        """Return an address as a source, without a request.

        Raises:
            BadRequestError: it is not a web address.
            ForbiddenAddressError: its host has a private address.
        """
        url = self.web_address(address)
        if url is None:
            raise BadRequestError(f"{display_url(address)!r} isn't a web address (https://...).")
        check_address(url, ForbiddenAddressError)
        host = urlsplit(url).hostname or ""
        if is_address(host) and (why := deny_reason(host, private_networks)) is not None:
            raise ForbiddenAddressError(
                f"{display_url(url)} leads to {host} ({why}), from which nothing is fetched. "
                "If this is intended, add the address to AGGREGATOR_PRIVATE_NETWORKS."
            )
        floor = PRIVATE_FLOOR if within(host, private_networks) else DOCUMENT_FLOOR
        return _discovery(self.name, url, name or host, floor, self.fallback_slug)


def freshness(headers: Mapping[str, str], now: datetime) -> Iterator[tuple[timedelta, str]]:
    """Return the freshness lifetimes of a response, each with the header it is from.

    Headers that forbid caching ("no-store") do not shorten the interval.
    """
    ages = [_seconds(found[1]) for found in _AGE.finditer(_header(headers, "cache-control"))]
    if ages:
        spent = _seconds(_header(headers, "age").strip())
        yield timedelta(seconds=max(max(ages) - spent, 0)), "max-age"
    elif expires := _date(_header(headers, "expires")):
        yield max(expires - (_date(_header(headers, "date")) or now), timedelta()), "Expires"


def _header(headers: Mapping[str, str], name: str) -> str:
    """Return a header, regardless of case; repeated headers are joined to a list."""
    return ", ".join(value for other, value in headers.items() if other.lower() == name)


def _seconds(digits: str) -> int:
    """Parse whole seconds; invalid values count as 0, too large ones as the maximum of RFC 9111."""
    return min(int(digits[:11]), _MOST_SECONDS) if digits.isascii() and digits.isdigit() else 0


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
