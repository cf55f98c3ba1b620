"""Serve the HTML pages: stream, activity and API documentation."""

# Annotations are evaluated: FastAPI reads them when the routes are added.
import asyncio
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aggregator.domain.networks import all_networks, network_of
from aggregator.domain.stream import Query
from aggregator.domain.tagging.countries import name, sort_key
from aggregator.reader.blocks import Blocks, world
from aggregator.reader.docs_page import change_types, filters, operations, schemas
from aggregator.reader.examples import EXAMPLE_BASE
from aggregator.reader.health import read_health
from aggregator.reader.known_filters import refuse_unknown
from aggregator.reader.lookup import shown
from aggregator.reader.query_params import (
    PAGE,
    given,
    query_of,
    query_string,
)
from aggregator.reader.serialization import encode
from aggregator.web.labels import plurals
from aggregator.web.negotiation import ACTIVITY, media_of
from aggregator.web.responses import HTML, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aggregator.config.option_values import Rate
    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.activity import Activity, SourceRef
    from aggregator.domain.clock import Clock
    from aggregator.domain.portal_page import Portal
    from aggregator.domain.stream import Page
    from aggregator.domain.tagging.vocabulary import Vocabulary
    from aggregator.reader.health import Health
    from aggregator.reader.page_metadata import MetadataBuilder
    from aggregator.reader.rate_limits import Admission
    from aggregator.web.pages import Pages
    from aggregator.web.problems import Problems
    from storage.store import Store


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


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter link."""

    label: str
    address: str
    chosen: bool
    stale: bool = False


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
        language: str,
        as2: "Callable[[Request, str], Response]",
        metadata: "MetadataBuilder",
    ) -> None:
        self._store = store
        self._admission = admission
        self._clock = clock
        self._pages = pages
        self._configuration = configuration
        self._language = language
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
        values = given(request.scope["query_string"], PAGE, strict=False)
        portal, vocabulary = self._configuration.portal, self._configuration.vocabulary
        query = replace(query_of(values, vocabulary.cohorts), by_story=bool(portal.blocks))
        if portal.blocks and not values:
            shown = {**self._portal(portal, vocabulary), "meta": self._metadata.of_page(request, "/")}
            return answer(request, self._pages.render("portal.html", shown), HTML)
        counted = self._admission.admit(request, values, by_token=False).headers
        with self._store.reading() as tx:
            refuse_unknown(query, tx, self._configuration.vocabulary)
            menu = SourceMenu(tx.polling.sources.choices(_CHOICES, query.sources), tx.polling.sources.count())
            health = read_health(tx, self._clock())
            found = tx.stream.activities.page(query)
            networks = tx.stream.activities.networks([network.name for network in all_networks()])
            threads = tx.stream.activities.thread_sizes([*found.items, *found.pinned])
        shown = {**self._front(values, query, found, menu, health), **_about(values, query, vocabulary, self._language)}
        shown["meta"] = self._metadata.of_page(request, "/" + query_string(values), _heading(shown))
        shown |= {"portal": portal, "threads": threads, "networks": _network_choices(values, query, networks)}
        made = answer(request, self._pages.render("front.html", shown), HTML)
        made.headers.update(counted)
        return made

    def _portal(self, portal: "Portal", vocabulary: "Vocabulary") -> dict[str, Any]:
        now = self._clock()
        with self._store.reading() as tx:
            health = read_health(tx, now)
            blocks = Blocks(tx, portal, vocabulary, now, self._language).all()
            threads = tx.stream.activities.thread_sizes(item for block in blocks for item in block.items)
            revision = tx.stream.state.revision()
        shown = next((block for block in blocks if block.page is not None), None)
        stream, filters = (shown.page, shown.filters) if shown else (None, {})
        return {
            "portal": portal,
            "blocks": blocks,
            "threads": threads,
            "world": world(),
            "now": now,
            "days": self._days(stream.items) if stream else [],
            "older": "/" + query_string(filters, cursor=str(stream.next)) if stream and stream.next else None,
            "failing": health.stale,
            "away": health.away,
            "live": "/api/v1/live" + query_string(filters, after=str(stream.revision if stream else revision)),
            "kinds": _kind_choices({}, Query()),
            "feeds": _feeds(""),
            "pinned": stream.pinned if stream else (),
        }

    def activity(self, request: Request, activity_id: str) -> Response:
        """Return the page of an activity, or ActivityStreams if that is preferred."""
        accept = ",".join(request.headers.getlist("accept"))
        made = self._as2(request, activity_id) if media_of(accept) == ACTIVITY else self._page(request, activity_id)
        made.headers.add_vary_header("Accept")
        return made

    def _page(self, request: Request, activity_id: str) -> Response:
        item = shown(self._store, activity_id)
        values = {"item": item, "threads": self._threads(item), "meta": self._metadata.of_item(request, item)}
        return answer(request, self._pages.render("activity.html", values), HTML)

    def card(self, request: Request, activity_id: str) -> Response:
        """Return the card of an activity for an open page."""
        item = shown(self._store, activity_id)
        (day,) = self._days([item])
        return answer(request, self._pages.render("fragment.html", {"day": day, "threads": self._threads(item)}), HTML)

    def _threads(self, item: "Activity") -> "Mapping[str, int]":
        if item.thread is None:
            return {}
        with self._store.reading() as tx:
            return tx.stream.activities.thread_sizes([item])

    def _front(
        self, values: "Mapping[str, list[str]]", query: "Query", found: "Page", menu: "SourceMenu", health: "Health"
    ) -> dict[str, Any]:
        failing = health.stale
        here = query_string(values, cursor=None)
        return {
            "pinned": found.pinned,
            "days": self._days([item for item in found.items if item not in found.pinned]),
            "others": found.others,
            "kinds": _kind_choices(values, query),
            "sources": _source_choices(values, query, menu.listed, {source.slug for source in failing}),
            "source_count": menu.total,
            "failing": failing,
            "away": health.away,
            "filtered": query.is_filtered,
            "search": values.get("q", [""])[0],
            "kept": [(name, value) for name in values if name not in {"q", "cursor"} for value in values[name]],
            "first_page": query.after is None,
            "partial": found.partial,
            "newest": "/" + here,
            "older": "/" + query_string(values, cursor=str(found.next)) if found.next else None,
            "newer": "/" + query_string(values, cursor=str(found.prev)) if found.prev else None,
            "live": "/api/v1/live" + query_string(values, cursor=None, after=str(found.revision)),
            "feeds": _feeds(here),
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
            request, "/docs", "API", "All operations, parameters and schemas of the API, with examples."
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


def _feeds(here: str) -> list[tuple[str, str, str]]:
    return [(f"/feed.{name}{here}", media_type, title) for name, media_type, title in _FEEDS]


def _heading(shown: "Mapping[str, Any]") -> str:
    """Return the heading of a filtered page; "": none."""
    return ", ".join([*(topic.label for topic in shown["definitions"]), *shown["about"]])


def _about(
    values: "Mapping[str, list[str]]", query: "Query", vocabulary: "Vocabulary", language: str
) -> dict[str, Any]:
    """Return the available topics and countries, and the definitions of the selected ones."""
    topics, participants = vocabulary.topics, vocabulary.participants
    cohorts = values.get("cohort", [])
    return {
        "topics": _choices(
            "topic", "All topics", [(topic.slug, topic.label_in(language)) for topic in topics], values, query.topics
        ),
        "countries": _choices(
            *("country", "All countries"),
            sorted(((country.code, country.name) for country in participants), key=lambda pair: sort_key(pair[1])),
            *(values, query.countries if "country" in values else frozenset()),
        ),
        "definitions": [topic for topic in topics if topic.slug in query.topics],
        "about": [
            *(name(code.upper(), language) for code in values.get("country", ())),
            *(vocabulary.cohort_names.get(cohort, cohort) for cohort in cohorts),
        ],
    }


def _choices(
    parameter: str,
    every: str,
    named: "Sequence[tuple[str, str]]",
    values: "Mapping[str, list[str]]",
    chosen: "frozenset[str]",
) -> list[Choice]:
    if not named:
        return []
    all_of_them = Choice(every, "/" + query_string(values, **{"cursor": None, parameter: None}), not chosen)
    return [all_of_them] + [
        Choice(label, "/" + query_string(values, **{"cursor": None, parameter: value}), value in chosen)
        for value, label in named
    ]


def _kind_choices(values: "Mapping[str, list[str]]", query: "Query") -> list[Choice]:
    every = Choice("All", "/" + query_string(values, cursor=None, kind=None), not query.kinds)
    return [every] + [
        Choice(label, "/" + query_string(values, cursor=None, kind=kind), kind in query.kinds)
        for kind, label in plurals().items()
    ]


def _network_choices(values: "Mapping[str, list[str]]", query: "Query", names: "Sequence[str]") -> list[Choice]:
    labels = [(name, network_of(name).label or "Other sites") for name in names]
    return _choices("network", "All networks", labels, values, query.networks)


def _source_choices(
    values: "Mapping[str, list[str]]", query: "Query", sources: "Sequence[SourceRef]", failing: set[str]
) -> list[Choice]:
    every = Choice("All sources", "/" + query_string(values, cursor=None, source=None), not query.sources)
    return [every] + [
        Choice(
            source.name,
            "/" + query_string(values, cursor=None, source=source.slug),
            source.slug in query.sources,
            source.slug in failing,
        )
        for source in sources
    ]
