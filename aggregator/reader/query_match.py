"""Match an activity against a query in memory, for live updates. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.search_text import search_text
from aggregator.domain.stream import Order

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.activity import Activity, Content
    from aggregator.domain.stream import Query


def fits(item: Activity, query: Query) -> bool:
    """Return whether the pages of a query contain an activity, as `storage.stream.query` does."""
    content = item.content
    return (
        _in(content.kind, query.kinds)
        and _in(content.network, query.networks)
        and _in(item.source.slug, query.sources)
        and _among(item.topics, query.topics)
        and _among(item.countries, query.countries)
        and _speaks(content.lang, query.languages)
        and all(_has(item, what) for what in query.has)
        and not any(withheld & query.not_withheld_in for withheld in _withheld(item))
        and _placed(item, query)
        and (query.search is None or query.search.finds(search_text(content, item.object)))
    )


def _in(value: object, allowed: frozenset[object] | frozenset[str]) -> bool:
    return not allowed or value in allowed


def _among(values: tuple[str, ...], allowed: frozenset[str]) -> bool:
    return not allowed or not allowed.isdisjoint(values)


def _speaks(lang: str | None, allowed: frozenset[str]) -> bool:
    language = (lang or "").lower()
    return not allowed or bool({language, language.partition("-")[0]} & allowed)


def _has(item: Activity, what: str) -> bool:
    if what == "event":
        return item.content.event is not None
    return bool(item.content.media or (item.object and item.object.content.media))


def _withheld(item: Activity) -> list[frozenset[str]]:
    embedded = (item.object, item.object.object if item.object else None)
    shown: list[Content] = [item.content, *(part.content for part in embedded if part)]
    return [frozenset(content.withheld) for content in shown]


def _placed(item: Activity, query: Query) -> bool:
    place: datetime | None = item.position
    if query.order is Order.EVENT:
        place = item.content.event.start if item.content.event else None
    if place is None:
        return False
    return (query.since is None or place >= query.since) and (query.until is None or place < query.until)
