"""Tombstones: how content leaves the rows that held it, and how nothing gone comes in again.

The row itself is what remembers that it is gone: content nulled, identity kept. What is gone for every source, also
for those that have not brought it yet, is in `gone_key` besides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, select, update

from aggregator.domain.activity import ActivityKind, Upstream
from aggregator.domain.matching.fingerprint import fingerprint
from aggregator.domain.networks import network_of
from aggregator.domain.search_text import search_text
from storage.engine import erasure
from storage.revision import Stream
from storage.stream.pages import StreamReading
from storage.stream.versions import Versions
from storage.tables.compliance import gone_key
from storage.tables.moderation import held_edit
from storage.tables.stream import activity, activity_link, raw_payload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from aggregator.domain.activity import Actor, Content, NewActivity, ScreenedActivity

# Kind and network of a gone row stay: they say nothing that the key does not.
EMPTIED = ("url", "title", "text", "html", "lang", "published", "updated", "detail", "object", "topics", "countries",
           "reasons", "story", "search_text", "actor_id", "object_actor_id", "headline", "note",
           "pinned_until")  # fmt: skip
_AT_ONCE = 10_000  # keys of one query

_STRIP = (
    update(activity)
    .where(activity.c.id == bindparam("row"))
    .values(
        object=None,
        object_actor_id=None,
        search_text=bindparam("words"),
        fingerprint=bindparam("looks"),
        revision=bindparam("next"),
    )
)


class Buried(NamedTuple):
    """A row that became a tombstone, or lost what it embedded."""

    id: int
    key: str
    object_key: str | None
    revision: int


class Tombstones:
    """What is gone, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def bury(
        self,
        which: ColumnElement[bool],
        reason: str,
        now: datetime,
        *,
        upstream: Upstream = Upstream.GONE,
        most: int | None = None,
    ) -> list[Buried]:
        """Empty activities, at most so many, and delete what was kept beside them; return those that were not gone."""
        stream = Stream(self._connection)
        stream.require_lock()
        chosen = select(activity.c.id, activity.c.key, activity.c.object_key).where(which, activity.c.gone.is_(None))
        rows = self._connection.execute(chosen.order_by(activity.c.id).limit(most)).all()
        if not rows:
            return []
        first = stream.take(len(rows))
        buried = [Buried(*row, first + offset) for offset, row in enumerate(rows)]
        gone = {"gone": now, "gone_reason": reason, "upstream": upstream.value, "visible": False}
        self._connection.execute(
            update(activity)
            .where(activity.c.id == bindparam("row"))
            .values(**dict.fromkeys(EMPTIED), **gone, revision=bindparam("next")),
            [{"row": one.id, "next": one.revision} for one in buried],
        )
        ids = [one.id for one in buried]
        self._forget(ids)
        self._connection.execute(activity_link.delete().where(activity_link.c.activity_id.in_(ids)))
        return buried

    def strip(self, which: ColumnElement[bool], *, most: int | None = None) -> list[Buried]:
        """Take out what activities embed and leave them their own words; return those that embedded something.

        Reposts have no words of their own: they are for `bury`.
        """
        stream = Stream(self._connection)
        stream.require_lock()
        wordy = (activity.c.kind != ActivityKind.REPOST.value) & activity.c.gone.is_(None)
        live = select(activity.c.id, activity.c.key, activity.c.object_key).where(which, wordy)
        # Also where nothing is embedded any more: an older version or the raw entry may still hold it.
        self._forget(self._connection.execute(live.with_only_columns(activity.c.id)).scalars().all())
        embedding = live.where(activity.c.object.is_not(None)).order_by(activity.c.id).limit(most)
        rows = self._connection.execute(embedding).all()
        if not rows:
            return []
        first = stream.take(len(rows))
        stripped = [Buried(*row, first + offset) for offset, row in enumerate(rows)]
        self._connection.execute(
            _STRIP,
            [{"row": one.id, "next": one.revision, **self._alone(one.id)} for one in stripped],
        )
        return stripped

    def among(self, keys: Collection[str]) -> set[str]:
        """Return which of these keys of posts ("x:1") and people ("x:@9") are gone."""
        listed = list(keys)
        found: set[str] = set()
        for start in range(0, len(listed), _AT_ONCE):
            chosen = select(gone_key.c.key).where(gone_key.c.key.in_(listed[start : start + _AT_ONCE]))
            found.update(self._connection.execute(chosen).scalars())
        return found

    def admitted(self, writes: Sequence[ScreenedActivity], held: Mapping[str, str]) -> list[ScreenedActivity]:
        """Return what of this may be stored: without what is gone, and without what of it is.

        The caller holds the stream's row (`Stream.take`), or a removal could commit between this look and the write.

        Args:
            writes: what is about to be written.
            held: by native id, the fingerprints of what is held already.
        """
        gone = self.among({key for one in writes for key in (*_own(one.new), *_embedded(one.new))})
        if not gone:
            return list(writes)
        admitted = []
        for one in writes:
            if not gone.isdisjoint(_own(one.new)):
                continue
            if gone.isdisjoint(_embedded(one.new)):
                admitted.append(one)
            elif one.new.content.kind is not ActivityKind.REPOST:  # which has no words of its own
                alone = _alone(one)
                if held.get(one.new.native_id) != alone.fingerprint:
                    admitted.append(alone)
        return admitted

    def _alone(self, activity_id: int) -> dict[str, str]:
        held = StreamReading(self._connection).get(activity_id)
        content = held.content if held else None
        return {
            "words": search_text(content, None) if content else "",
            "looks": fingerprint(content, None) if content else "",
        }

    def _forget(self, ids: Collection[int]) -> None:
        """Delete raw entries, older versions and edits that wait."""
        erasure.mark(self._connection)
        Versions(self._connection).forget(ids)
        for table in (raw_payload, held_edit):
            self._connection.execute(table.delete().where(table.c.activity_id.in_(ids)))


def person_key(network: str, native_id: str) -> str:
    """Return the key of a person: "x:@9"."""
    return f"{network}:@{native_id}"


def _own(new: NewActivity) -> Iterator[str]:
    """Give every key by which an activity itself may be gone."""
    yield new.key
    yield from _names(new.content)


def _embedded(new: NewActivity) -> Iterator[str]:
    """Give every key by which what it is about may be gone."""
    if new.object_key:
        yield new.object_key
    if new.object:
        yield new.object.key
        yield from _names(new.object.content)


def _names(content: Content) -> Iterator[str]:
    """Give the key of the author, and of the version that is shown: people know an edited post by its newest id."""
    actor: Actor | None = content.actor
    if not network_of(content.network).has_accounts:
        return
    if actor:
        yield person_key(actor.network, actor.native_id)
    version = (content.url or "").rpartition("/")[2]
    if version.isascii() and version.isdigit():
        yield f"{content.network}:{version}"


def _alone(one: ScreenedActivity) -> ScreenedActivity:
    """Return an activity with its own words only."""
    content = one.new.content
    return replace(
        one,
        new=replace(one.new, object=None, raw=b""),
        fingerprint=fingerprint(content, None),
        search_text=search_text(content, None),
    )
