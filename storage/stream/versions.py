"""Store former versions of edited activities, bounded in number and age."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, literal, select

from aggregator.domain.matching.edit_decisions import FormerVersion
from storage.tables.stream import activity, activity_version

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

VERSIONS_KEPT = "versions_kept"  # execution option of a connection: former versions kept per activity
DEFAULT_VERSIONS_KEPT = 20
COLUMNS = ("revision", "title", "text", "html", "url", "detail", "object", "entry_digest", "fingerprint")


class Versions:
    """The former versions, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep(self, ids: Sequence[int], now: datetime) -> None:
        """Copy the visible content of activities before an edit replaces it, and delete versions beyond the limit."""
        moment = literal(now, activity_version.c.replaced.type)
        old = select(activity.c.id, moment, *(activity.c[name] for name in COLUMNS)).where(
            activity.c.id.in_(ids), activity.c.gone.is_(None)
        )
        self._connection.execute(insert(activity_version).from_select(["activity_id", "replaced", *COLUMNS], old))
        place = func.row_number().over(
            partition_by=activity_version.c.activity_id, order_by=activity_version.c.id.desc()
        )
        ranked = (
            select(activity_version.c.id, place.label("place"))
            .where(activity_version.c.activity_id.in_(ids))
            .subquery()
        )
        limit = self._connection.get_execution_options().get(VERSIONS_KEPT, DEFAULT_VERSIONS_KEPT)
        excess = select(ranked.c.id).where(ranked.c.place > limit)
        self._connection.execute(activity_version.delete().where(activity_version.c.id.in_(excess)))

    def of(self, activity_id: int) -> Sequence[Mapping[str, Any]]:
        """Return former versions, oldest first: `replaced`, `revision`, `title`, `text`, `html`, `url`, ..."""
        chosen = select(activity_version).where(activity_version.c.activity_id == activity_id)
        return [dict(row) for row in self._connection.execute(chosen.order_by(activity_version.c.id)).mappings()]

    def take_newest(self, activity_id: int) -> Row[Any] | None:
        """Return and delete the newest version."""
        chosen = select(activity_version).where(activity_version.c.activity_id == activity_id)
        newest = self._connection.execute(chosen.order_by(activity_version.c.id.desc()).limit(1)).one_or_none()
        if newest is not None:
            self._connection.execute(activity_version.delete().where(activity_version.c.id == newest.id))
        return newest

    def former(self, ids: Collection[int]) -> dict[int, list[FormerVersion]]:
        """Return the marks of former versions, by activity."""
        found: dict[int, list[FormerVersion]] = {}
        versions = select(activity_version.c.activity_id, activity_version.c.fingerprint, activity_version.c.replaced)
        for row in self._connection.execute(versions.where(activity_version.c.activity_id.in_(ids))):
            found.setdefault(row.activity_id, []).append(FormerVersion(row.fingerprint, row.replaced))
        return found

    def forget(self, ids: Collection[int]) -> None:
        """Delete every version of these activities."""
        self._connection.execute(activity_version.delete().where(activity_version.c.activity_id.in_(ids)))
