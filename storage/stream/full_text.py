"""A search in the words of each database: a `tsquery` on PostgreSQL, an FTS5 expression on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, cast, column, exists, func, literal, select
from sqlalchemy.dialects.postgresql import TSQUERY

from storage.tables.stream import activity, activity_words

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from aggregator.domain.search_query import Search, Term


def ids(search: Search, *, postgresql: bool) -> Select[Any]:
    """Select the ids of all activities that a search finds, in no order."""
    if postgresql:
        return select(activity_words.c.id).where(_matching(search))
    return select(activity_words.c.rowid).where(_expressed(search))


def found(search: Search, *, postgresql: bool) -> ColumnElement[bool]:
    """Say of rows of what is searched whether a search finds them and they are shown."""
    if postgresql:
        return and_(_matching(search), activity_words.c.position.is_not(None))
    return and_(activity.c.visible, activity.c.id.in_(ids(search, postgresql=False)))


def holds(search: Search, id_: ColumnElement[int], *, postgresql: bool) -> ColumnElement[bool]:
    """Say of a row of `activity` with this id whether a search finds it: for candidates that other filters led to."""
    if postgresql:
        return exists().where(activity_words.c.id == id_, _matching(search))
    padded = literal(" ") + activity.c.search_text + literal(" ")
    wanted = (func.instr(padded, term.spelt) > 0 for term in search.required)
    unwanted = (func.instr(padded, term.spelt) == 0 for term in search.excluded)
    return and_(*wanted, *unwanted)


def tsquery(search: Search) -> str:
    """Return it as the text of a `tsquery`; words hold nothing but letters and digits."""
    wanted = [_followed(term) for term in search.required]
    return " & ".join([*wanted, *(f"!{_followed(term)}" for term in search.excluded)])


def fts5(search: Search) -> str:
    """Return it as an FTS5 expression."""
    wanted = " AND ".join(_phrase(term) for term in search.required)
    unwanted = " OR ".join(_phrase(term) for term in search.excluded)
    return f"({wanted}) NOT ({unwanted})" if unwanted else wanted


def _expressed(search: Search) -> ColumnElement[bool]:
    """Return FTS5's MATCH, which names the whole table."""
    return column("activity_words").op("MATCH", is_comparison=True)(fts5(search))


def _matching(search: Search) -> ColumnElement[bool]:
    asked = cast(literal(tsquery(search), Text), TSQUERY)
    return activity_words.c.words.op("@@", is_comparison=True)(asked)


def _followed(term: Term) -> str:
    return "(" + " <-> ".join(f"'{word}'" for word in term.words) + ")"


def _phrase(term: Term) -> str:
    return f'"{" ".join(term.words)}"'
