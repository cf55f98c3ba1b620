"""Manage the `stream` row: revision, time of the last change, schedulers' heartbeat and authority of `tag:` ids."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import case, false, func, or_, select, update

from aggregator.domain.stream import StreamMark
from aggregator.system import tracing
from storage.tables.stream import activity, actor, stream

if TYPE_CHECKING:
    from sqlalchemy import Connection

_IDLE_LIMIT = "10s"  # between two statements of a transaction that locks the stream's row
STREAM_LOCKED = "stream_locked"  # execution option of a connection whose transaction locks the stream's row


class Stream:
    """The state of the stream as a whole."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def revision(self) -> int:
        """Return the newest revision; following statements see all changes up to it."""
        revision: int = self._connection.execute(select(stream.c.revision)).scalar_one()
        return revision

    def instance(self) -> str:
        """Return the name of this database; revisions of other databases are not comparable."""
        name: str = self._connection.execute(select(stream.c.instance)).scalar_one()
        return name

    def lock(self) -> None:
        """Lock the stream's row until the transaction ends; on SQLite the transaction is the only writer anyway.

        All other writers wait meanwhile, so the server soon ends a transaction whose client has vanished.
        """
        locking = select(stream.c.id).with_for_update()
        if self._connection.dialect.name == "postgresql":
            locking = locking.add_columns(func.set_config("idle_in_transaction_session_timeout", _IDLE_LIMIT, True))
        self._connection.execute(locking)

    def require_lock(self) -> None:
        """Require that this transaction began by locking the stream, see `Store.writing`.

        Raises:
            RuntimeError: it didn't, so its writes could deadlock or use outdated data.
        """
        if not self._connection.get_execution_options().get(STREAM_LOCKED, False):
            raise RuntimeError("This transaction changes the stream, so open it with `Store.writing()`.")

    def take(self, count: int) -> int:
        """Allocate `count` revisions and return the first.

        This locks the stream's row until the transaction ends, so revisions become visible in order.
        """
        self.require_lock()
        now = datetime.now(UTC)
        later = case((stream.c.changed > now, stream.c.changed), else_=now)  # the clocks of writers differ
        statement = update(stream).values(
            revision=stream.c.revision + count, changed=later, trace=tracing.traceparent() or None
        )
        newest: int = self._connection.execute(statement.returning(stream.c.revision)).scalar_one()
        tracing.annotate(revision=newest)
        return newest - count + 1

    def mark(self) -> StreamMark:
        """Return the state of the stream; changes that commit during the read count as later."""
        newest = [select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery() for table in (activity, actor)]
        columns = (stream.c.revision, stream.c.changed, *newest, stream.c.trace)
        return StreamMark(*self._connection.execute(select(*columns)).one())

    def altered(self, since: StreamMark) -> int:
        """Return the newest revision at which an item that may have been shown was changed or removed.

        It is 0 if items were only added since the mark. An item added after the mark and hidden since counts as
        removed: it may have been shown in between.
        """
        newest = 0
        for table, known in ((activity, since.activity), (actor, since.actor)):
            hidden = activity.c.visible.is_(False) if table is activity else false()
            altered = or_(table.c.id <= known, hidden)
            chosen = select(func.max(table.c.revision)).where(table.c.revision > since.revision, altered)
            newest = max(newest, self._connection.execute(chosen).scalar() or 0)
        return newest

    def beat(self, now: datetime) -> datetime | None:
        """Record that a tick runs; return the time of the last one. The row's lock serializes ticks."""
        last: datetime | None = self._connection.execute(select(stream.c.last_tick).with_for_update()).scalar_one()
        self._connection.execute(update(stream).values(last_tick=now))
        return last

    def last_tick(self) -> datetime | None:
        """Return when a tick last ran."""
        moment: datetime | None = self._connection.execute(select(stream.c.last_tick)).scalar_one()
        return moment

    def tag_authority(self) -> tuple[str, str]:
        """Return authority and date of our `tag:` ids, set when the database was created."""
        row = self._connection.execute(select(stream.c.tag_authority, stream.c.tag_date)).one()
        return row.tag_authority, row.tag_date
