"""Store entries with an unknown structure until a newer version can read them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, exists, func, select, update

from storage.engine import erasure
from storage.engine.upsert import Upsert
from storage.stream.content_columns import ids_only_of
from storage.tables.stream import activity, unread_entry

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from aggregator.domain.polling.results import UnreadEntry

MOST_PER_SOURCE = 500  # older ones are deleted
_COLUMNS = ("source_id", "native_id", "key", "reason", "payload", "version", "first_seen")
_UPSERT = Upsert(
    unread_entry, index=["source_id", "native_id"], changing=["reason", "payload", "version"], columns=_COLUMNS
)


class KeptEntry(NamedTuple):
    """A stored entry."""

    id: int
    source_id: int
    native_id: str
    raw: bytes


class UnreadEntries:
    """The entries that could not be read, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep(self, source_id: int, entries: Sequence[UnreadEntry], version: str, now: datetime) -> None:
        """Store entries of a source that this version can't read, except those of networks without stored content."""
        ids_only = ids_only_of(self._connection)
        entries = [entry for entry in entries if entry.key.partition(":")[0] not in ids_only]
        if not entries:
            return
        rows = [
            {
                "source_id": source_id,
                "native_id": entry.native_id,
                "key": entry.key,
                "reason": entry.reason,
                "payload": zlib.compress(entry.raw),
                "version": version,
                "first_seen": now,
            }
            for entry in {entry.native_id: entry for entry in entries}.values()
        ]
        _UPSERT.run(self._connection, rows)
        newest = select(unread_entry.c.id).where(unread_entry.c.source_id == source_id)
        kept = newest.order_by(unread_entry.c.id.desc()).limit(MOST_PER_SOURCE).subquery()
        self._connection.execute(
            delete(unread_entry).where(
                unread_entry.c.source_id == source_id, unread_entry.c.id.not_in(select(kept.c.id))
            )
        )

    def counts(self) -> dict[int, int]:
        """Return the number of entries by source, except those that were delivered again in a readable form."""
        read = exists().where(
            activity.c.source_id == unread_entry.c.source_id, activity.c.native_id == unread_entry.c.native_id
        )
        counted = (
            select(unread_entry.c.source_id, func.count().label("entries"))
            .where(~read)
            .group_by(unread_entry.c.source_id)
        )
        return {row.source_id: row.entries for row in self._connection.execute(counted)}

    def of_other_versions(self, version: str, most: int) -> list[KeptEntry]:
        """Return entries that this version did not try to read, oldest first."""
        columns = (unread_entry.c.id, unread_entry.c.source_id, unread_entry.c.native_id, unread_entry.c.payload)
        chosen = select(*columns).where(unread_entry.c.version != version).order_by(unread_entry.c.id).limit(most)
        rows = self._connection.execute(chosen)
        return [KeptEntry(row.id, row.source_id, row.native_id, zlib.decompress(row.payload)) for row in rows]

    def note_tried(self, ids: Collection[int], version: str) -> None:
        """Record that this version can't read these entries either."""
        self._connection.execute(update(unread_entry).where(unread_entry.c.id.in_(ids)).values(version=version))

    def forget(self, ids: Collection[int]) -> None:
        """Delete entries."""
        self._connection.execute(delete(unread_entry).where(unread_entry.c.id.in_(ids)))

    def forget_source(self, source_id: int) -> None:
        """Delete all entries of a source."""
        erasure.mark(self._connection)
        self._connection.execute(delete(unread_entry).where(unread_entry.c.source_id == source_id))

    def forget_network(self, network: str) -> None:
        """Delete all entries of a network."""
        erasure.mark(self._connection)
        self._connection.execute(
            delete(unread_entry).where(unread_entry.c.key.startswith(f"{network}:", autoescape=True))
        )

    def forget_mentioning(self, network: str, native_ids: Collection[str]) -> None:
        """Delete all entries of a network that contain one of these ids of posts or people: content that is removed."""
        chosen = select(unread_entry.c.id, unread_entry.c.payload).where(
            unread_entry.c.key.startswith(f"{network}:", autoescape=True)
        )
        marks = [f'"{native_id}"'.encode() for native_id in native_ids]
        mentioning = [
            row.id
            for row in self._connection.execute(chosen)
            if any(mark in raw for raw in (zlib.decompress(row.payload),) for mark in marks)
        ]
        if mentioning:
            erasure.mark(self._connection)
            self.forget(mentioning)
