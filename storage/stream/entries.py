"""Read the stored state of a document's entries for decisions on edits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, tuple_

from aggregator.domain.activity import Review
from aggregator.domain.matching.edit_decisions import EditFacts, Entry, StoredEntry, is_edit
from aggregator.domain.matching.entry_matching import StoredKeys, match_existing
from aggregator.domain.retention import is_expired
from storage.moderation.pending_edits import PendingEdits
from storage.stream.versions import Versions
from storage.tables.stream import activity

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Connection, Row

    from aggregator.domain.activity import ScreenedActivity

STREAM_AGE = "stream_age"  # execution option of a connection: how long items stay in the stream; None: forever
_STORED = (
    activity.c.id,
    activity.c.entry_digest,
    activity.c.fingerprint,
    activity.c.gone,
    activity.c.first_seen,
    ((activity.c.review == Review.PUBLISHED.value) & (activity.c.review_by == "person")).label("approved"),
)


class StoredEntries:
    """The stored entries of sources, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def known(self, source_id: int, native_ids: Collection[str]) -> dict[str, StoredEntry]:
        """Return the stored state of these entries of a source, in one query."""
        rows = self._connection.execute(
            select(activity.c.native_id, *_STORED).where(
                activity.c.source_id == source_id, activity.c.native_id.in_(native_ids)
            )
        )
        return {row.native_id: _stored(row) for row in rows}

    def known_among(self, entries: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        """Return those of these entries that are stored, also as removed ones; each is a source's and a native id."""
        pair = tuple_(activity.c.source_id, activity.c.native_id)
        chosen = select(activity.c.source_id, activity.c.native_id).where(pair.in_(list(entries)))
        return {(row.source_id, row.native_id) for row in self._connection.execute(chosen)}

    def match(
        self, source_id: int, screened: Sequence[ScreenedActivity], present: Collection[str], *, recognising: bool
    ) -> list[Entry]:
        """Match each entry with its stored state; of entries with the same id the last one counts."""
        newest = {entry.new.native_id: entry for entry in screened}
        known = self.known(source_id, newest.keys())
        fresh = [entry for native_id, entry in newest.items() if native_id not in known]
        matched: dict[str, Any] = {}
        if recognising and fresh:
            matched = self._match_by_keys(source_id, fresh, {*newest, *present})
        entries = [Entry(entry, known[native_id]) for native_id, entry in newest.items() if native_id in known]
        for entry in fresh:
            row = matched.get(entry.new.native_id)
            if row is None:
                entries.append(Entry(entry, None))
            else:
                entries.append(Entry(replace(entry, new=replace(entry.new, native_id=row.native_id)), _stored(row)))
        return entries

    def _match_by_keys(
        self, source_id: int, fresh: Sequence[ScreenedActivity], present: Collection[str]
    ) -> dict[str, Any]:
        """Return the rows of entries that are stored under another id, by their new ids."""
        rows = self._connection.execute(
            select(
                activity.c.native_id,
                activity.c.alias,
                activity.c.likeness,
                activity.c.title,
                activity.c.published,
                *_STORED,
            )
            .where(activity.c.source_id == source_id)
            .where(
                activity.c.alias.in_({entry.stable_key for entry in fresh if entry.stable_key})
                | activity.c.likeness.in_({entry.content_key for entry in fresh if entry.content_key})
            )
            .order_by(activity.c.id)
        ).all()
        stored = [StoredKeys(row.native_id, row.alias, row.likeness, row.title, row.published) for row in rows]
        names = match_existing(fresh, stored, present) if stored else {}
        by_name = {row.native_id: row for row in rows}
        return {new: by_name[former] for new, former in names.items()}

    def without_expired(self, entries: Sequence[Entry], now: datetime) -> list[Entry]:
        """Return the entries without unknown ones that are older than what the stream keeps."""
        age: timedelta | None = self._connection.get_execution_options().get(STREAM_AGE)
        if age is None:
            return list(entries)
        return [entry for entry in entries if entry.stored or not is_expired(entry.screened, now - age)]

    def facts(self, entries: Sequence[Entry]) -> EditFacts:
        """Read the other data for decisions on these entries."""
        edited = [entry.stored.id for entry in entries if entry.stored and is_edit(entry)]
        approved = [entry.stored.id for entry in entries if entry.stored and entry.stored.approved]
        return EditFacts(
            versions=Versions(self._connection).former(edited) if edited else {},
            pending=PendingEdits(self._connection).marks(approved) if approved else {},
        )


def _stored(row: Row[Any]) -> StoredEntry:
    return StoredEntry(row.id, row.entry_digest, row.fingerprint, row.gone, bool(row.approved), row.first_seen)
