"""Show the sources as a table that can be sorted, searched and grouped into folders."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from aggregator.domain.access.accounts import Role
from aggregator.domain.source import LONGEST_FOLDER, SourceFilter, SourceState
from aggregator.domain.source_health import is_stale
from aggregator.domain.source_sorting import SourceSort
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import BadFormError
from aggregator.review.sources import DAYS, bars_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from starlette.responses import Response

    from aggregator.domain.source import Source
    from aggregator.review.context import DeskContext, DeskRequest

_PAGE = 50  # sources
_COLUMNS: Mapping[SourceSort, str] = {
    SourceSort.NAME: "Source",
    SourceSort.FOLDER: "Folder",
    SourceSort.FAILURES: "Health",
    SourceSort.LAST_NEW: "Last new item",
    SourceSort.DUE: "Next poll",
}
_STATES = (SourceState.ACTIVE, SourceState.PAUSED, SourceState.STOPPED)


class Row(NamedTuple):
    """A source in the table."""

    source: Source
    troubled: bool
    bars: Sequence[tuple[int, int, str]]  # height in units, items, day
    weekly: int  # items per week, of the days in the chart


class SourceTablePages:
    """The page with all sources."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/sources", Role.VIEWER, self.page)
        yield DeskRoute("POST", "/sources/folder", Role.EDITOR, self.group)

    def page(self, request: DeskRequest) -> Response:
        """Show a page of the sources; ordered by name, the first page starts with those with problems."""
        query = request.query
        sort = SourceSort(query.choice("sort", [sort.value for sort in SourceSort], SourceSort.NAME.value))
        state = query.choice("state", ["", *(state.value for state in _STATES)], "")
        words, folder = query.text("q", most=100), query.text("folder", most=LONGEST_FOLDER)
        after = query.whole("after", 1, 2**63 - 1) if query.text("after") else None
        which = SourceFilter(search=words, folder=folder, state=SourceState(state) if state else None)
        with self._desk.store.reading() as tx:
            sources = tx.polling.source_table.page(sort, _PAGE + 1, after, which)
            is_plain = sort is SourceSort.NAME and not (after or words or folder or state)
            stale = tx.polling.sources.stale(request.now, _PAGE) if is_plain else []
            troubled = tx.polling.sources.with_slugs([source.slug for source in stale])
            more, sources = len(sources) > _PAGE, sources[:_PAGE]
            listed = {source.id: source for source in (*troubled, *sources)}
            since = request.now - timedelta(days=DAYS - 1)
            daily = tx.polling.schedule.brought_daily([*listed], since)
            folders = tx.polling.source_table.folders()
        filters = {"q": words, "folder": folder, "state": state}
        values = {
            "rows": [_row(source, daily.get(source.id, {}), request.now) for source in listed.values()],
            "filters": filters,
            "states": [each.value for each in _STATES],
            "folders": folders,
            "columns": [(name, _address(filters, order), order is sort) for order, name in _COLUMNS.items()],
            "sort": sort.value,
            "older": _address(filters, sort, sources[-1].id) if more else None,
            "here": _address(filters, sort),
            **words_of(request),
        }
        return self._desk.page(request, "sources.html", values)

    def group(self, request: DeskRequest) -> Response:
        """Put the selected sources into a folder; an empty name takes them out of theirs."""
        folder = folder_of(request.form.text("folder", most=LONGEST_FOLDER))
        slugs = request.form.texts("slug")
        if not slugs:
            raise BadFormError("No sources selected.")
        if len(slugs) > 2 * _PAGE:
            raise BadFormError(f"{len(slugs)} sources are too many; the limit is {2 * _PAGE}.")
        with self._desk.store.writing() as tx:
            chosen = [source for source in tx.polling.sources.with_slugs(slugs) if not source.managed]
            for source in chosen:
                tx.polling.sources.change(source.id, folder=folder)
            notes = [
                (f"source:{source.slug}", {"from": {"folder": source.folder}, "to": {"folder": folder}})
                for source in chosen
            ]
            tx.moderation.audit.notes(request.now, request.account.name, "changed a source", notes)
        count = "1 source is" if len(chosen) == 1 else f"{len(chosen)} sources are"
        message = f"{count} in the folder “{folder}”." if folder else f"{count} in no folder."
        return self._desk.onward(f"{HOME}/sources?{urlencode({'folder': folder})}" if folder else _HERE, message)


_HERE = f"{HOME}/sources"


def folder_of(text: str) -> str:
    """Return the name of a folder, on one line."""
    return " ".join(text.split())


def _address(filters: Mapping[str, str], sort: SourceSort, after: int | None = None) -> str:
    values = {**filters, "sort": "" if sort is SourceSort.NAME else sort.value, "after": str(after) if after else ""}
    encoded = urlencode({name: value for name, value in values.items() if value})
    return f"{_HERE}?{encoded}" if encoded else _HERE


def _row(source: Source, daily: Mapping[str, int], now: datetime) -> Row:
    bars = bars_of(daily, now)
    weekly = round(sum(bar[1] for bar in bars) * 7 / DAYS)
    return Row(source, is_stale(source.state, source.poll, now), bars, weekly)
