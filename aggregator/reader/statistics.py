"""Serve the numbers of the stream as a page, as JSON and as CSV.

They count visible items only, of which every one is public. So anyone may see them, as the facets of the API.
"""

# Annotations are evaluated: FastAPI reads them when the routes are added.
import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aggregator.domain.networks import network_of
from aggregator.domain.stream import Query
from aggregator.reader import schemas
from aggregator.reader.facets import Facet, named
from aggregator.reader.openapi import responses_of
from aggregator.reader.plots import HEIGHT, WIDTH, column_plot
from aggregator.reader.query_params import Parameter, given, whole_number
from aggregator.reader.serialization import encode
from aggregator.web.labels import network_label
from aggregator.web.responses import HTML, JSON, answer
from aggregator.web.translation import current_language, gettext, translatable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.clock import Clock
    from aggregator.reader.page_metadata import MetadataBuilder
    from aggregator.web.pages import Pages
    from storage.store import Store

MOST_DAYS = 92
_DEFAULT_DAYS = 30
_PERIODS = (7, 30, 92)  # days that the page offers
_MOST_VALUES = 500  # of one dimension
_SHOWN = 20  # of one dimension, on the page
_CSV = "text/csv; charset=utf-8"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # beginnings of what a spreadsheet would compute
DAYS = Parameter(
    "days",
    "The number of days (UTC), including today.",
    {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": _DEFAULT_DAYS},
    7,
)
_HEADINGS = {
    "source": translatable("Sources"),
    "topic": translatable("Topics"),
    "country": translatable("Countries"),
    "network": translatable("Networks"),
    "kind": translatable("Kinds"),
}


@dataclass(frozen=True, slots=True)
class Numbers:
    """The counts of a period, with names for people."""

    days: "Mapping[date, int]"
    values: "Mapping[str, Sequence[Facet]]"  # by dimension
    counted: int
    partial: bool

    @property
    def since(self) -> date:
        """The first day."""
        return min(self.days)


class StatisticsRoutes:
    """The numbers of one store."""

    def __init__(
        self,
        store: "Store",
        clock: "Clock",
        pages: "Pages",
        configuration: "Configuration",
        metadata: "MetadataBuilder",
    ) -> None:
        self._store = store
        self._clock = clock
        self._pages = pages
        self._configuration = configuration
        self._metadata = metadata

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/stats", self.page, include_in_schema=False, response_class=HTMLResponse)
        app.add_api_route("/stats.csv", self.table, include_in_schema=False, response_class=Response)
        app.add_api_route(
            "/stats.json",
            self.numbers,
            operation_id="getStatistics",
            summary="Numbers of items by day, source, topic, country and network",
            description="Counts visible items by the day on which they were published. `/stats` is a page with plots, "
            "and `/stats.csv` has the same numbers for spreadsheets.",
            tags=["stream"],
            response_description="The numbers",
            responses=responses_of(schemas.Statistics, "unknown-parameter", "repeated-parameter", "bad-request"),
            openapi_extra={"parameters": [DAYS.documented()]},
        )

    def page(self, request: Request) -> Response:
        """Return the page with plots."""
        days, numbers = self._read(request)
        about = gettext("Items by day, source, topic, country and network.")
        meta = self._metadata.of_page(request, "/stats", gettext("Numbers"), about)
        shown: dict[str, Any] = {
            "meta": meta,
            "numbers": numbers,
            "plot": column_plot(numbers.days),
            "size": (WIDTH, HEIGHT),
            "dimensions": [
                (name, gettext(heading), numbers.values[name][:_SHOWN], len(numbers.values[name]))
                for name, heading in _HEADINGS.items()
                if numbers.values[name]
            ],
            "periods": [(period, period == days) for period in _PERIODS],
            "chosen": days,
        }
        return answer(request, self._pages.render("stats.html", shown), HTML)

    def numbers(self, request: Request) -> Response:
        """Return the numbers as JSON."""
        numbers = self._read(request)[1]
        made = schemas.Statistics(
            since=numbers.since.isoformat(),
            days=tuple(schemas.DayCount(on.isoformat(), count) for on, count in numbers.days.items()),
            counted=numbers.counted,
            partial=numbers.partial,
            **{
                name: tuple(schemas.FacetValue(facet.value, facet.label, facet.count) for facet in numbers.values[name])
                for name in _HEADINGS
            },
        )
        return answer(request, encode(made), JSON)

    def table(self, request: Request) -> Response:
        """Return the numbers as CSV (RFC 4180)."""
        days, numbers = self._read(request)
        written = io.StringIO()
        csv.writer(written).writerows(_rows(numbers))
        made = answer(request, written.getvalue().encode(), _CSV)
        made.headers["Content-Disposition"] = f'inline; filename="stats-{days}-days.csv"'
        return made

    def _read(self, request: Request) -> tuple[int, Numbers]:
        values = given(request.scope["query_string"], (DAYS,))
        days = whole_number("days", values, default=_DEFAULT_DAYS, least=1, most=MOST_DAYS)
        today = self._clock().astimezone(UTC).date()
        first = today - timedelta(days=days - 1)
        since, until = (datetime.combine(on, time(), UTC) for on in (first, today + timedelta(days=1)))
        with self._store.reading() as tx:
            found = tx.stream.activities.statistics(Query(since=since, until=until))
            sources = tx.polling.sources.names(found.tags.counts["source"].keys())
        if found.tags.partial and found.days:
            first = min(found.days)  # of those counted; perhaps not all of its items
        every = {first + timedelta(days=day): 0 for day in range((today - first).days + 1)}
        labels = named(found.tags, self._configuration.vocabulary, sources, current_language().locale)
        values_of = {name: _labelled(name, labels[name])[:_MOST_VALUES] for name in _HEADINGS}
        return days, Numbers({**every, **found.days}, values_of, found.tags.examined, found.tags.partial)


def _labelled(dimension: str, facets: "Sequence[Facet]") -> "Sequence[Facet]":
    if dimension != "network":
        return facets
    return [Facet(facet.value, network_label(network_of(facet.value)), facet.count) for facet in facets]


def _rows(numbers: Numbers) -> "Iterator[tuple[str, str, str, str]]":
    yield "dimension", "value", "label", "count"
    for on, count in numbers.days.items():
        yield "day", on.isoformat(), on.isoformat(), str(count)
    for name, facets in numbers.values.items():
        for facet in facets:
            yield name, facet.value, _plain(facet.label), str(facet.count)


def _plain(text: str) -> str:
    """Return a text that a spreadsheet shows rather than computes: publishers choose names."""
    return f"'{text}" if text.startswith(_FORMULA) else text
