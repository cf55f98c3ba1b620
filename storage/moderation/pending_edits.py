"""Store edits of approved activities until a person accepts or declines them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from aggregator.domain.activity import Review, ScreenedActivity
from aggregator.domain.adapters import adapter
from aggregator.domain.matching.edit_decisions import PendingMark
from storage.engine.upsert import Upsert
from storage.moderation.review_states import Reviews
from storage.tables.moderation import held_edit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

_STORED_NAMES = {"stable_key": "alias", "content_key": "likeness"}  # field -> its spelling in the database
_UPSERT = Upsert(
    held_edit,
    index=["activity_id"],
    changing=["arrived", "fingerprint", "entry_digest", "content", "raw", "dealt_with"],
    columns=["activity_id", "arrived", "fingerprint", "entry_digest", "content", "raw", "dealt_with"],
)


@dataclass(frozen=True, slots=True)
class PendingEdit:
    """A pending edit."""

    activity_id: int
    arrived: datetime
    screened: ScreenedActivity


class PendingEdits:
    """The pending edits, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def marks(self, ids: Collection[int]) -> dict[int, PendingMark]:
        """Return the marks of pending and declined edits of these activities."""
        marks = select(held_edit.c.activity_id, held_edit.c.fingerprint, held_edit.c.entry_digest)
        rows = self._connection.execute(marks.where(held_edit.c.activity_id.in_(ids)))
        return {row.activity_id: PendingMark(row.fingerprint, row.entry_digest) for row in rows}

    def keep(self, edits: Sequence[tuple[ScreenedActivity, int]], now: datetime) -> None:
        """Store edits of activities, replacing earlier pending ones."""
        for screened, activity_id in edits:  # row by row: there are few, and some have no raw entry
            _UPSERT.run(self._connection, [_row(screened, activity_id, now)])

    def send_back(self, ids: Collection[int], now: datetime) -> None:
        """Return approved activities to review after their content changed."""
        if ids:
            reason = "the source changed it after it was approved"
            Reviews(self._connection).decide(ids, Review.WAITING, by="policy", reason=reason, now=now)

    def waiting(self, ids: Collection[int]) -> dict[int, PendingEdit]:
        """Return the undecided edits of these activities."""
        rows = self._connection.execute(
            select(held_edit).where(held_edit.c.activity_id.in_(ids), held_edit.c.dealt_with.is_(None))
        )
        return {row.activity_id: _edit(row.activity_id, row.arrived, row.content, row.raw) for row in rows}

    def decline(self, ids: Collection[int], now: datetime) -> None:
        """Record that edits were declined; the same edits are not held again."""
        if ids:
            self._connection.execute(held_edit.update().where(held_edit.c.activity_id.in_(ids)).values(dealt_with=now))

    def let_wait(self, activity_id: int) -> None:
        """Make an edit pending again."""
        self._connection.execute(
            held_edit.update().where(held_edit.c.activity_id == activity_id).values(dealt_with=None)
        )

    def forget(self, ids: Collection[int]) -> None:
        """Delete edits that were applied, or reverted by the publisher."""
        if not ids:
            return
        self._connection.execute(held_edit.delete().where(held_edit.c.activity_id.in_(ids)))


def _row(screened: ScreenedActivity, activity_id: int, now: datetime) -> dict[str, object]:
    raw = screened.new.raw
    content = adapter(ScreenedActivity).dump_python(
        replace(screened, new=replace(screened.new, raw=b"")), mode="json", exclude_defaults=True
    )
    for name, spelling in _STORED_NAMES.items():
        if name in content:
            content[spelling] = content.pop(name)
    return {
        "activity_id": activity_id,
        "arrived": now,
        "fingerprint": screened.fingerprint,
        "entry_digest": screened.new.entry_digest,
        "content": content,
        "raw": zlib.compress(raw) if raw else None,
        "dealt_with": None,
    }


def _edit(activity_id: int, arrived: datetime, content: Mapping[str, object], raw: bytes | None) -> PendingEdit:
    named = dict(content)
    for name, spelling in _STORED_NAMES.items():
        if spelling in named:
            named[name] = named.pop(spelling)
    screened = adapter(ScreenedActivity).validate_python(named)
    if raw:
        screened = replace(screened, new=replace(screened.new, raw=zlib.decompress(raw)))
    return PendingEdit(activity_id, arrived, screened)
