"""Polling many documents side by side, each failing alone; and what the headers of an answer ask of polling."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from aggregator.domain.errors import BadRequestError, ForbiddenAddressError, SourceError, UnreadableError
from aggregator.domain.polling.results import Discovery, Failure, FetchFacts, PollOutcome
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR, PRIVATE_FLOOR
from aggregator.domain.source import Place
from aggregator.fetching.ip_policy import deny_reason, is_address, within
from aggregator.fetching.request_target import check_address, display_url, host_key
from aggregator.fetching.response import TransferStats
from aggregator.source_api.kind import SourceKind
from aggregator.text.urls import canonical_url, slug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from aggregator.domain.polling.results import FetchResult
    from aggregator.domain.source import Json, Source
    from aggregator.fetching.ip_policy import Network
    from aggregator.fetching.response import Response
    from aggregator.source_api.kind import PollContext

    Reading = Callable[[Source, PollContext, TransferStats], Awaitable[FetchResult]]

CONCURRENT = 32  # sources of one batch at a time

_MOST_SECONDS = 2**31
_AGE = re.compile(r"(?:^|[,\s])(?:s-maxage|max-age)\s*=\s*\"?(-?[0-9]+)", re.IGNORECASE)
_log = structlog.get_logger(__name__)


async def side_by_side(batch: Sequence[Source], context: PollContext, read: Reading) -> AsyncIterator[PollOutcome]:
    """Poll sources, and yield each outcome as it comes; those not begun by the deadline are left out.

    Args:
        batch: the sources.
        context: what to work with.
        read: polls one of them; raises a `SourceError` where that brings nothing.
    """
    gate = asyncio.Semaphore(CONCURRENT)

    async def one(source: Source) -> PollOutcome | None:
        async with gate:
            if time.monotonic() >= context.deadline:
                return None
            return PollOutcome(source.id, await _outcome(source, context, read))

    tasks = [asyncio.create_task(one(source)) for source in batch]
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
        return await read(source, context, tally)
    except SourceError as problem:
        error = problem
    except Exception as problem:  # noqa: BLE001 - whatever one document does to us must not reach the others
        _log.exception("poll failed unexpectedly", source=source.slug, address=display_url(source.address))
        error = UnreadableError(
            f"Reading {display_url(source.address)} failed unexpectedly ({type(problem).__name__}); "
            "the log has the details."
        )
    duration = timedelta(seconds=time.monotonic() - began)
    return Failure(error, FetchFacts(started, duration, tally.status, tally.wire_bytes, tally.requests))


def facts_of(response: Response) -> FetchFacts:
    """Return how a poll of one document went on the wire."""
    return FetchFacts(response.started, response.duration, response.status, response.wire_bytes, response.requests)


def moved_to(response: Response, address: str) -> Place | None:
    """Return where permanent redirects led, if that is another address than the one that is asked."""
    url = canonical_url(response.permanent_url) if response.permanent_url else None
    return Place(url, host_key(url)) if url and url != address else None


async def discovered(
    kind: SourceKind,
    response: Response,
    url: str,
    options: Mapping[str, Json],
    read: Callable[[str, timedelta], Awaitable[FetchResult]],
    otherwise: str,
) -> Discovery:
    """Return a fetched document as a source, named as it calls itself, else by its host.

    Args:
        kind: of source.
        response: the document.
        url: its address, as it was requested.
        options: as people set them.
        read: reads the document, given its canonical address and the least time between polls.
        otherwise: its slug if neither name nor host makes one.
    """
    address = canonical_url(response.permanent_url or url) or url
    floor = PRIVATE_FLOOR if response.private else DOCUMENT_FLOOR
    result = await read(address, floor)
    name = result.name or host_key(address).rpartition(":")[0]
    return _discovery(kind.name, address, name, floor, otherwise, options, result)


def _discovery(
    kind: str,
    address: str,
    name: str,
    floor: timedelta,
    otherwise: str,
    options: Mapping[str, Json] | None = None,
    result: FetchResult | None = None,
) -> Discovery:
    host = host_key(address)
    return Discovery(
        kind=kind,
        address=address,
        host=host,
        name=name,
        slug=slug(name) or slug(host.rpartition(":")[0]) or otherwise,
        every=None,
        floor=floor,
        options=options or {},
        harvest=result,
    )


class DocumentKind(SourceKind):
    """A kind of source whose sources are one document each, at a web address. Subclasses define `read`."""

    fallback_slug = "feed"  # of a source whose name and host make none

    def web_address(self, address: str) -> str | None:
        """Return the canonical web address behind an address that a person gave; None if it is for another kind."""
        raise NotImplementedError

    async def read(self, source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
        """Poll one source.

        Raises:
            SourceError: nothing usable was returned.
        """
        raise NotImplementedError

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll documents side by side, each failing alone; those not begun by the deadline are left out."""
        async for outcome in side_by_side(batch, context, self.read):
            yield outcome

    def address_key(self, address: str) -> str | None:
        """Return the canonical web address."""
        return self.web_address(address)

    def unfetched(self, address: str, name: str | None, private_networks: Sequence[Network]) -> Discovery:
        """Return an address as a source, without a request.

        Raises:
            BadRequestError: it is not a web address.
            ForbiddenAddressError: it leads into a private network.
        """
        url = self.web_address(address)
        if url is None:
            raise BadRequestError(f"{display_url(address)!r} isn't a web address (https://...).")
        check_address(url, ForbiddenAddressError)
        host = urlsplit(url).hostname or ""
        if is_address(host) and (why := deny_reason(host, private_networks)) is not None:
            raise ForbiddenAddressError(
                f"{display_url(url)} leads to {host} ({why}), where we do not fetch from. "
                "If it is meant, add the address to AGGREGATOR_PRIVATE_NETWORKS."
            )
        floor = PRIVATE_FLOOR if within(host, private_networks) else DOCUMENT_FLOOR
        return _discovery(self.name, url, name or host, floor, self.fallback_slug)


def freshness(headers: Mapping[str, str], now: datetime) -> Iterator[tuple[timedelta, str]]:
    """Give how long an answer stays fresh, and what says so.

    What says less than nothing ("no-store") makes us no faster.
    """
    ages = [_seconds(found[1]) for found in _AGE.finditer(_header(headers, "cache-control"))]
    if ages:
        spent = _seconds(_header(headers, "age").strip())
        yield timedelta(seconds=max(max(ages) - spent, 0)), "max-age"
    elif expires := _date(_header(headers, "expires")):
        yield max(expires - (_date(_header(headers, "date")) or now), timedelta()), "Expires"


def _header(headers: Mapping[str, str], name: str) -> str:
    """Return a header, however its name is spelled; what was sent in several lines is one list."""
    return ", ".join(value for other, value in headers.items() if other.lower() == name)


def _seconds(digits: str) -> int:
    """Read whole seconds; nothing sensible counts as 0, what no clock can hold as the most that RFC 9111 knows."""
    return min(int(digits[:11]), _MOST_SECONDS) if digits.isascii() and digits.isdigit() else 0


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
