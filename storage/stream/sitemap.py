"""List the visible activities for search engines, in parts of consecutive ids.

Parts never change their range, so a crawler reads only those again that it has reason to. The index of parts jumps from
part to part in the index of `activity_tag`, which has visible activities only: its cost is that of its result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from storage.tables.stream import activity, activity_tag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

PART = 5000  # ids; a sitemap may have 50,000 addresses
MOST_PARTS = 1000  # the newest five million ids


class SitemapEntry(NamedTuple):
    """A visible activity, and the times at which it may have changed."""

    id: int
    first_seen: datetime
    reviewed: datetime | None
    updated: datetime | None

    def modified(self, now: datetime) -> datetime:
        """Return its last change; times that publishers set in the future don't count."""
        times = (self.first_seen, self.reviewed, self.updated)
        return max(moment for moment in times if moment is not None and (moment <= now or moment is self.first_seen))


class Sitemap:
    """The list of visible activities, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def parts(self) -> Sequence[int]:
        """Return the numbers of the newest parts that have visible activities, newest first."""
        newest = (func.max(activity_tag.c.id) - 1) // PART
        part = select(newest.label("number")).cte("part", recursive=True)
        older = select(newest).where(activity_tag.c.id <= part.c.number * PART).correlate(part).scalar_subquery()
        part = part.union_all(select(older).where(part.c.number.is_not(None)))
        numbers = select(part.c.number).where(part.c.number.is_not(None)).limit(MOST_PARTS)
        return self._connection.execute(numbers).scalars().all()

    def entries(self, part: int) -> Sequence[SitemapEntry]:
        """Return the visible activities of a part, by id."""
        columns = (activity.c.id, activity.c.first_seen, activity.c.reviewed, activity.c.updated)
        statement = (
            select(*columns)
            .where(activity.c.visible, activity.c.id > part * PART, activity.c.id <= (part + 1) * PART)
            .order_by(activity.c.id)
        )
        return [SitemapEntry(*row) for row in self._connection.execute(statement)]
