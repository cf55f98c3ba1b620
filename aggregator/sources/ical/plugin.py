"""Define the kind of source for calendars: conditional requests, and the window of time."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.domain.errors import UnreadableError
from aggregator.domain.polling.results import FetchResult, PublisherHints
from aggregator.domain.source_options import OptionType, SourceOption
from aggregator.fetching.request_target import display_url
from aggregator.fetching.response import validators
from aggregator.source_api.documents import DocumentKind, discovered, facts_of, freshness, moved_to
from aggregator.sources.ical.window import READER, Window
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.polling.results import Discovery
    from aggregator.domain.source import Json, Parser, Source
    from aggregator.fetching.response import Response, TransferStats
    from aggregator.source_api.kind import PollContext

ACCEPT = "text/calendar, */*;q=0.1"
LONGEST = timedelta(days=1)  # longest interval that a calendar may request
PAST, AHEAD = timedelta(days=30), timedelta(days=365)
_MOST_DAYS = 3650
_WINDOW_UPDATE = timedelta(days=1)  # interval between updates of the window of recurring events
_FULL_EVERY = timedelta(days=7)  # time between unconditional requests: some servers answer "not modified" forever
_WEBCAL = re.compile(r"(?i)^webcals?:")
_NAMED = re.compile(r"(?i)(?:webcals?://\S+|https?://[^\s?#]+\.ics(?:[?#]\S*)?)")
_NOT_MODIFIED = 304


def _zone_name(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError from None


_OPTIONS = (
    SourceOption(
        "timezone",
        OptionType.TEXT,
        "Time zone",
        "Time zone of times without one, if the calendar names none, such as Europe/Madrid.",
        expected="a name of the tz database, such as Europe/Madrid",
        check=_zone_name,
    ),
    SourceOption("past", OptionType.WHOLE, "Days back", "Days in the past whose events are read.", most=_MOST_DAYS),
    SourceOption("ahead", OptionType.WHOLE, "Days ahead", "Days ahead whose events are read.", most=_MOST_DAYS),
)


class CalendarKind(DocumentKind):
    """Calendars over HTTP."""

    name = "calendar"
    label = "a calendar"
    eagerness = 0.5  # calendars seldom change
    address_form = "a calendar URL"
    fallback_slug = "calendar"
    options = _OPTIONS

    def web_address(self, address: str) -> str | None:
        """Return the web address of a calendar: webcal:, or a path that ends in .ics."""
        address = address.strip()
        return canonical_url(_WEBCAL.sub("https:", address)) if _NAMED.fullmatch(address) else None

    def export_address(self, source: Source) -> str:
        """Return an address in a form that identifies it as a calendar."""
        address = source.address
        return address if _NAMED.fullmatch(address) else re.sub(r"(?i)^https?:", "webcal:", address)

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        """Fetch a calendar's address (webcal:, or a path that ends in .ics); return None for any other address.

        Raises:
            SourceError: it can't be fetched, or is not a calendar; the message describes the response.
        """
        url = self.web_address(address)
        if url is None:
            return None
        response = await context.http.get(url, accept=ACCEPT, headers=headers)
        parsed = self.parse_options(options)

        async def first_poll(canonical: str, floor: timedelta) -> FetchResult:
            return await _result(response, canonical, {}, parsed, floor, context.clock(), context.parser)

        return await discovered(self, response, url, parsed, first_poll, self.fallback_slug)

    async def read(self, source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
        """Poll one calendar.

        Raises:
            SourceError: the response was not usable.
        """
        return await _read_source(source, context, tally)


async def _read_source(source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
    now, state = context.clock(), source.poll.fetch_state
    same = state.get("url") == source.address and state.get("reader") == READER
    known: Mapping[str, Any] = state if same else {}
    conditions = (
        {}
        if _needs_full_response(known, now)
        else {name: known[name] for name in ("etag", "modified") if known.get(name)}
    )
    response = await context.http.get(
        source.address, accept=ACCEPT, headers=context.unsealed(source), tally=tally, **conditions
    )
    return await _result(response, source.address, known, source.options, source.floor, now, context.parser)


def _needs_full_response(known: Mapping[str, Any], now: datetime) -> bool:
    """Return whether to fetch the full document even if unchanged: the window moved, or the last fetch is long ago."""
    whole = known.get("whole")
    if whole is None:
        return True
    age = now - datetime.fromisoformat(whole)  # negative after a wrong clock
    return not timedelta() <= age < (_WINDOW_UPDATE if known.get("repeats") else _FULL_EVERY)


async def _result(
    response: Response,
    address: str,
    known: Mapping[str, Any],
    options: Mapping[str, Json],
    floor: timedelta,
    now: datetime,
    parser: Parser,
) -> FetchResult:
    moved = moved_to(response, address)
    digest = hashlib.sha256(response.body).hexdigest()
    state = {**validators(response), "url": address, "reader": READER, "body_sha256": digest}
    unchanged: Mapping[str, Any] | None = None  # the new state of a calendar that need not be read
    if response.status == _NOT_MODIFIED:
        unchanged = {**known, **validators(response)}
    elif digest == known.get("body_sha256") and not _needs_full_response(known, now):
        unchanged = {**state, **{name: known[name] for name in ("whole", "repeats", "refresh") if name in known}}
    if unchanged is not None:
        hints = _hints(response, known.get("refresh"), floor, now)
        return FetchResult(state=unchanged, unchanged=True, hints=hints, moved_to=moved, facts=facts_of(response))
    from aggregator.sources.ical.normalise import read  # imported late: commands and unchanged calendars need no parser

    window = Window(now - _days(options, "past", PAST), now + _days(options, "ahead", AHEAD), now)
    try:
        calendar = await parser.run(read, response.body, window, _zone(options), address)
    except UnreadableError as problem:
        raise type(problem)(f"{display_url(response.url)}: {problem}") from None
    state |= {"whole": now.isoformat(), "repeats": calendar.repeats}
    if calendar.refresh is not None:
        state["refresh"] = calendar.refresh.total_seconds()
    return FetchResult(
        calendar.activities,
        state,
        name=calendar.name,
        entries=len(calendar.activities),
        hints=_hints(response, state.get("refresh"), floor, now),
        moved_to=moved,
        note=" ".join(calendar.notes) or None,
        facts=facts_of(response),
    )


def _hints(response: Response, refresh: object, floor: timedelta, now: datetime) -> PublisherHints:
    spans = list(freshness(response.headers, now))
    if isinstance(refresh, int | float) and refresh > 0:
        spans.append((timedelta(seconds=min(float(refresh), LONGEST.total_seconds())), "REFRESH-INTERVAL"))
    span, why = max(spans, key=lambda pair: pair[0], default=(timedelta(), ""))
    return PublisherHints(floor=floor, at_least=min(span, LONGEST), why=why)


def _days(options: Mapping[str, Json], name: str, usual: timedelta) -> timedelta:
    return timedelta(days=options[name]) if name in options else usual


def _zone(options: Mapping[str, Json]) -> tzinfo:
    return ZoneInfo(options["timezone"]) if "timezone" in options else UTC


KIND = CalendarKind()
