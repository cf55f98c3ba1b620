"""Run backfills beside the system: in batches with short transactions that commit their progress.

A migration starts one (`storage.online_migrations.start_backfill`). Workers that know its name run it, one at a time,
also while older code still runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select, text, update

from storage.tables.migrations import background_migration

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Backfill:
    """A change of every row of a table, in the order of its integer key.

    The statement changes the rows with `:after < key <= :upto`, and does no harm when it is repeated.
    """

    name: str  # as in its migration
    table: str
    statement: str
    key: str = "id"
    locks_stream: bool = True  # whether it changes sources, activities or actors, see `Store.writing`


BACKFILLS: dict[str, Backfill] = {}  # those that migrations of this version or the last one start


class BackfillState(NamedTuple):
    """The progress of a backfill."""

    name: str
    created: datetime
    position: int  # the last key that was examined
    last_key: int | None  # the highest key of the table; None: the table is unknown here, or empty
    changed: int  # rows
    last_batch: datetime | None
    finished: datetime | None
    problem: str | None

    @property
    def share(self) -> float | None:
        """The finished part, 0 to 1; None: unknown."""
        if self.finished is not None:
            return 1.0
        return None if self.last_key is None else min(self.position / max(self.last_key, 1), 1.0)


class Backfills:
    """The backfills, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pending(self) -> list[str]:
        """Return the names of the unfinished ones, oldest first, also of those that this version doesn't know."""
        chosen = select(background_migration.c.name).where(background_migration.c.finished.is_(None))
        return list(self._connection.execute(chosen.order_by(background_migration.c.name)).scalars())

    def states(self) -> list[BackfillState]:
        """Return the progress of every backfill."""
        rows = self._connection.execute(select(background_migration).order_by(background_migration.c.name)).all()
        return [
            BackfillState(
                name=row.name,
                created=row.created,
                position=row.position,
                last_key=None if row.finished else self._last_key(BACKFILLS.get(row.name)),
                changed=row.changed,
                last_batch=row.last_batch,
                finished=row.finished,
                problem=row.problem,
            )
            for row in rows
        ]

    def run_batch(self, backfill: Backfill, size: int) -> bool:
        """Change the next rows, up to `size`; return False if nothing is left, or another process has the backfill."""
        row = background_migration.c.name == backfill.name
        chosen = select(background_migration.c.position).where(row, background_migration.c.finished.is_(None))
        position = self._connection.execute(chosen.with_for_update(skip_locked=True)).scalar()
        if position is None:
            return False
        window = (
            f"SELECT max({backfill.key}) FROM (SELECT {backfill.key} FROM {backfill.table} "  # noqa: S608  # our own names
            f"WHERE {backfill.key} > :after ORDER BY {backfill.key} LIMIT :size) AS rows_of_the_batch"
        )
        upto = self._connection.execute(text(window), {"after": position, "size": size}).scalar()
        now, progress = datetime.now(UTC), update(background_migration).where(row)
        if upto is None:
            self._connection.execute(progress.values(finished=now, problem=None))
            return False
        changed = self._connection.execute(text(backfill.statement), {"after": position, "upto": upto}).rowcount
        total = background_migration.c.changed + max(changed, 0)
        self._connection.execute(progress.values(position=upto, changed=total, last_batch=now, problem=None))
        return True

    def note_problem(self, name: str, problem: str) -> None:
        """Store why a batch failed."""
        self._connection.execute(
            update(background_migration).where(background_migration.c.name == name).values(problem=problem)
        )

    def _last_key(self, backfill: Backfill | None) -> int | None:
        if backfill is None:
            return None
        highest: int | None = self._connection.execute(
            text(f"SELECT max({backfill.key}) FROM {backfill.table}")  # noqa: S608  # our own names
        ).scalar()
        return highest
