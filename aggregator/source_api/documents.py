"""Polling many documents side by side, each failing alone; and what the headers of an answer ask of polling."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.errors import SourceError, UnreadableError
from aggregator.domain.polling.results import Discovery, Failure, FetchFacts, PollOutcome
from aggregator.domain.source import Place
from aggregator.fetching.request_target import display_url, host_key
from aggregator.fetching.response import TransferStats
from aggregator.text.urls import canonical_url, slug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from aggregator.domain.polling.results import FetchResult
    from aggregator.domain.source import Json, Source
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


def discovered(
    kind: str, address: str, floor: timedelta, options: Mapping[str, Json], harvest: FetchResult, otherwise: str
) -> Discovery:
    """Return what an address turned out to be, named as it calls itself, else by its host.

    Args:
        kind: of source.
        address: canonical.
        floor: the least time between polls.
        options: as people set them.
        harvest: what looking at it brought already.
        otherwise: its slug where neither name nor host makes one.
    """
    host = host_key(address)
    place = host.rpartition(":")[0]
    name = harvest.name or place
    return Discovery(
        kind=kind,
        address=address,
        host=host,
        name=name,
        slug=slug(name) or slug(place) or otherwise,
        every=None,
        floor=floor,
        options=options,
        harvest=harvest,
    )


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
