"""Activities: what is known, how they are stored, and how they go. Reading the stream is `storage/stream/pages.py`."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, func, insert, select, update

from aggregator.domain.activity import BY_RULE, Review, Upstream
from aggregator.domain.matching.entry_matching import Held, recognised
from aggregator.domain.search_text import search_text
from aggregator.domain.source import OnEdit
from storage.engine.upsert import Upsert
from storage.moderation.pending_edits import HeldEdits
from storage.revision import Stream
from storage.stream.actors import Actors
from storage.stream.content_columns import COLUMNS, columns_of, json_of
from storage.stream.pages import StreamReading
from storage.stream.stories import Stories
from storage.stream.tags import rules_tags
from storage.stream.tombstones import Tombstones
from storage.stream.versions import COLUMNS as VERSIONED
from storage.stream.versions import Versions
from storage.tables.stream import activity, raw_payload, transition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from aggregator.domain.activity import Actor, ScheduledTransition, ScreenedActivity
    from storage.stream.actors import Identity

Judge = Callable[["Sequence[ScreenedActivity]"], "list[ScreenedActivity]"]

_CONTENT = (
    *COLUMNS,
    "detail",
    "object",
    "object_key",
    "key",
    "alias",
    "likeness",
    "actor_id",
    "object_actor_id",
    "topics",
    "countries",
    "reasons",
    "search_text",
)
_EDITED = (*_CONTENT, "entry_digest", "fingerprint", "revision")
_LATER = {
    "id",
    "gone",
    "gone_reason",
    "reviewed",
    "reviewer",
    "headline",
    "note",
    "story_by_hand",
}  # nothing that a source says
_UPSERT = Upsert(
    activity,
    index=["source_id", "native_id"],
    changing=_EDITED,
    columns=[column.name for column in activity.c if column.name not in _LATER],
    where=activity.c.gone.is_(None),
    returning=["id", "native_id"],
)
_UPSERT_PAYLOADS = Upsert(
    raw_payload,
    index=["activity_id"],
    changing=["payload", "stored"],
    columns=["activity_id", "payload", "stored"],
)
_KNOWN = (
    activity.c.id,
    activity.c.entry_digest,
    activity.c.fingerprint,
    activity.c.gone,
    ((activity.c.review == Review.PUBLISHED.value) & (activity.c.review_by == "person")).label("approved"),
)
_FASTEST = 1  # level of compression: twice as fast as the usual one and a seventh larger


class Known(NamedTuple):
    """What we already hold of an entry."""

    id: int
    entry_digest: str
    fingerprint: str
    gone: datetime | None
    approved: bool  # a person wants it shown


@dataclass(frozen=True, slots=True)
class Stored:
    """How many entries of a document were new, changed in what people see, or neither."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0  # of the new
    held: int = 0  # edits of what a person approved, which wait for a person
    times: Sequence[datetime] = ()  # when the new ones were published, or first seen where they do not say


