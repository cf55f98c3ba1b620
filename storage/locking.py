"""The order in which transactions lock rows, so that no two of them can deadlock on PostgreSQL.

1. The stream's row, by `Store.writing()`. Whatever takes a revision starts with it.
2. Sources, by ascending id. Leases and the ends of polls change them without the stream's row.
3. Everything else, within one of these: activities, actors, rules, transitions, the audit log.

Hosts, meters, alerts, sessions and tokens are locked alone, in transactions of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from storage.tables import source

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection


def lock_sources(connection: Connection, which: ColumnElement[bool]) -> None:
    """Lock sources by ascending id before a statement that changes several of them.

    An UPDATE locks rows in the order of its plan, so two of them over the same sources could deadlock.
    """
    if connection.dialect.name == "postgresql":  # SQLite has one writer
        connection.execute(select(source.c.id).where(which).order_by(source.c.id).with_for_update())
