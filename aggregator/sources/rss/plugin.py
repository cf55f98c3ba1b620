"""Define the kind of source for feeds: requests, detection of unchanged responses, and fetch state."""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from aggregator.domain.errors import UnreadableError
from aggregator.domain.polling.results import DocumentFacts, FetchResult
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR
from aggregator.domain.source_options import OptionType, SourceOption
from aggregator.fetching.request_target import display_url, host_key
from aggregator.fetching.response import validators
from aggregator.source_api.documents import DocumentKind, discovered, facts_of, moved_to
from aggregator.sources.rss.document import READER
from aggregator.sources.rss.platforms import address_of_handle
from aggregator.sources.rss.polling_hints import announced_json, announced_of, hints_of
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from aggregator.domain.polling.results import Discovery, FetchFacts, PublisherHints
    from aggregator.domain.source import Json, Parser, Source
    from aggregator.fetching.response import Response, TransferStats
    from aggregator.source_api.archive import ArchiveRequest
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.rss.document import Announced
    from aggregator.sources.rss.parse import ParsedFeed

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/rdf+xml, application/feed+json, application/xml;q=0.9, "
    "text/xml;q=0.9, application/json;q=0.8, text/html;q=0.5, */*;q=0.1"
)
BARE = 4  # multiplies the floor if responses carry no validators, since every poll then transfers a whole document
REFRESH = timedelta(days=7)  # time between unconditional requests: some servers answer "not modified" forever
PAGE_PAUSE = timedelta(minutes=1)  # between the pages of an archive
REFRESH_SPREAD = timedelta(days=1)

_OPTIONS = (
    SourceOption(
        "identity",
        OptionType.CHOICE,
        "Identity of entries",
        "What identifies an entry: heuristic (its id, or else its link or content), guid (its id only) or link.",
        choices=("layers", "guid", "link"),
        aliases={"heuristic": "layers"},
    ),
    SourceOption(
        "slow",
        OptionType.FLAG,
        "Allow 31 days between polls",
        "Whether the publisher may ask for up to 31 days between polls instead of one.",
        flag="allow-31-days",
        former_flags=("slow", "not-slow"),
    ),
    SourceOption(
        "downgrade",
        OptionType.FLAG,
        "Allow redirects from https to http",
        "Whether a redirect from https to http is followed.",
        flag="allow-http-redirect",
        former_flags=("downgrade", "no-downgrade"),
    ),
)
_LONGEST_NOTE = 1_000  # characters
_BARE = re.compile(r"(?:[^\s/@:]+\.)+[^\s/@:.]{2,}(?::\d{1,5})?(?:[/?#]\S*)?")


