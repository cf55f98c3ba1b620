"""Count tags of the newest activities that match a query. The work is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from aggregator.domain.stream import Facets, Order
from storage.revision import Stream
from storage.stream.query import MOST_EXAMINED, StreamQuery
from storage.tables.polling import source
from storage.tables.stream import activity_tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from aggregator.domain.stream import Query

COUNTED = ("kind", "network", "source", "topic", "country", "lang")


def facets(
    connection: Connection, query: Query, cohorts: Mapping[str, frozenset[str]], *, most: int = MOST_EXAMINED
) -> Facets:
    """Count tags, and activities about the countries of each cohort."""
    if query.order is not Order.PUBLISHED:
        raise ValueError("Facets are counted among the newest activities only.")
    revision = Stream(connection).revision()
    fitting, candidates = StreamQuery(connection, query).newest(most)
    counts: dict[str, dict[str, int]] = {name: {} for name in (*COUNTED, "cohort")}
    tagged = (
        select(activity_tag.c.tag, func.count())
        .join(fitting, fitting.c.id == activity_tag.c.id)
        .where(activity_tag.c.tag != "event")
        .group_by(activity_tag.c.tag)
    )
    for tag, count in connection.execute(tagged):
        kind, _, value = tag.partition(":")
        if kind in counts:
            counts[kind][value] = count
    if cohorts:
        of = case(*((activity_tag.c.tag.in_(_tags(codes)), name) for name, codes in cohorts.items()))
        by_cohort = (
            select(of, func.count(activity_tag.c.id.distinct()))
            .join(fitting, fitting.c.id == activity_tag.c.id)
            .where(activity_tag.c.tag.in_(_tags(frozenset[str]().union(*cohorts.values()))))
            .group_by(of)
        )
        counts["cohort"] = {name: count for name, count in connection.execute(by_cohort) if name is not None}
    counts["source"] = _by_slug(connection, counts["source"])
    examined: int = connection.execute(select(func.count()).select_from(fitting)).scalar_one()
    looked_at: int = connection.execute(select(func.count()).select_from(candidates)).scalar_one()
    return Facets(counts, examined, looked_at >= most, revision)


def _tags(codes: frozenset[str]) -> list[str]:
    return [f"country:{code}" for code in sorted(codes)]


def _by_slug(connection: Connection, counted: Mapping[str, int]) -> dict[str, int]:
    slugs = select(source.c.id, source.c.slug).where(source.c.id.in_([int(id_) for id_ in counted]))
    return {slug: counted[str(id_)] for id_, slug in connection.execute(slugs)}
