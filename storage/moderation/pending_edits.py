"""Held edits: what publishers changed after a person had approved it, until a person has seen the change."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import select

from aggregator.domain.activity import Review, ScreenedActivity
from aggregator.domain.networks import network_of
from aggregator.domain.source import OnEdit
from storage.engine.upsert import Upsert
from storage.moderation.review_states import Reviews
from storage.tables.moderation import held_edit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

_screened: TypeAdapter[ScreenedActivity] = TypeAdapter(ScreenedActivity)
_UPSERT = Upsert(
    held_edit,
    index=["activity_id"],
    changing=["arrived", "fingerprint", "entry_digest", "content", "raw", "dealt_with"],
    columns=["activity_id", "arrived", "fingerprint", "entry_digest", "content", "raw", "dealt_with"],
)


class _Kept(NamedTuple):
    activity_id: int
    fingerprint: str
    entry_digest: str


@dataclass(frozen=True, slots=True)
class HeldEdit:
    """An edit that waits for a person."""

    activity_id: int
    arrived: datetime
    screened: ScreenedActivity


class HeldEdits:
    """The held edits, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep(
        self, approved: Sequence[tuple[ScreenedActivity, int]], edited: Collection[int], on_edit: OnEdit, now: datetime
    ) -> set[int]:
        """Keep edits of approved activities back; return the ids of those that keep their words.

        Args:
            approved: what is about to be written over activities that a person approved, and their ids.
            edited: ids of those whose publisher changed them; the others are only shown better.
            on_edit: what the source's policy says.
            now: the present moment.
        """
        if not approved:
            return set()
        statement = select(held_edit.c.activity_id, held_edit.c.fingerprint, held_edit.c.entry_digest)
        ids = [id_ for _, id_ in approved]
        rows = self._connection.execute(statement.where(held_edit.c.activity_id.in_(ids)))
        held = {row.activity_id: _Kept(*row) for row in rows}
        kept: set[int] = set()
        fresh = []
        for one, id_ in approved:
            known = held.get(id_)
            if known and known.entry_digest == one.new.entry_digest:
                kept.add(id_)  # it was seen, or waits to be
            elif on_edit is OnEdit.STAY and id_ in edited and not _edits_replace(one):
                kept.add(id_)
                if known is None or known.fingerprint != one.fingerprint:
                    fresh.append(_row(one, id_, now))
        for row in fresh:  # one by one: there are few, and some have no raw entry
            _UPSERT.run(self._connection, [row])
        return kept

    def send_back(self, ids: Collection[int], now: datetime) -> None:
        """Let approved activities wait again, since they have other words now."""
        if ids:
            reason = "the source changed it after it was approved"
            Reviews(self._connection).decide(ids, Review.WAITING, by="policy", reason=reason, now=now)

    def waiting(self, ids: Collection[int]) -> dict[int, HeldEdit]:
        """Return the edits of these activities that nobody has seen yet."""
        rows = self._connection.execute(
            select(held_edit).where(held_edit.c.activity_id.in_(ids), held_edit.c.dealt_with.is_(None))
        )
        return {row.activity_id: _edit(row.activity_id, row.arrived, row.content, row.raw) for row in rows}

    def decline(self, ids: Collection[int], now: datetime) -> None:
        """Note that a person has seen edits; the same ones are not held again."""
        if ids:
            self._connection.execute(held_edit.update().where(held_edit.c.activity_id.in_(ids)).values(dealt_with=now))

    def let_wait(self, activity_id: int) -> None:
        """Let an edit wait again."""
        self._connection.execute(
            held_edit.update().where(held_edit.c.activity_id == activity_id).values(dealt_with=None)
        )

    def forget(self, ids: Collection[int]) -> None:
        """Forget edits that were taken over, or taken back by the publisher."""
        if not ids:
            return
        self._connection.execute(held_edit.delete().where(held_edit.c.activity_id.in_(ids)))


def _edits_replace(one: ScreenedActivity) -> bool:
    return network_of(one.new.content.network).terms.edits_replace


def _row(one: ScreenedActivity, activity_id: int, now: datetime) -> dict[str, object]:
    raw = one.new.raw
    content = _screened.dump_python(replace(one, new=replace(one.new, raw=b"")), mode="json", exclude_defaults=True)
    return {
        "activity_id": activity_id,
        "arrived": now,
        "fingerprint": one.fingerprint,
        "entry_digest": one.new.entry_digest,
        "content": content,
        "raw": zlib.compress(raw) if raw else None,
        "dealt_with": None,
    }


def _edit(activity_id: int, arrived: datetime, content: Mapping[str, object], raw: bytes | None) -> HeldEdit:
    screened = _screened.validate_python(content)
    if raw:
        screened = replace(screened, new=replace(screened.new, raw=zlib.decompress(raw)))
    return HeldEdit(activity_id, arrived, screened)
