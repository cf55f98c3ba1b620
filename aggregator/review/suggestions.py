"""Suggest values for the fields of forms: sources, authors and topics by search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from aggregator.domain.access.accounts import Role
from aggregator.domain.source import SourceFilter
from aggregator.review.context import DeskRoute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest
    from storage.store import Transaction

_MOST = 20
_FIELDS = ("source", "author", "topic")


class SuggestionPages:
    """The route that the desk's script asks while a user types."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/suggest", Role.VIEWER, self.suggest)

    def suggest(self, request: DeskRequest) -> Response:
        """Return values of a field that contain a text, each with a label."""
        field, words = request.query.choice("field", _FIELDS), request.query.text("q", most=100)
        with self._desk.store.reading() as tx:
            found = _found(tx, field, words)
        return JSONResponse([{"value": value, "label": label} for value, label in found])


def _found(tx: Transaction, field: str, words: str) -> list[tuple[str, str]]:
    if field == "source":
        return [(source.slug, source.name) for source in tx.polling.sources.page(_MOST, "", SourceFilter(search=words))]
    if field == "topic":
        return [(topic, "") for topic in tx.stream.tags.topics_like(words, _MOST)]
    return [
        (f"@{actor.handle}" if actor.handle else actor.name, actor.name)
        for actor in tx.stream.actors.named_like(words, _MOST)
    ]
