"""Serve the stream as feeds with paging and archives."""

# Annotations are evaluated: FastAPI reads them when the routes are added.
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypedDict

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from aggregator.domain.errors import BadCursorError, BadRequestError
from aggregator.domain.matching.repost_grouping import REACH
from aggregator.domain.stream import MOST, Cursor, Order
from aggregator.reader import archive, feed_stories, ical_feed
from aggregator.reader.errors import GoneError
from aggregator.reader.feed_params import FEED
from aggregator.reader.feed_stories import Entries
from aggregator.reader.feeds import activitystreams, atom, jsonfeed, rss
from aggregator.reader.feeds.feed import Feed, Terms, newest
from aggregator.reader.filter_menu import Names, filter_labels
from aggregator.reader.known_filters import refuse_unknown
from aggregator.reader.languages import spoken_portal
from aggregator.reader.lookup import shown
from aggregator.reader.openapi import REFUSED_FILTERS, problem_responses
from aggregator.reader.query_params import (
    FILTERS,
    given,
    query_of,
    query_string,
)
from aggregator.web.cache_control import FRESH, headers_for
from aggregator.web.responses import answer
from aggregator.web.translation import current_language, gettext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.activity import Activity
    from aggregator.domain.clock import Clock
    from aggregator.domain.stream import Query
    from aggregator.reader.authentication import Authenticator
    from aggregator.reader.rate_limits import Admission
    from aggregator.reader.visibility import Audience
    from aggregator.web.pages import Pages
    from storage.store import Store, Transaction

_AT_ONCE = 64  # entries read at once to find a boundary
_MOST_LOOKS = 10
_NOWHERE = {"cursor": None, "archive": None, "page": None}
_REFUSED = (*REFUSED_FILTERS, "too-many-requests")


@dataclass(frozen=True, slots=True)
class Format:
    """A feed format."""

    extension: str
    name: str
    media_type: str
    shape: str  # its JSON Schema type
    render: Callable[[Feed], bytes]


FORMATS = (
    Format("atom", "Atom", atom.MEDIA_TYPE, "string", atom.render),
    Format("rss", "RSS 2.0", rss.MEDIA_TYPE, "string", rss.render),
    Format("json", "JSON Feed 1.1", jsonfeed.MEDIA_TYPE, "object", jsonfeed.render),
    Format("as2", "ActivityStreams 2.0", activitystreams.MEDIA_TYPE, "object", activitystreams.render),
)


