"""Serve the HTML pages: stream, activity and API documentation."""

# Annotations are evaluated: FastAPI reads them when the routes are added.
import asyncio
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aggregator.domain.activity import ActivityKind
from aggregator.domain.matching.stories import leads
from aggregator.domain.networks import all_networks
from aggregator.reader.blocks import Blocks, arranged, world
from aggregator.reader.docs_page import change_types, filters, operations, schemas
from aggregator.reader.examples import EXAMPLE_BASE
from aggregator.reader.facet_cache import FacetCache
from aggregator.reader.filter_menu import (
    Context,
    Present,
    active_filters,
    kept_without,
    kind_links,
    menus,
)
from aggregator.reader.health import read_health
from aggregator.reader.known_filters import refuse_unknown
from aggregator.reader.languages import spoken_portal
from aggregator.reader.lookup import shown_with_story
from aggregator.reader.query_params import (
    PAGE,
    given,
    query_of,
    query_string,
)
from aggregator.reader.serialization import encode
from aggregator.web.negotiation import ACTIVITY, media_of
from aggregator.web.responses import HTML, answer
from aggregator.web.translation import current_language, gettext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aggregator.config.option_values import Rate
    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.activity import Activity, SourceRef
    from aggregator.domain.clock import Clock
    from aggregator.domain.portal_page import Portal
    from aggregator.domain.stream import Page, Query
    from aggregator.domain.tagging.vocabulary import Vocabulary
    from aggregator.reader.health import Health
    from aggregator.reader.page_metadata import MetadataBuilder
    from aggregator.reader.rate_limits import Admission
    from aggregator.web.pages import Pages
    from aggregator.web.problems import Problems
    from storage.store import Store, Transaction


_CHOICES = 200  # sources that the page offers as filters
_FEEDS = (
    ("atom", "application/atom+xml", "Atom"),
    ("rss", "application/rss+xml", "RSS"),
    ("json", "application/feed+json", "JSON Feed"),
    ("as2", "application/activity+json", "ActivityStreams 2.0"),
)


class SourceMenu(NamedTuple):
    """The sources that the page offers as filters, and how many there are."""

    listed: "Sequence[SourceRef]"
    total: int
    names: "Mapping[str, str]"  # of the selected ones, including removed sources


@dataclass(frozen=True, slots=True)
class Day:
    """The items of one calendar day."""

    heading: str
    on: date
    items: "Sequence[Activity]"