class Activities(StreamReading):
    """The activities, within one transaction: reading them as `StreamReading` does, and writing."""

    def known(self, source_id: int, native_ids: Collection[str]) -> dict[str, Known]:
        """Return what is held of these entries of a source, in one query."""
        rows = self._connection.execute(
            select(activity.c.native_id, *_KNOWN).where(
                activity.c.source_id == source_id, activity.c.native_id.in_(native_ids)
            )
        )
        return {row.native_id: _known(row) for row in rows}

    def store(
        self,
        source_id: int,
        screened: Sequence[ScreenedActivity],
        now: datetime,
        *,
        present: Collection[str] = (),
        recognising: bool = False,
        judge: Judge = list,
        on_edit: OnEdit = OnEdit.STAY,
    ) -> Stored:
        """Write what is new or changed, oldest first; touch nothing else.

        Where the entry and its looks changed, somebody edited it: the old looks go to the versions. Changed looks of
        the very same entry are our own better rendering: no version. A gone row stays gone.

        Args:
            source_id: whose entries these are.
            screened: the entries, oldest first.
            now: the present moment.
            present: ids of entries that the document carries besides these.
            recognising: whether an entry with an unknown id may be a stored one (`domain.matching.entry_matching`).
            judge: decides on the entries that are new, all together.
            on_edit: what an edit does to what a person approved.
        """
        # The decisions below rest on this read, a person's approval for one; no other writer may change it meanwhile.
        Stream(self._connection).require_lock()
        wanted = {one.new.native_id: one for one in screened}  # the last of a repeated id wins
        known = self.known(source_id, wanted.keys())
        fresh = [one for native_id, one in wanted.items() if native_id not in known]
        held = [(one, known[native_id]) for native_id, one in wanted.items() if native_id in known]
        moved: list[tuple[ScreenedActivity, Known]] = []
        if recognising and fresh:
            fresh, moved = self._recognise(source_id, fresh, {*wanted, *present})
        fresh = judge(fresh)
        live = [(one, old) for one, old in held + moved if old.gone is None]
        restyled = [(one, old) for one, old in live if old.fingerprint != one.fingerprint]
        edited = {old.id: one.fingerprint for one, old in restyled if _edited(one, old)}
        flapping = Versions(self._connection).flapping(edited, now)
        restyled = [(one, old) for one, old in restyled if old.id not in flapping]
        edits = HeldEdits(self._connection)
        edits.forget([old.id for one, old in live if old.approved and old.fingerprint == one.fingerprint])
        kept = edits.keep([(one, old.id) for one, old in restyled if old.approved], edited, on_edit, now)
        restyled = [(one, old) for one, old in restyled if old.id not in kept]
        writes = [*fresh, *(one for one, _ in restyled)]
        rewritten = {id(one) for one, _ in restyled} | {id(one) for one, old in live if old.id in kept}
        if writes:
            versions = {one.new.native_id: old.id for one, old in restyled if old.id in edited}
            looks = {native_id: one.fingerprint for native_id, one in known.items()}
            ids = self._write(source_id, writes, now, versions, looks)
            writes = [one for one in writes if one.new.native_id in ids]
            written = ids.keys()
            fresh = [one for one in fresh if one.new.native_id in written]
            self._keep_intentions({ids[one.new.native_id]: one.later for one in fresh if one.later})
            restyled = [(one, old) for one, old in restyled if one.new.native_id in written]
            if on_edit is OnEdit.RETURN:
                edits.send_back([old.id for _, old in restyled if old.approved and old.id in edited], now)
        self._remember_digests([(one, old) for one, old in live if id(one) not in rewritten], now)
        quarantined = sum(one.review is Review.QUARANTINED for one in fresh)
        times = [one.new.content.published or now for one in fresh]
        unchanged = len(screened) - len(writes) - len(kept)
        return Stored(len(fresh), len(restyled), unchanged, quarantined, len(kept), times)

    def _recognise(
        self, source_id: int, fresh: Sequence[ScreenedActivity], present: Collection[str]
    ) -> tuple[list[ScreenedActivity], list[tuple[ScreenedActivity, Known]]]:
        """Part entries with unknown ids into new ones and ones that we hold under another id."""
        aliases = {one.alias for one in fresh if one.alias}
        likenesses = {one.likeness for one in fresh if one.likeness}
        rows = self._connection.execute(
            select(
                activity.c.native_id,
                activity.c.alias,
                activity.c.likeness,
                activity.c.title,
                activity.c.published,
                *_KNOWN,
            )
            .where(activity.c.source_id == source_id)
            .where(activity.c.alias.in_(aliases) | activity.c.likeness.in_(likenesses))
            .order_by(activity.c.id)
        ).all()
        held = [Held(row.native_id, row.alias, row.likeness, row.title, row.published) for row in rows]
        names = recognised(fresh, held, present) if held else {}
        by_name = {row.native_id: _known(row) for row in rows}
        new = [one for one in fresh if one.new.native_id not in names]
        moved = [
            (replace(one, new=replace(one.new, native_id=names[one.new.native_id])), by_name[names[one.new.native_id]])
            for one in fresh
            if one.new.native_id in names
        ]
        return new, moved

    def _write(
        self,
        source_id: int,
        writes: Sequence[ScreenedActivity],
        now: datetime,
        edited: Mapping[str, int],
        looks: Mapping[str, str],
    ) -> dict[str, int]:
        """Write what is not gone, and return its ids by native id."""
        first = Stream(self._connection).take(len(writes))
        # Under the lock, so that no removal can come between the look and the write.
        writes = Tombstones(self._connection).admitted(writes, looks)
        if not writes:
            return {}
        actors = Actors(self._connection).store(_people(writes))
        replaced = [edited[one.new.native_id] for one in writes if one.new.native_id in edited]
        if replaced:
            Versions(self._connection).keep(replaced, now)
        writes = self._with_rules_tags(source_id, writes, looks.keys())
        rows = [_row(source_id, one, now, first + offset, actors) for offset, one in enumerate(writes)]
        ids = {row.native_id: row.id for row in _UPSERT.run(self._connection, rows)}
        self._keep_payloads({ids[one.new.native_id]: one.new.raw for one in writes if one.new.native_id in ids}, now)
        Stories(self._connection).link(
            {ids[one.new.native_id]: one.new for one in writes if one.new.native_id in ids}, replaced
        )
        return ids

    def _with_rules_tags(
        self, source_id: int, writes: Sequence[ScreenedActivity], known: Collection[str]
    ) -> Sequence[ScreenedActivity]:
        """Leave what is written again the tags that rules gave it: they look at what is new alone."""
        again = [one.new.native_id for one in writes if one.new.native_id in known]
        if not again:
            return writes
        rows = self._connection.execute(
            select(activity.c.native_id, activity.c.topics, activity.c.reasons).where(
                activity.c.source_id == source_id, activity.c.native_id.in_(again), activity.c.topics.is_not(None)
            )
        )
        kept = {row.native_id: tags for row in rows if (tags := rules_tags(row.topics, row.reasons))}
        return [
            replace(
                one,
                topics=tuple(dict.fromkeys((*one.topics, *kept[one.new.native_id]))),
                reasons={**dict.fromkeys(kept[one.new.native_id], BY_RULE), **one.reasons},
            )
            if one.new.native_id in kept
            else one
            for one in writes
        ]

    def _keep_intentions(self, later: Mapping[int, ScheduledTransition]) -> None:
        """Note what the clock will decide."""
        rows = [
            {"activity_id": id_, "due": one.due, "review": one.review.value, "review_by": one.by, "reason": one.reason}
            for id_, one in later.items()
        ]
        if rows:
            self._connection.execute(insert(transition), rows)

    def _remember_digests(self, alike: Iterable[tuple[ScreenedActivity, Known]], now: datetime) -> None:
        """Note the digests of entries that changed without looking different, so that the next poll skips them."""
        noise = [(one, old) for one, old in alike if old.entry_digest != one.new.entry_digest]
        if noise:
            self._connection.execute(
                update(activity).where(activity.c.id == bindparam("row")).values(entry_digest=bindparam("digest")),
                [{"row": old.id, "digest": one.new.entry_digest} for one, old in noise],
            )
            self._keep_payloads({old.id: one.new.raw for one, old in noise}, now)

    def _keep_payloads(self, payloads: Mapping[int, bytes], now: datetime) -> None:
        rows = [
            {"activity_id": id_, "payload": zlib.compress(raw, _FASTEST), "stored": now}
            for id_, raw in payloads.items()
            if raw
        ]
        if rows:
            _UPSERT_PAYLOADS.run(self._connection, rows)

    def take_edit(self, source_id: int, activity_id: int, one: ScreenedActivity, now: datetime) -> None:
        """Give an activity the words of an edit; the former ones go to the versions."""
        names = select(activity.c.native_id).where(activity.c.id == activity_id)
        native_id: str = self._connection.execute(names).scalar_one()
        edit = replace(one, new=replace(one.new, native_id=native_id))
        self._write(source_id, [edit], now, {native_id: activity_id}, {native_id: ""})

    def put_back(self, activity_id: int) -> None:
        """Give an activity the words of its last version again, and forget that version."""
        Stream(self._connection).require_lock()
        version = Versions(self._connection).take_newest(activity_id)
        if version is None:
            return
        former = {name: getattr(version, name) for name in VERSIONED if name != "revision"}
        revision = Stream(self._connection).take(1)
        row = update(activity).where(activity.c.id == activity_id, activity.c.gone.is_(None))
        self._connection.execute(row.values(**former, revision=revision))
        held = self.get(activity_id)
        if held is not None:
            self._connection.execute(row.values(search_text=search_text(held.content, held.object)))

    def raw(self, activity_id: int) -> bytes | None:
        """Return the newest raw entry of an activity."""
        payload = self._connection.execute(
            select(raw_payload.c.payload).where(raw_payload.c.activity_id == activity_id)
        ).scalar()
        return None if payload is None else zlib.decompress(payload)

    def kinds_by_source(self, source_ids: Collection[int], since: datetime) -> dict[int, dict[str, int]]:
        """Return how many activities of each kind sources brought since a moment, by source."""
        counted = (
            select(activity.c.source_id, activity.c.kind, func.count())
            .where(activity.c.source_id.in_(source_ids), activity.c.first_seen >= since)
            .group_by(activity.c.source_id, activity.c.kind)
        )
        found: dict[int, dict[str, int]] = {}
        for source_id, kind, count in self._connection.execute(counted):
            found.setdefault(source_id, {})[kind] = count
        return found

    def drop_quarantined(self, source_id: int, now: datetime) -> int:
        """Make a source's quarantined activities gone, so that they never come back; return how many."""
        held = (activity.c.source_id == source_id) & (activity.c.review == Review.QUARANTINED.value)
        return self._withdraw(held, "dropped from quarantine", now)

    def withdraw(self, source_id: int, keys: Collection[str], reason: str, now: datetime) -> int:
        """Make a source's activities with these keys gone; return how many were not yet."""
        return self._withdraw((activity.c.source_id == source_id) & activity.c.key.in_(keys), reason, now)

    def withdraw_all(self, source_id: int, reason: str, now: datetime) -> int:
        """Make everything of a source gone; return how many were not yet."""
        return self._withdraw(activity.c.source_id == source_id, reason, now)

    def _withdraw(self, which: ColumnElement[bool], reason: str, now: datetime) -> int:
        return len(Tombstones(self._connection).bury(which, reason, now))