class Feeds:
    """The feeds of one store."""

    def __init__(
        self,
        store: "Store",
        callers: "Authenticator",
        admission: "Admission",
        *,
        public_url: str | None,
        prefix: str,
        pages: "Pages",
        configuration: "Configuration",
        clock: "Clock",
    ) -> None:
        self._store = store
        self._callers = callers
        self._admission = admission
        self._public_url = public_url
        self._prefix = prefix
        self._pages = pages
        self._configuration = configuration
        self._clock = clock

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        for format_ in FORMATS:
            app.add_api_route(
                f"/feed.{format_.extension}",
                self._endpoint(format_),
                operation_id=f"feed{format_.extension.capitalize()}",
                summary=f"Feed in {format_.name}",
                description="Accepts all filters. Items of one story are merged, as on the page.",
                tags=["feeds"],
                response_class=Response,
                responses=_responses("The feed", format_.media_type, format_.shape, "bad-limit", "bad-cursor"),
                openapi_extra={"parameters": [parameter.documented() for parameter in FEED]},
            )
        app.add_api_route(
            "/events.ics",
            self.events,
            operation_id="calendar",
            summary="Events calendar",
            description="An iCalendar feed of upcoming events and those of the last 30 days.",
            tags=["feeds"],
            response_class=Response,
            responses=_responses("The calendar", ical_feed.MEDIA_TYPE, "string"),
            openapi_extra={"parameters": [parameter.documented() for parameter in FILTERS]},
        )
        app.add_api_route("/activities/{activity_id}.as2", self.activity, include_in_schema=False)

    def _endpoint(self, written: Format) -> Callable[[Request], Response]:
        def feed(request: Request) -> Response:
            return self._answer(request, written)

        return feed

    def activity(self, request: Request, activity_id: str) -> Response:
        """Return one activity as ActivityStreams."""
        caller = self._callers.caller_of(request)
        with self._store.reading() as tx:
            authority = tx.stream.state.tag_authority()
        terms = Terms(authority, caller.audience, self._base(request), self._pages.dates, self._clock())
        headers = headers_for(caller.token, FRESH)
        try:
            item = shown(self._store, activity_id)
        except GoneError:
            body = activitystreams.tombstone(terms.page_of(int(activity_id)))
            return Response(body, HTTPStatus.GONE, headers, activitystreams.MEDIA_TYPE)
        made = answer(request, activitystreams.one(item, terms), activitystreams.MEDIA_TYPE)
        made.headers.update(headers)
        return made

    def events(self, request: Request) -> Response:
        """Return a calendar."""
        values = given(request.scope["query_string"], FILTERS)
        query = query_of(values, self._configuration.vocabulary.cohorts)
        since = query.since or self._clock() - ical_feed.PAST
        query = replace(query, order=Order.EVENT, since=since, stitch=False, limit=MOST)
        caller, counted = self._admission.admit(request, values)
        items: list[Activity] = []
        with self._store.reading() as tx:
            refuse_unknown(query, tx, self._configuration.vocabulary)
            authority = tx.stream.state.tag_authority()
            title = self._title(values, tx.polling.sources.names(query.sources))
            while len(items) < ical_feed.MOST:
                page = tx.stream.activities.page(query)
                items += page.items
                if page.next is None:
                    break
                query = replace(query, after=page.next)
        shown_items = [replace(item, content=caller.audience.content(item.content)) for item in items[: ical_feed.MOST]]
        name = gettext("%(title)s: events", title=title)
        body = ical_feed.calendar_of(shown_items, name, authority, self._base(request))
        made = answer(request, body, ical_feed.MEDIA_TYPE)
        made.headers.update({**headers_for(caller.token, FRESH), **counted})
        return made

    def _answer(self, request: Request, written: Format) -> Response:
        values = given(request.scope["query_string"], FEED)
        if len({"cursor", "archive", "page"} & set(values)) > 1:
            raise BadRequestError("Only one of cursor, archive and page can be given.")
        filters = {name: value for name, value in values.items() if name not in {"archive", "page"}}
        query = query_of(filters, self._configuration.vocabulary.cohorts)
        caller, counted = self._admission.admit(request, values)
        base, now = self._base(request), self._clock()
        here = base + current_language().path
        with self._store.reading() as tx:
            refuse_unknown(query, tx, self._configuration.vocabulary)
            entries = _entries(tx, query, values)
            authority = tx.stream.state.tag_authority()
            title = self._title(values, tx.polling.sources.names(query.sources))
        feed = Feed(
            title=title,
            description=gettext("Posts, news and events from all sources, in order of time."),
            home=f"{here}/{query_string(values, **_NOWHERE, limit=None, collapse=None)}",
            **_links(f"{here}/feed.{written.extension}", values, entries),
            archive="archive" in values,
            whole=not {"cursor", "archive", "page"} & set(values),
            updated=_updated(entries.items, authority, caller.audience, now),
            items=entries.items,
            authority=authority,
            audience=caller.audience,
            base=base,
            now=now,
            dates=self._pages.dates,
            others=entries.others,
        )
        made = answer(request, written.render(feed), written.media_type)
        made.headers.update({**headers_for(caller.token, FRESH), **counted})
        return made

    def _title(self, values: "Mapping[str, Sequence[str]]", source_names: "Mapping[str, str]") -> str:
        """Return the title of a feed: its filters, and the name of the portal."""
        names = Names(self._configuration.vocabulary, current_language().locale, source_names)
        labels, name = filter_labels(values, names), spoken_portal(self._configuration).title
        return gettext(", ").join(labels) + f" - {name}" if labels else name

    def _base(self, request: Request) -> str:
        """Return the public URL of this installation."""
        return self._public_url or f"{request.url.scheme}://{request.url.netloc}{self._prefix}"


