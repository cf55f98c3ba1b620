"""The calendar source: what is asked of publishers, and how the window of what is told moves on."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.domain.errors import BadRequestError, UnreadableError
from aggregator.domain.polling.results import FetchResult, PublisherHints
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR, PRIVATE_FLOOR
from aggregator.fetching.request_target import display_url
from aggregator.fetching.response import validators
from aggregator.source_api.documents import (
    discovered,
    facts_of,
    freshness,
    moved_to,
    side_by_side,
)
from aggregator.sources.ical.expansion import Window
from aggregator.sources.ical.normalise import READER, read
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aggregator.domain.polling.results import Discovery, PollOutcome
    from aggregator.domain.source import Json, Parser, Source
    from aggregator.fetching.response import Response, TransferStats
    from aggregator.source_api.kind import PollContext

ACCEPT = "text/calendar, */*;q=0.1"
LONGEST = timedelta(days=1)  # that a calendar may ask to be left alone
PAST, AHEAD = timedelta(days=30), timedelta(days=365)
_MOST_DAYS = 3650
_MOVES_EVERY = timedelta(days=1)  # the window of what repeats
_WHOLE = timedelta(days=7)  # after which a whole document is asked for: some servers say "not modified" for ever
_NAMED = re.compile(r"(?i)(?:webcals?://\S+|https?://[^\s?#]+\.ics(?:[?#]\S*)?)")
_NOT_MODIFIED = 304


class CalendarKind:
    """Calendars over HTTP."""

    name = "calendar"
    queue = "rss"  # they are documents on the web, as feeds are
    any_address = False
    eagerness = 0.5  # what is planned changes seldom
    per_host: int | None = None
    edits_always_show = False

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        """Check options.

        `timezone`: of times that name none, where the calendar names none. `past` and `ahead`: days that are told.

        Raises:
            BadRequestError: an option is unknown or its value can't be used.
        """
        known = {"timezone", "past", "ahead"}
        unknown = sorted(set(options) - known)
        if unknown:
            raise BadRequestError(
                f"A calendar has no option {', '.join(map(repr, unknown))}; it has {', '.join(sorted(known))}."
            )
        for name in ("past", "ahead"):
            days = options.get(name, 1)
            if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= _MOST_DAYS:
                raise BadRequestError(
                    f"The option {name!r} of a calendar can't be {days!r}; it is days, 0 to {_MOST_DAYS}."
                )
        _zone(options)
        return dict(options)

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        """Fetch an address that names a calendar (webcal:, or a path that ends in .ics); others are not for this kind.

        Raises:
            SourceError: it can't be fetched, or is no calendar; the sentence says what was seen.
        """
        if not _NAMED.fullmatch(address.strip()):
            return None
        url = canonical_url(re.sub(r"(?i)^webcals?:", "https:", address.strip()))
        if url is None:
            return None
        response = await context.http.get(url, accept=ACCEPT, headers=headers)
        canonical = canonical_url(response.permanent_url or url) or url
        floor = PRIVATE_FLOOR if response.private else DOCUMENT_FLOOR
        options = self.parse_options(options)
        harvest = await _harvest(response, canonical, {}, options, floor, context.clock(), context.parser)
        return discovered(self.name, canonical, floor, options, harvest, "calendar")

    async def archive(self, source: Source, context: PollContext, pages: int) -> AsyncIterator[FetchResult]:
        """Give nothing: a calendar is one document."""
        del source, context, pages
        nothing: Sequence[FetchResult] = ()
        for one in nothing:
            yield one

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll calendars side by side, each failing alone; those not begun by the deadline are left out."""
        async for polled in side_by_side(batch, context, _read_source):
            yield polled


async def _read_source(source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
    now, state = context.clock(), source.poll.fetch_state
    same = state.get("url") == source.address and state.get("reader") == READER
    known: Mapping[str, Any] = state if same else {}
    conditions = {} if _moves(known, now) else {name: known[name] for name in ("etag", "modified") if known.get(name)}
    response = await context.http.get(
        source.address, accept=ACCEPT, headers=context.unsealed(source), tally=tally, **conditions
    )
    return await _harvest(response, source.address, known, source.options, source.floor, now, context.parser)


def _moves(known: Mapping[str, Any], now: datetime) -> bool:
    """Say whether the document is wanted though it may not have changed: the window moved on, or it is long ago."""
    whole = known.get("whole")
    if whole is None:
        return True
    age = now - datetime.fromisoformat(whole)  # less than nothing after a clock was ahead
    return not timedelta() <= age < (_MOVES_EVERY if known.get("repeats") else _WHOLE)


async def _harvest(
    response: Response,
    address: str,
    known: Mapping[str, Any],
    options: Mapping[str, Json],
    floor: timedelta,
    now: datetime,
    parser: Parser,
) -> FetchResult:
    moved = moved_to(response, address)
    if response.status == _NOT_MODIFIED:
        state = {**known, **validators(response)}
        wishes = _wishes(response, known.get("refresh"), floor, now)
        return FetchResult(state=state, unchanged=True, wishes=wishes, moved_to=moved, facts=facts_of(response))
    digest = hashlib.sha256(response.body).hexdigest()
    same = digest == known.get("body_sha256") and not _moves(known, now)
    state = {**validators(response), "url": address, "reader": READER, "body_sha256": digest}
    if same:
        kept = {name: known[name] for name in ("whole", "repeats", "refresh") if name in known}
        wishes = _wishes(response, known.get("refresh"), floor, now)
        return FetchResult(
            state={**state, **kept}, unchanged=True, wishes=wishes, moved_to=moved, facts=facts_of(response)
        )
    window = Window(now - _days(options, "past", PAST), now + _days(options, "ahead", AHEAD), now)
    try:
        said = await parser.run(read, response.body, window, _zone(options), address)
    except UnreadableError as problem:
        raise type(problem)(f"{display_url(response.url)}: {problem}") from None
    state |= {"whole": now.isoformat(), "repeats": said.repeats}
    if said.refresh is not None:
        state["refresh"] = said.refresh.total_seconds()
    return FetchResult(
        said.activities,
        state,
        name=said.name,
        entries=len(said.activities),
        wishes=_wishes(response, state.get("refresh"), floor, now),
        moved_to=moved,
        note=" ".join(said.notes) or None,
        facts=facts_of(response),
    )


def _wishes(response: Response, refresh: object, floor: timedelta, now: datetime) -> PublisherHints:
    asked = list(freshness(response.headers, now))
    if isinstance(refresh, int | float) and refresh > 0:
        asked.append((timedelta(seconds=min(float(refresh), LONGEST.total_seconds())), "REFRESH-INTERVAL"))
    span, why = max(asked, key=lambda one: one[0], default=(timedelta(), ""))
    return PublisherHints(floor=floor, at_least=min(span, LONGEST), why=why)


def _days(options: Mapping[str, Json], name: str, usual: timedelta) -> timedelta:
    return timedelta(days=options[name]) if name in options else usual


def _zone(options: Mapping[str, Json]) -> Any:  # noqa: ANN401 - a tzinfo
    name = options.get("timezone")
    if name is None:
        return UTC
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRequestError(
            f"The option 'timezone' of a calendar can't be {name!r}; it is a name such as Europe/Madrid."
        ) from None


KIND = CalendarKind()