def _known(row: Row[Any]) -> Known:
    return Known(row.id, row.entry_digest, row.fingerprint, row.gone, bool(row.approved))


def _people(writes: Iterable[ScreenedActivity]) -> Iterator[Actor | None]:
    """Everybody who said what is written, or what it is about."""
    for one in writes:
        yield one.new.content.actor
        if one.new.object is not None:
            yield one.new.object.content.actor


def _edited(one: ScreenedActivity, old: Known) -> bool:
    """Whether the publisher changed what people see; else it is we who show the same entry differently."""
    return old.entry_digest != one.new.entry_digest and _scheme(one.fingerprint) == _scheme(old.fingerprint)


def _scheme(fingerprint: str) -> str:
    return fingerprint.rpartition(":")[0]


def _row(
    source_id: int, one: ScreenedActivity, now: datetime, revision: int, actors: Mapping[Identity, int]
) -> dict[str, Any]:
    new = one.new
    who = new.content.actor
    quoted = new.object.content.actor if new.object else None
    return {
        **columns_of(new.content),
        "source_id": source_id,
        "native_id": new.native_id,
        "key": new.key,
        "object_key": new.object_key,
        "alias": one.alias,
        "likeness": one.likeness,
        "object": json_of(new.object),
        "actor_id": actors[who.network, who.native_id] if who else None,
        "object_actor_id": actors[quoted.network, quoted.native_id] if quoted else None,
        "topics": list(one.topics) or None,
        "countries": list(one.countries) or None,
        "reasons": dict(one.reasons) or None,
        "story": one.story,
        "search_text": one.search_text,
        "first_seen": now,
        "entry_digest": new.entry_digest,
        "fingerprint": one.fingerprint,
        "position": one.position,
        "revision": revision,
        "upstream": one.upstream.value,
        "review": one.review.value,
        "review_by": one.review_by,
        "review_reason": one.review_reason,
        "review_rule": one.review_rule,
        "pinned_until": one.pinned_until,
        "visible": one.review is Review.PUBLISHED and one.upstream is Upstream.LIVE,
    }
