"""The feed source: what is asked of publishers, when an answer counts as unchanged, and what is remembered of it."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.errors import BadRequestError, SourceError, UnreadableError
from aggregator.fetch import Tally, host_key, shown, validators
from aggregator.source import Discovery, Failure, FetchFacts, Harvest, Polled
from aggregator.sources.rss import sniff
from aggregator.sources.rss.normalise import READER, normalise
from aggregator.text import canonical_url, slug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aggregator.fetch import Response
    from aggregator.source import Json, PollContext, Source

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/rdf+xml, application/feed+json, application/xml;q=0.9, "
    "text/xml;q=0.9, application/json;q=0.8, text/html;q=0.5, */*;q=0.1"
)
EVERY = timedelta(minutes=15)
PRIVATE_FLOOR = timedelta(seconds=1)  # on hosts that the operator opened, nobody else's patience is at stake
CONCURRENT = 16  # sources of one batch at a time

_BARE = re.compile(r"(?:[^\s/@:]+\.)+[^\s/@:.]{2,}(?::\d{1,5})?(?:[/?#]\S*)?")
_log = structlog.get_logger(__name__)


class RssKind:
    """News feeds over HTTP."""

    name = "rss"
    queue = "rss"
    any_address = True

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        """Check options; feeds have none.

        Raises:
            BadRequestError: an option was given.
        """
        if options:
            raise BadRequestError(f"A feed has no option {', '.join(map(repr, sorted(options)))}; it has none at all.")
        return {}

    async def discover(self, address: str, context: PollContext) -> Discovery | None:
        """Fetch an address once and say whether it is a feed, or a page that announces one (fetched in turn).

        Raises:
            SourceError: it can't be fetched, or is neither; the sentence says what was seen.
        """
        url = _web_address(address)
        if url is None:
            return None
        response = await context.http.get(url, accept=ACCEPT)
        if sniff.is_html(response.body):
            links = sniff.feed_links(response.body, response.url)
            if not links:
                page = sniff.seen(response.body, "")
                raise UnreadableError(
                    f"{shown(response.url)} is {page} without a feed link. Give the address of a feed."
                )
            url = links[0]
            response = await context.http.get(url, accept=ACCEPT)
        canonical = canonical_url(response.permanent_url or url) or url
        harvest = await _harvest(response, canonical, {}, _facts(response))
        host = host_key(canonical)
        name = harvest.name or host.rpartition(":")[0]
        return Discovery(
            kind=self.name,
            address=canonical,
            host=host,
            name=name,
            slug=slug(name) or slug(host.rpartition(":")[0]) or "feed",
            every=EVERY,
            floor=PRIVATE_FLOOR if response.private else EVERY,
            harvest=harvest,
        )

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[Polled]:
        """Poll feeds side by side, each failing alone; those not begun by the deadline are left out."""
        gate = asyncio.Semaphore(CONCURRENT)

        async def one(source: Source) -> Polled | None:
            async with gate:
                if time.monotonic() >= context.deadline:
                    return None
                return Polled(source.id, await _outcome(source, context))

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


async def _outcome(source: Source, context: PollContext) -> Harvest | Failure:
    started, began, tally = context.clock(), time.monotonic(), Tally()
    try:
        known = _known(source)
        response = await context.http.get(
            source.address, accept=ACCEPT, etag=known.get("etag"), modified=known.get("modified"), tally=tally
        )
        return await _harvest(response, source.address, known, _facts(response))
    except SourceError as problem:
        error = problem
    except Exception as problem:  # noqa: BLE001 - whatever one document does to us must not reach the others
        _log.exception("feed poll failed unexpectedly", source=source.slug, address=shown(source.address))
        error = UnreadableError(
            f"Reading {shown(source.address)} failed in a way that we did not foresee ({type(problem).__name__}); "
            "the log has the details."
        )
    duration = timedelta(seconds=time.monotonic() - began)
    return Failure(error, FetchFacts(started, duration, tally.status, tally.wire_bytes, tally.requests))


def _known(source: Source) -> dict[str, Any]:
    """Return what is remembered of the last good answer, if it still speaks of this address and this reader."""
    state = source.fetch_state
    same = state.get("url") == source.address and state.get("reader") == READER
    return dict(state) if same else {}


async def _harvest(response: Response, address: str, known: Mapping[str, Any], facts: FetchFacts) -> Harvest:
    """Judge an answer: the same as before, or a document to read.

    The new state is stored together with what this returns; an answer that can't be read leaves the old one in place,
    so that a broken document is asked for again in full.
    """
    if response.status == 304:  # noqa: PLR2004 - everybody knows it by its number
        return Harvest(state={**known, **validators(response)}, unchanged=True, facts=facts)
    digest = hashlib.sha256(response.body).hexdigest()
    state = {**validators(response), "body_sha256": digest, "url": address, "reader": READER}
    if digest == known.get("body_sha256"):
        return Harvest(state=state, unchanged=True, facts=facts)
    content_type = response.headers.get("Content-Type", "")
    try:
        feed = await asyncio.to_thread(normalise, response.body, content_type, response.url)
    except UnreadableError as problem:
        raise UnreadableError(f"{shown(response.url)}: {problem}") from None
    return Harvest(feed.activities, state, name=feed.title, note=feed.note, facts=facts)


def _facts(response: Response) -> FetchFacts:
    return FetchFacts(response.started, response.duration, response.status, response.wire_bytes, response.requests)


def _web_address(address: str) -> str | None:
    """Return the web address that people mean, or None where it is none."""
    address = address.strip()
    if address.lower().startswith("feed:"):
        address = address[len("feed:") :].removeprefix("//")
        address = address if re.match(r"(?i)https?://", address) else f"https://{address}"
    elif _BARE.fullmatch(address):
        address = f"https://{address}"
    return canonical_url(address)


KIND = RssKind()
