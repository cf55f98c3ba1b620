"""Show the audit log, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aggregator.domain.access.accounts import Role
from aggregator.domain.moderation.decisions import PAST
from aggregator.review.context import HOME, DeskRoute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest

_LINES = 50
_LARGEST_ID = 2**63 - 1
_PLACES = {"activity": "items", "rule": "rules", "source": "sources"}  # subjects with a page of their own


class HistoryPages:
    """The history page."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/history", Role.VIEWER, self.page)

    def page(self, request: DeskRequest) -> Response:
        """Show a page of the audit log."""
        query = request.query
        filters = {name: query.text(name, most=100) for name in ("who", "what", "subject")}
        before = query.whole("before", 1, _LARGEST_ID) if query.text("before") else None
        with self._desk.store.reading() as tx:
            found = tx.moderation.audit.page(before=before, limit=_LINES + 1, **filters)
        notes = found[:_LINES]
        older = {**filters, "before": notes[-1]["id"]} if len(found) > _LINES else None
        return self._desk.page(
            request,
            "history.html",
            {
                "notes": [(note, _address(note["subject"])) for note in notes],
                "filters": filters,
                "older": f"{HOME}/history?{urlencode({k: v for k, v in older.items() if v})}" if older else None,
                "first": before is None,
                "undoable": set(PAST.values()) - {"undid"},
            },
        )


def _address(subject: str) -> str | None:
    """Return the page of an entry's subject."""
    kind, _, name = subject.partition(":")
    return f"{HOME}/{_PLACES[kind]}/{name}" if kind in _PLACES else None