class StreamPages:
    """The pages of one store."""

    def __init__(
        self,
        store: "Store",
        clock: "Clock",
        pages: "Pages",
        admission: "Admission",
        *,
        configuration: "Configuration",
        as2: "Callable[[Request, str], Response]",
        metadata: "MetadataBuilder",
    ) -> None:
        self._store = store
        self._admission = admission
        self._clock = clock
        self._pages = pages
        self._configuration = configuration
        self._facets = FacetCache()
        self._metadata = metadata
        self._as2 = as2  # responds with an activity as ActivityStreams

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        for path, endpoint in (
            ("/", self.front),
            ("/activities/{activity_id}", self.activity),
            ("/activities/{activity_id}/card", self.card),
        ):
            app.add_api_route(path, endpoint, include_in_schema=False, response_class=HTMLResponse)

    def front(self, request: Request) -> Response:
        """Return the portal page, or the stream page if filters are given."""
        values = _filled(given(request.scope["query_string"], PAGE, strict=False))
        portal, vocabulary = spoken_portal(self._configuration), self._configuration.vocabulary
        query = query_of(values, vocabulary.cohorts)
        if portal.blocks and not values:
            shown = {**self._portal(portal, vocabulary), "meta": self._metadata.of_page(request, "/")}
            return answer(request, self._pages.render("portal.html", shown), HTML)
        rates = self._admission.admit(request, values, by_token=False).headers
        with self._store.reading() as tx:
            refuse_unknown(query, tx, vocabulary)
            menu = SourceMenu(
                tx.polling.sources.choices(_CHOICES, query.sources),
                tx.polling.sources.count(),
                tx.polling.sources.names(query.sources),
            )
            health = read_health(tx, self._clock())
            found = tx.stream.activities.page(query)
            facets = self._facets.facets(tx, query, vocabulary.cohorts)
            present = _present(tx)
            threads = tx.stream.activities.thread_sizes([*found.items, *found.pinned])
        shown = self._front(values, query, found, health)
        context = Context(values, query, vocabulary, facets, current_language().locale)
        shown |= self._filters(context, menu, health, present) | {"threads": threads}
        title = gettext(", ").join(active.label for active in shown["active"])
        shown["meta"] = self._metadata.of_page(request, "/" + query_string(values), title)
        made = answer(request, self._pages.render("front.html", shown), HTML)
        made.headers.update(rates)
        return made

    def _portal(self, portal: "Portal", vocabulary: "Vocabulary") -> dict[str, Any]:
        now = self._clock()
        with self._store.reading() as tx:
            health = read_health(tx, now)
            blocks = Blocks(tx, portal, vocabulary, now, current_language().locale).all()
            threads = tx.stream.activities.thread_sizes(item for block in blocks for item in block.items)
            revision = tx.stream.state.revision()
            kinds = _present(tx).kinds
        shown = next((block for block in blocks if block.page is not None), None)
        stream, filters = (shown.page, shown.filters) if shown else (None, {})
        return {
            "layout": arranged(blocks),
            "threads": threads,
            "world": world(),
            "now": now,
            "days": self._days(stream.items) if stream else [],
            "older": "/" + query_string(filters, cursor=str(stream.next)) if stream and stream.next else None,
            "failing": health.stale,
            "away": health.away,
            "live": "/api/v1/live" + query_string(filters, after=str(stream.revision if stream else revision)),
            "kinds": kind_links(kinds),
            "feeds": _feeds(""),
            "calendar": "/events.ics",
            "pinned": stream.pinned if stream else (),
        }

    def activity(self, request: Request, activity_id: str) -> Response:
        """Return the page of an activity, or ActivityStreams if that is preferred."""
        accept = ",".join(request.headers.getlist("accept"))
        made = self._as2(request, activity_id) if media_of(accept) == ACTIVITY else self._page(request, activity_id)
        made.headers.add_vary_header("Accept")
        return made

    def _page(self, request: Request, activity_id: str) -> Response:
        item, others = shown_with_story(self._store, activity_id)
        meta = self._metadata.of_item(request, item)
        values = {"item": item, "others": others, "threads": self._threads(item), "meta": meta}
        return answer(request, self._pages.render("activity.html", values), HTML)

    def card(self, request: Request, activity_id: str) -> Response:
        """Return the card of an activity for an open page: the lead of a story has the others, which name it."""
        item, others = shown_with_story(self._store, activity_id)
        lead = min((item, *others), key=leads)
        (day,) = self._days([item])
        values = {"day": day, "others": others if lead is item else (), "lead": None if lead is item else lead.id}
        values |= {"threads": self._threads(item)}
        return answer(request, self._pages.render("fragment.html", values), HTML)

    def _threads(self, item: "Activity") -> "Mapping[str, int]":
        if item.thread is None:
            return {}
        with self._store.reading() as tx:
            return tx.stream.activities.thread_sizes([item])

    def _front(
        self, values: "Mapping[str, list[str]]", query: "Query", found: "Page", health: "Health"
    ) -> dict[str, Any]:
        here = query_string(values, cursor=None)
        return {
            "pinned": found.pinned,
            "days": self._days([item for item in found.items if item not in found.pinned]),
            "others": found.others,
            "failing": health.stale,
            "away": health.away,
            "first_page": query.after is None,
            "partial": found.partial,
            "newest": "/" + here,
            "older": "/" + query_string(values, cursor=str(found.next)) if found.next else None,
            "newer": "/" + query_string(values, cursor=str(found.prev)) if found.prev else None,
            "live": "/api/v1/live"
            + query_string(values, cursor=None, collapse=None, stitch=None, after=str(found.revision)),
            "merged": query.by_story,
            "feeds": _feeds(here),
            "calendar": "/events.ics" + here,
        }

    def _filters(self, context: Context, menu: SourceMenu, health: "Health", present: Present) -> dict[str, Any]:
        """Return the filters with their counts, the active ones, and the number of results."""
        values, facets = context.values, context.facets
        failing = frozenset(source.slug for source in health.stale)
        active = active_filters(context, menu.names)
        topics = [topic for topic in context.vocabulary.topics if topic.slug in context.query.topics]
        return {
            "menus": menus(context, menu.listed, failing, present),
            "active": active,
            "filtered_by": [filter_.label for filter_ in active if filter_.name != "q"],
            "filtered": context.query.is_filtered,
            "search": values.get("q", [""])[0],
            "only_search": "/" + query_string({}, q=values["q"][0]) if "q" in values else None,
            "kept": list(kept_without(values, "q")),
            "count": facets.examined,
            "counted": self._pages.dates.number(facets.examined) + ("+" if facets.partial else ""),
            "source_count": menu.total,
            "definitions": [text for topic in topics if (text := topic.definition_in(context.language))],
        }

    def _days(self, items: "Iterable[Activity]") -> list[Day]:
        dates = self._pages.dates
        today = dates.local_day(self._clock())
        grouped = groupby(items, key=lambda item: dates.local_day(item.position))
        return [Day(dates.heading(on, today), on, list(group)) for on, group in grouped]


