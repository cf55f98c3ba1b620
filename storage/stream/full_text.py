"""Translate a search for each database: a `tsquery` on PostgreSQL, an FTS5 expression on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, cast, column, exists, func, literal, select
from sqlalchemy.dialects.postgresql import TSQUERY

from storage.tables.stream import activity, activity_words

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from aggregator.domain.search_query import Search, Term


def ids(search: Search, *, postgresql: bool) -> Select[Any]:
    """Select the ids of all activities that match a search, in no order."""
    if postgresql:
        return select(activity_words.c.id).where(_matching(search))
    return select(activity_words.c.rowid).where(_expressed(search))


def found(search: Search, *, postgresql: bool) -> ColumnElement[bool]:
    """Return the condition that rows of the search table match a search and are visible."""
    if postgresql:
        return and_(_matching(search), activity_words.c.position.is_not(None))
    return and_(activity.c.visible, activity.c.id.in_(ids(search, postgresql=False)))


def holds(search: Search, id_: ColumnElement[int], *, postgresql: bool) -> ColumnElement[bool]:
    """Return the condition that the `activity` row with this id matches a search, for candidates from other filters."""
    if postgresql:
        return exists().where(activity_words.c.id == id_, _matching(search))
    padded = literal(" ") + activity.c.search_text + literal(" ")
    matches = (func.instr(padded, term.spelt) > 0 for term in search.required)
    unwanted = (func.instr(padded, term.spelt) == 0 for term in search.excluded)
    return and_(*matches, *unwanted)


def tsquery(search: Search) -> str:
    """Return the search as the text of a `tsquery`; words have letters and digits only."""
    required = [_followed(term) for term in search.required]
    return " & ".join([*required, *(f"!{_followed(term)}" for term in search.excluded)])


def fts5(search: Search) -> str:
    """Return the search as an FTS5 expression."""
    required = " AND ".join(_phrase(term) for term in search.required)
    excluded = " OR ".join(_phrase(term) for term in search.excluded)
    return f"({required}) NOT ({excluded})" if excluded else required


def _expressed(search: Search) -> ColumnElement[bool]:
    """Return FTS5's MATCH, which refers to the whole table."""
    return column("activity_words").op("MATCH", is_comparison=True)(fts5(search))


def _matching(search: Search) -> ColumnElement[bool]:
    query = cast(literal(tsquery(search), Text), TSQUERY)
    return activity_words.c.words.op("@@", is_comparison=True)(query)


def _followed(term: Term) -> str:
    return "(" + " <-> ".join(f"'{word}'" for word in term.words) + ")"


def _phrase(term: Term) -> str:
    return f'"{" ".join(term.words)}"'
