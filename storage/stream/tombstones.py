"""Empty removed rows, and keep removed content from being stored again.

The row itself records the removal: content is nulled, identity is kept. Keys that are removed for every source,
including sources that have not delivered them yet, are also in `gone_key`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, select, update

from aggregator.domain.activity import ActivityKind, Upstream, quoted_in
from aggregator.domain.matching.fingerprint import fingerprint
from aggregator.domain.networks import network_of
from aggregator.domain.search_text import search_text
from storage.engine import erasure
from storage.revision import Stream
from storage.stream.pages import StreamReading
from storage.stream.versions import Versions
from storage.tables.compliance import gone_key
from storage.tables.moderation import held_edit
from storage.tables.stream import activity, activity_link, raw_payload, upload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from aggregator.domain.activity import Actor, Content, NewActivity, Original, ScreenedActivity

# Kind and network of a removed row stay: they reveal nothing that the key doesn't.
EMPTIED = ("url", "title", "text", "html", "lang", "published", "updated", "detail", "object", "topics", "countries",
           "reasons", "story", "search_text", "actor_id", "object_actor_id", "object_editable_until", "quoted_key",
           "quoted_actor_id", "thread", "headline", "note", "descriptions", "pinned_until")  # fmt: skip
_AT_ONCE = 10_000  # keys per query

_STRIP = (
    update(activity)
    .where(activity.c.id == bindparam("row"))
    .values(
        object=None,
        object_actor_id=None,
        quoted_key=None,
        quoted_actor_id=None,
        search_text=bindparam("words"),
        fingerprint=bindparam("looks"),
        revision=bindparam("next"),
    )
)


class Buried(NamedTuple):
    """A row that became a tombstone, or lost its embedded object."""

    id: int
    key: str
    object_key: str | None
    revision: int


class Tombstones:
    """The removed content, within one transaction."""

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
        """Empty activities, up to `most`, and delete their related rows; return those that were not removed before."""
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
            [{"row": row.id, "next": row.revision} for row in buried],
        )
        ids = [row.id for row in buried]
        self._forget(ids)
        self._connection.execute(activity_link.delete().where(activity_link.c.activity_id.in_(ids)))
        return buried

    def strip(self, which: ColumnElement[bool], *, most: int | None = None) -> list[Buried]:
        """Remove the embedded objects of activities and keep their own text; return the activities that had one.

        Reposts have no text of their own: use `bury`.
        """
        stream = Stream(self._connection)
        stream.require_lock()
        wordy = (activity.c.kind != ActivityKind.REPOST.value) & activity.c.gone.is_(None)
        live = select(activity.c.id, activity.c.key, activity.c.object_key).where(which, wordy)
        # Also if nothing is embedded any more: an older version or the raw entry may still contain it.
        self._forget(self._connection.execute(live.with_only_columns(activity.c.id)).scalars().all())
        embedding = live.where(activity.c.object.is_not(None)).order_by(activity.c.id).limit(most)
        rows = self._connection.execute(embedding).all()
        if not rows:
            return []
        first = stream.take(len(rows))
        stripped = [Buried(*row, first + offset) for offset, row in enumerate(rows)]
        self._connection.execute(
            _STRIP,
            [{"row": row.id, "next": row.revision, **self._without_object(row.id)} for row in stripped],
        )
        return stripped

    def strip_quoted(self, which: ColumnElement[bool], *, most: int | None = None) -> list[Buried]:
        """Remove the quoted posts from the objects of reposted quotes; `object_key` of the result is the quoted post's.

        The reposted quote keeps its own text.
        """
        stream = Stream(self._connection)
        stream.require_lock()
        columns = (activity.c.id, activity.c.key, activity.c.quoted_key, activity.c.object)
        live = select(*columns).where(which, activity.c.quoted_key.is_not(None), activity.c.gone.is_(None))
        rows = self._connection.execute(live.order_by(activity.c.id).limit(most)).all()
        if not rows:
            return []
        self._forget([row.id for row in rows])
        first = stream.take(len(rows))
        stripped = [Buried(row.id, row.key, row.quoted_key, first + offset) for offset, row in enumerate(rows)]
        for row, change in zip(rows, stripped, strict=True):
            remaining = {name: value for name, value in row.object.items() if name != "object"}
            changed = update(activity).where(activity.c.id == row.id)
            nothing = {"quoted_key": None, "quoted_actor_id": None}
            self._connection.execute(changed.values(object=remaining, revision=change.revision, **nothing))
            self._connection.execute(changed.values(**self._derived(row.id)))
        return stripped

    def among(self, keys: Collection[str]) -> set[str]:
        """Return which of these keys of posts ("x:1") and people ("x:@9") are removed."""
        listed = list(keys)
        found: set[str] = set()
        for start in range(0, len(listed), _AT_ONCE):
            chosen = select(gone_key.c.key).where(gone_key.c.key.in_(listed[start : start + _AT_ONCE]))
            found.update(self._connection.execute(chosen).scalars())
        return found

    def admitted(self, writes: Sequence[ScreenedActivity], stored: Mapping[str, str]) -> list[ScreenedActivity]:
        """Return the entries that may be stored: without removed ones, and without removed embedded objects.

        The caller locks the stream's row (`Stream.take`), or a removal could commit between this check and the write.

        Args:
            writes: the entries to write.
            stored: by native id, the fingerprints of the stored entries.
        """
        gone = self.among(
            {key for entry in writes for key in (*_own(entry.new), *_embedded(entry.new), *_quoted(entry.new))}
        )
        if not gone:
            return list(writes)
        writes = [entry if gone.isdisjoint(_quoted(entry.new)) else _without_quoted(entry) for entry in writes]
        admitted = []
        for entry in writes:
            if not gone.isdisjoint(_own(entry.new)):
                continue
            if gone.isdisjoint(_embedded(entry.new)):
                admitted.append(entry)
            elif entry.new.content.kind is not ActivityKind.REPOST:  # which has no text of its own
                alone = _without_object(entry)
                if stored.get(entry.new.native_id) != alone.fingerprint:
                    admitted.append(alone)
        return admitted

    def _without_object(self, activity_id: int) -> dict[str, str]:
        stored = StreamReading(self._connection).get(activity_id)
        content = stored.content if stored else None
        return {
            "words": search_text(content, None) if content else "",
            "looks": fingerprint(content, None) if content else "",
        }

    def _derived(self, activity_id: int) -> dict[str, str]:
        """Return the values that follow from the stored content."""
        stored = StreamReading(self._connection).get(activity_id)
        if stored is None:
            return {}
        words, looks = search_text(stored.content, stored.object), fingerprint(stored.content, stored.object)
        return {"search_text": words, "fingerprint": looks}

    def _forget(self, ids: Collection[int]) -> None:
        """Delete raw entries, older versions and pending edits."""
        erasure.mark(self._connection)
        Versions(self._connection).forget(ids)
        for table in (raw_payload, held_edit, upload):
            self._connection.execute(table.delete().where(table.c.activity_id.in_(ids)))


def person_key(network: str, native_id: str) -> str:
    """Return the key of a person: "x:@9"."""
    return f"{network}:@{native_id}"


def _own(new: NewActivity) -> Iterator[str]:
    """Yield every key by which an activity itself may be removed."""
    yield new.key
    yield from _names(new.content)


def _embedded(new: NewActivity) -> Iterator[str]:
    """Yield every key by which its embedded object may be removed."""
    if new.object_key:
        yield new.object_key
    if new.object:
        yield new.object.key
        yield from _names(new.object.content)


def _quoted(new: NewActivity) -> Iterator[str]:
    """Yield every key by which the quoted post of a reposted quote may be removed."""
    if (quoted := quoted_in(new)) is not None:
        yield quoted.key
        yield from _names(quoted.content)


def _names(content: Content) -> Iterator[str]:
    """Yield the keys of the author and of the visible version: an edited post is known by its newest id."""
    actor: Actor | None = content.actor
    if not network_of(content.network).has_accounts:
        return
    if actor:
        yield person_key(actor.network, actor.native_id)
    version = (content.url or "").rpartition("/")[2]
    if version.isascii() and version.isdigit():
        yield f"{content.network}:{version}"


def _without_object(entry: ScreenedActivity) -> ScreenedActivity:
    """Return an activity without its embedded object."""
    return _with_object(entry, None)


def _without_quoted(entry: ScreenedActivity) -> ScreenedActivity:
    """Return a reposted quote without the post that it quotes."""
    original = entry.new.object
    return _with_object(entry, replace(original, object=None) if original else None)


def _with_object(entry: ScreenedActivity, original: Original | None) -> ScreenedActivity:
    content = entry.new.content
    return replace(
        entry,
        new=replace(entry.new, object=original, raw=b""),
        fingerprint=fingerprint(content, original),
        search_text=search_text(content, original),
    )