class DocumentationPages:
    """Serve the OpenAPI document as JSON and as a page; the document is built on the first request."""

    def __init__(
        self,
        build: "Callable[[], dict[str, Any]]",
        pages: "Pages",
        problems: "Problems",
        metadata: "MetadataBuilder",
        rate: "Rate | None",
    ) -> None:
        self._build = build
        self._pages = pages
        self._problems = problems
        self._metadata = metadata
        self._rate = rate

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/openapi.json", self.openapi, include_in_schema=False)
        app.add_api_route("/docs", self.docs, include_in_schema=False, response_class=HTMLResponse)

    async def openapi(self, request: Request) -> Response:
        """Return the OpenAPI document."""
        return answer(request, encode(await asyncio.to_thread(lambda: self._document)), "application/json")

    async def docs(self, request: Request) -> Response:
        """Return the documentation page."""
        return answer(request, await asyncio.to_thread(self._page, request), HTML)

    def _page(self, request: Request) -> bytes:
        meta = self._metadata.of_page(
            request, "/docs", "API", gettext("All operations, parameters and schemas of the API, with examples.")
        )
        return self._pages.render("docs.html", {**self._values, "meta": meta, "base": self._pages.base(request)})

    @cached_property
    def _document(self) -> dict[str, Any]:
        return self._build()

    @cached_property
    def _values(self) -> dict[str, Any]:
        document = self._document
        return {
            "document": document,
            "operations": operations(document),
            "filters": filters(document),
            "schemas": schemas(document),
            "changes": change_types(document),
            "problems": self._problems.kinds,
            "rate": self._rate,
            "example_base": EXAMPLE_BASE,
        }


def _present(tx: "Transaction") -> Present:
    activities = tx.stream.activities
    return Present(
        activities.present("kind", [kind.value for kind in ActivityKind]),
        activities.present("network", [network.name for network in all_networks()]),
    )


def _filled(values: "Mapping[str, list[str]]") -> dict[str, list[str]]:
    """Return the parameters that have a value: forms send empty ones, too."""
    return {name: filled for name, listed in values.items() if (filled := [value for value in listed if value])}


def _feeds(here: str) -> list[tuple[str, str, str]]:
    return [(f"/feed.{name}{here}", media_type, title) for name, media_type, title in _FEEDS]