class _Links(TypedDict):
    """The addresses of a document and of its neighbors, by the field of `Feed`."""

    self_url: str
    first: str
    first_page: str
    next: str | None
    prev: str | None
    prev_archive: str | None
    next_archive: str | None


def _links(here: str, values: "Mapping[str, list[str]]", entries: Entries) -> _Links:
    def to(**place: object) -> str:
        return here + query_string(values, **{**_NOWHERE, **place})

    return {
        "self_url": here + query_string(values),
        "first": to(),
        "first_page": to(page="first"),
        "next": to(cursor=entries.next) if entries.next else None,
        "prev": to(cursor=entries.prev) if entries.prev else None,
        "prev_archive": to(archive=entries.older) if entries.older else None,
        "next_archive": to(archive=entries.newer) if entries.newer else None,
    }


def _responses(description: str, media_type: str, shape: str, *codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a document, and its problems by code besides those of all filters."""
    found = {"description": description, "content": {media_type: {"schema": {"type": shape}}}}
    return {HTTPStatus.OK: found, **problem_responses(*codes, *_REFUSED)}


def _entries(tx: "Transaction", query: "Query", values: "Mapping[str, Sequence[str]]") -> Entries:
    if "archive" in values:
        place = Cursor.parse(values["archive"][0])
        if place.back:  # a position of a page, never of an archive
            raise BadCursorError(values["archive"][0])
        return feed_stories.merged(_archive(tx, replace(query, stitch=False), place), query)
    if query.after is not None:
        page = tx.stream.activities.page(query)
        stories = [(item, *page.others.get(item.id, ())) for item in page.items]
        return feed_stories.with_leads(Entries((), page.next, page.prev), stories)
    items, beginning = archive.run(_reader(tx, replace(query, stitch=False)), None, query.limit)
    if beginning is None:
        return feed_stories.merged(Entries(items), query)
    next_ = Cursor(items[-1].position, items[-1].id)
    entries = Entries(items, next=next_, older=_place(beginning))
    if not query.stitch:
        return entries
    older = tx.stream.activities.page(replace(query, stitch=False, after=next_, limit=REACH))
    return feed_stories.merged(entries, query, older.items)


def _archive(tx: "Transaction", query: "Query", place: Cursor) -> Entries:
    """Return the archive that begins at a position, and the positions of its neighbors."""
    start = replace(place, id=place.id + 1)  # the position itself is the first entry
    items, beginning = archive.run(_reader(tx, query), start, 1)
    back: Cursor | None = replace(place, back=True)
    for _ in range(_MOST_LOOKS):
        page = tx.stream.activities.page(replace(query, after=back, limit=_AT_ONCE))
        newer = next((item for item in reversed(page.items) if archive.begins(item.id)), None)
        back = page.prev
        if newer is not None or back is None:
            return Entries(items, older=_place(beginning), newer=_place(newer))
    return Entries(items, older=_place(beginning))


def _reader(tx: "Transaction", query: "Query") -> "archive.Read":
    looks = 0

    def read(start: Cursor | None) -> "tuple[Sequence[Activity], Cursor | None]":
        nonlocal looks
        looks += 1
        page = tx.stream.activities.page(replace(query, after=start, limit=_AT_ONCE))
        return page.items, page.next if looks < _MOST_LOOKS else None

    return read


def _place(item: "Activity | None") -> Cursor | None:
    return None if item is None else Cursor(item.position, item.id)


def _updated(items: "Sequence[Activity]", authority: tuple[str, str], audience: "Audience", now: datetime) -> datetime:
    """Return the time of the newest change in a feed; for an empty feed, the creation time of the installation."""
    made = datetime.fromisoformat(authority[1]).replace(tzinfo=UTC)
    return max([newest(items, audience, now, made), *(item.first_seen for item in items)])