class RssKind(DocumentKind):
    """News feeds over HTTP."""

    name = "rss"
    label = "a feed"
    former_queue = "rss"
    any_address = True
    syndicated = True
    address_form = "a feed URL"
    options = _OPTIONS
    late_modules = ("aggregator.sources.rss.parse",)

    def web_address(self, address: str) -> str | None:
        """Return the web address in an input, or None."""
        return _web_address(address)

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        """Return the feed of an address as a source: itself, or the first one that its page leads to.

        Raises:
            SourceError: it can't be fetched or leads to no feed; the message describes the response.
        """
        url = _web_address(address)
        if url is None:
            return None
        downgrade = bool(options.get("downgrade"))

        async def request(url: str, secret: Mapping[str, str]) -> Response:
            return await context.http.get(url, accept=ACCEPT, headers=secret, downgrade=downgrade)

        async def source_at(response: Response, url: str) -> Discovery:
            async def first_poll(canonical: str, floor: timedelta) -> FetchResult:
                request = _Request(canonical, {}, options, floor, context.clock())
                return await _result(response, request, facts_of(response), context.parser)

            return await discovered(self, response, url, options, first_poll, self.fallback_slug)

        from aggregator.sources.rss.discovery import FeedSearch  # imported late: polls need no discovery

        return await FeedSearch(context, headers, request, source_at).run(url)

    async def archive(
        self, source: Source, context: PollContext, request: ArchiveRequest
    ) -> AsyncGenerator[FetchResult]:
        """Follow a feed's links to older documents (RFC 5005), one page per minute, at most `request.pages` of them.

        Raises:
            SourceError: a page can't be read, or links back to a previous one.
        """
        headers = context.unsealed(source)
        url, read = source.address, {source.address}
        for number in range(request.pages + 1):
            secret = headers if host_key(url) == source.own_host else {}
            response = await context.http.get(url, accept=ACCEPT, headers=secret)
            feed = await _read(response, "", context.parser)
            if number:
                yield FetchResult(feed.activities, source.poll.fetch_state, facts=facts_of(response))
            previous = canonical_url(feed.announced.previous or "", response.url) if feed.announced.previous else None
            if previous is None:
                return
            if previous in read:
                raise UnreadableError(
                    f"The archive of {display_url(source.address)} leads back to {display_url(previous)}."
                )
            url = previous
            read.add(url)
            await asyncio.sleep(min(PAGE_PAUSE, source.floor).total_seconds())

    async def read(self, source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
        """Poll one feed.

        Raises:
            SourceError: the response was not usable.
        """
        return await _read_source(source, context, tally)


class _Request(NamedTuple):
    """A request for a document, and the state of the last good response."""

    address: str
    known: Mapping[str, Any]  # state of the last good response
    options: Mapping[str, Json]
    floor: timedelta
    now: datetime


async def _read_source(source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
    known, started = _known(source), context.clock()
    request = _Request(source.address, known, source.options, source.floor, started)
    validators = _validators(source, known, started)
    headers = {**context.unsealed(source), **({"A-IM": "feed"} if validators else {})}
    response = await context.http.get(
        source.address,
        accept=ACCEPT,
        headers=headers,
        tally=tally,
        downgrade=bool(source.options.get("downgrade")),
        **validators,
    )
    return await _result(response, request, facts_of(response), context.parser)


def _known(source: Source) -> Mapping[str, Any]:
    """Return the state of the last good response, if it applies to the current address and parser version."""
    state = source.poll.fetch_state
    same = state.get("url") == source.address and state.get("reader") == READER
    return state if same else {}


def _validators(source: Source, known: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """Return the validators for a conditional request, or none if a full document is due."""
    whole = known.get("whole")
    spread = REFRESH_SPREAD * (source.id * 0.618 % 1)  # so that sources added together are not due together
    if whole is not None and not timedelta() <= now - datetime.fromisoformat(whole) < REFRESH + spread:
        return {}
    return {name: known[name] for name in ("etag", "modified") if known.get(name)}


async def _result(response: Response, request: _Request, facts: FetchFacts, parser: Parser) -> FetchResult:
    """Process a response: unchanged, or a document to read.

    The new state is stored together with the result. A document that can't be read leaves the old state in place, so
    that the next request fetches it in full again.
    """
    known = request.known
    if response.status == 304:  # noqa: PLR2004 - Not Modified
        return _unchanged(response, request, {**known, **validators(response)}, facts)
    delta = response.status == 226  # noqa: PLR2004 - RFC 3229: IM Used, only new entries
    digest = hashlib.sha256(response.body).hexdigest()
    state = {**validators(response), "url": request.address, "reader": READER, "whole": request.now.isoformat()}
    remembered = {name: known[name] for name in ("seen", "entries", "announced", "note") if name in known}
    if digest == known.get("body_sha256"):
        return _unchanged(response, request, {**remembered, **state, "body_sha256": digest}, facts)
    feed = await _read(response, known.get("seen", ""), parser)
    empty = not delta and not feed.entries and bool(known.get("entries"))
    if delta:
        state = {**state, **remembered, "whole": known.get("whole", state["whole"])}
    else:
        announced = announced_json(feed.announced)
        state |= {"body_sha256": digest, "seen": feed.seen, "entries": feed.entries or known.get("entries", 0)}
        state |= {"announced": announced} if announced else {}
        state |= {"note": feed.note[:_LONGEST_NOTE]} if feed.note else {}
    hints, note = _hints(response, feed.announced, request)
    suddenly = f"Suddenly empty: it had {known.get('entries')} entries before. Its items are kept." if empty else None
    return FetchResult(
        feed.activities,
        state,
        name=feed.title,
        skipped=feed.skipped,
        present=feed.present,
        entries=None if delta else feed.entries,
        document=None if delta else DocumentFacts(len(response.body), feed.built),
        hints=hints,
        moved_to=moved_to(response, request.address),
        note=" ".join(filter(None, (suddenly, feed.note, note))) or None,
        facts=facts,
    )


async def _read(response: Response, seen: str, parser: Parser) -> ParsedFeed:
    from aggregator.sources.rss.parse import normalise  # imported late: commands and unchanged feeds need no parser

    content_type, language = (response.headers.get(name, "") for name in ("Content-Type", "Content-Language"))
    try:
        return await parser.run(normalise, response.body, content_type, response.url, seen, language)
    except UnreadableError as problem:
        raise type(problem)(f"{display_url(response.url)}: {problem}") from None


def _unchanged(response: Response, request: _Request, state: Mapping[str, Any], facts: FetchFacts) -> FetchResult:
    hints, note = _hints(response, announced_of(state.get("announced")), request)
    moved = moved_to(response, request.address)
    return FetchResult(state=state, unchanged=True, hints=hints, note=note, moved_to=moved, facts=facts)


def _hints(response: Response, announced: Announced, request: _Request) -> tuple[PublisherHints, str | None]:
    validated = response.status == 304 or bool(validators(response))  # noqa: PLR2004 - as above
    floor = request.floor if validated or request.floor < DOCUMENT_FLOOR else request.floor * BARE
    return hints_of(response.headers, announced, request.now, slow=bool(request.options.get("slow")), floor=floor)


def _web_address(address: str) -> str | None:
    """Return the web address in an input, or None if it is not one."""
    address = address.strip()
    if address.lower().startswith("feed:"):
        address = address[len("feed:") :].removeprefix("//")
        address = address if re.match(r"(?i)https?://", address) else f"https://{address}"
    elif handle := address_of_handle(address):
        address = handle
    elif _BARE.fullmatch(address):
        address = f"https://{address}"
    return canonical_url(address)


KIND = RssKind()
