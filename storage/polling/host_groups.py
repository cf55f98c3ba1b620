"""Store host groups."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, update

from aggregator.domain.polling.host_groups import HostGroup, HostGroups, Pauses
from storage.engine import upsert
from storage.tables.polling import host_group, source

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Groups:
    """The host groups, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[HostGroup]:
        """Return every row, by suffix."""
        return [
            HostGroup(
                row.suffix,
                row.name,
                None if row.spacing is None else timedelta(seconds=row.spacing),
                row.concurrency,
                Pauses(row.pauses),
            )
            for row in self._connection.execute(select(host_group).order_by(host_group.c.suffix))
        ]

    def put(self, group: HostGroup) -> None:
        """Add a row, or change the row of the same suffix; sources move to the new group at once."""
        values = {
            "suffix": group.suffix,
            "name": group.name,
            "spacing": None if group.spacing is None else group.spacing.total_seconds(),
            "concurrency": group.concurrency,
            "pauses": group.pauses.value,
        }
        changing = ["name", "spacing", "concurrency", "pauses"]
        self._connection.execute(
            upsert.statement(self._connection, host_group, index=["suffix"], changing=changing), [values]
        )
        self._regroup()

    def drop(self, suffix: str) -> bool:
        """Remove a row; its hosts use their own names again. Return whether it existed."""
        dropped = self._connection.execute(host_group.delete().where(host_group.c.suffix == suffix)).rowcount > 0
        self._regroup()
        return dropped

    def group_of(self, host: str) -> str:
        """Return the name of the rate limit of "name:port"."""
        return HostGroups(self.all()).name_of(host)

    def _regroup(self) -> None:
        """Assign each source to the rate limit of its host."""
        groups = HostGroups(self.all())
        rows = self._connection.execute(select(source.c.id, source.c.own_host, source.c.host)).all()
        moved = [{"row": row.id, "group": name} for row in rows if (name := groups.name_of(row.own_host)) != row.host]
        if moved:
            self._connection.execute(
                update(source).where(source.c.id == bindparam("row")).values(host=bindparam("group")), moved
            )
