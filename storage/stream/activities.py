"""Store activities, and remove them. `storage/stream/pages.py` reads the stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, insert, select, update

from aggregator.domain.activity import BY_RULE, ActivityKind, Review
from aggregator.domain.compliance.ids_only import reduced_entry
from aggregator.domain.matching import edit_decisions
from aggregator.domain.matching.edit_decisions import EditIntent, EditPolicy, Entry, StoredEntry
from aggregator.domain.search_text import search_text
from storage.moderation.pending_edits import PendingEdits
from storage.revision import Stream
from storage.stream.activity_rows import ActivityRows
from storage.stream.content_columns import ids_only_of
from storage.stream.entries import StoredEntries
from storage.stream.pages import StreamReading
from storage.stream.payloads import RawPayloads
from storage.stream.tags import rules_tags
from storage.stream.tombstones import Tombstones
from storage.stream.unread_entries import UnreadEntries
from storage.stream.versions import COLUMNS as VERSIONED
from storage.stream.versions import Versions
from storage.tables.stream import activity, transition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from aggregator.domain.activity import NewActivity, ScheduledTransition, ScreenedActivity

Judge = Callable[["Sequence[ScreenedActivity]"], "list[ScreenedActivity]"]
OfSource = tuple[int, "ScreenedActivity"]  # with the id of the source
JudgeAll = Callable[["Sequence[OfSource]"], "list[OfSource]"]

_DEFAULT_POLICY = EditPolicy()


@dataclass(frozen=True, slots=True)
class Stored:
    """The number of entries that were new, visibly changed, or neither."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0  # of the new ones
    pending_edits: int = 0  # edits of approved items, pending review
    times: Sequence[datetime] = ()  # publication times of the new ones, or when they were first seen if unknown
    shown: Sequence[tuple[str, datetime]] = ()  # network and publication time of new ones that are visible at once


class Activities(StreamReading):
    """The activities, within one transaction: `StreamReading` with writes."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._entries = StoredEntries(connection)
        self._payloads = RawPayloads(connection)
        self._rows = ActivityRows(connection)
        self._ids_only = ids_only_of(connection)

    def known(self, source_id: int, native_ids: Collection[str]) -> dict[str, StoredEntry]:
        """Return the stored state of these entries of a source, in one query."""
        return self._entries.known(source_id, native_ids)

    def store(
        self,
        source_id: int,
        screened: Sequence[ScreenedActivity],
        now: datetime,
        *,
        present: Collection[str] = (),
        recognising: bool = False,
        judge: Judge = list,
        edit_policy: EditPolicy = _DEFAULT_POLICY,
        pushed_since: datetime | None = None,
    ) -> Stored:
        """Write what `domain.matching.edit_decisions` decides on each entry; change nothing else.

        Args:
            source_id: the source of the entries.
            screened: the entries, oldest first.
            now: the present time.
            present: ids of the other entries of the document.
            recognising: whether an entry with an unknown id may be a stored one (`domain.matching.entry_matching`).
            judge: decides on all new entries together.
            edit_policy: how edits of approved activities are treated.
            pushed_since: stored entries that arrived later were counted by no poll, and count as new; None: none.
        """
        # Decisions depend on this read, such as a person's approval; the lock keeps other writers from changing it.
        Stream(self._connection).require_lock()
        screened = [self._storable(entry) for entry in screened]
        entries = self._entries.match(source_id, screened, present, recognising=recognising)
        entries = self._entries.without_expired(entries, now)
        new = judge([entry.screened for entry in entries if entry.stored is None])
        entries = [*(Entry(screened, None) for screened in new), *(entry for entry in entries if entry.stored)]
        facts = self._entries.facts(entries)
        decided = [(entry, edit_decisions.decide(entry, facts, edit_policy, now)) for entry in entries]
        pushed = [
            entry.screened.new.content.published or now
            for entry in entries
            if pushed_since and entry.stored and entry.stored.first_seen and entry.stored.first_seen > pushed_since
        ]
        return _with_pushed(self._apply(source_id, decided, len(screened), now), pushed)

    def _storable(self, entry: ScreenedActivity) -> ScreenedActivity:
        """Return an entry without content that may not be stored."""
        return reduced_entry(entry) if self._reduces(entry.new) else entry

    def _reduces(self, new: NewActivity) -> bool:
        return new.content.network in self._ids_only

    def _keeps_version(self, new: NewActivity, edited: Collection[str]) -> bool:
        return new.native_id in edited and not self._reduces(new)

    def _apply(self, source_id: int, decided: Sequence[tuple[Entry, EditIntent]], count: int, now: datetime) -> Stored:
        """Apply the decisions on `count` entries of a source."""
        by_intent: dict[EditIntent, list[Entry]] = {intent: [] for intent in EditIntent}
        for entry, intent in decided:
            by_intent[intent].append(entry)
        edits = PendingEdits(self._connection)
        edits.forget(_ids(by_intent[EditIntent.DROP_PENDING]))
        edits.keep([(entry.screened, entry.stored.id) for entry in by_intent[EditIntent.HOLD] if entry.stored], now)
        writes = [(entry, intent) for entry, intent in decided if intent.writes_content]
        written = self._write(source_id, writes, now) if writes else {}
        writes = [(entry, intent) for entry, intent in writes if entry.native_id in written]
        inserted = [entry.screened for entry, intent in writes if intent is EditIntent.INSERT]
        self._keep_transitions({written[new.new.native_id]: new.later for new in inserted if new.later})
        edits.send_back(_ids(entry for entry, intent in writes if intent is EditIntent.EDIT_AND_RETURN), now)
        self._remember_digests(by_intent[EditIntent.REMEMBER_DIGEST] + by_intent[EditIntent.DROP_PENDING], now)
        pending = len(by_intent[EditIntent.HOLD]) + len(by_intent[EditIntent.KEEP_PENDING])
        return Stored(
            new=len(inserted),
            changed=len(writes) - len(inserted),
            unchanged=count - len(writes) - pending,
            quarantined=sum(new.review is Review.QUARANTINED for new in inserted),
            pending_edits=pending,
            times=[new.new.content.published or now for new in inserted],
            shown=_shown(inserted),
        )

    def insert(self, entries: Sequence[OfSource], now: datetime, judge: JudgeAll) -> Stored:
        """Store those activities that are not stored yet; leave the others as they are.

        The number of statements depends on neither that of activities nor that of sources.

        Args:
            entries: the activities with the ids of their sources; no two may have the same native id.
            now: the present time.
            judge: decides on all new ones together.
        """
        Stream(self._connection).require_lock()
        sources = {entry.new.native_id: source_id for source_id, entry in entries}
        known = self._entries.known_among([(id_, native_id) for native_id, id_ in sources.items()])
        new = [entry for id_, entry in entries if (id_, entry.new.native_id) not in known]
        fresh = self._entries.without_expired([Entry(self._storable(entry), None) for entry in new], now)
        judged = [entry for _, entry in judge([(sources[entry.native_id], entry.screened) for entry in fresh])]
        first = Stream(self._connection).take(len(judged)) if judged else 0
        # Under the lock, as in `_write`.
        inserted = Tombstones(self._connection).admitted(judged, {}) if judged else []
        if inserted:
            rows = [(sources[entry.new.native_id], entry) for entry in inserted]
            ids = self._rows.write(rows, now, first)
            named = {(sources[entry.new.native_id], entry.new.native_id): entry.later for entry in inserted}
            self._keep_transitions({ids[name]: later for name, later in named.items() if later and name in ids})
        return Stored(new=len(inserted), unchanged=len(entries) - len(inserted), shown=_shown(inserted))

    def _write(self, source_id: int, decided: Sequence[tuple[Entry, EditIntent]], now: datetime) -> dict[str, int]:
        """Write entries that are not removed, and return their ids by native id."""
        stored = {entry.native_id: entry.stored.fingerprint for entry, _ in decided if entry.stored}
        edited = {
            entry.native_id: entry.stored.id for entry, intent in decided if intent.keeps_version and entry.stored
        }
        first = Stream(self._connection).take(len(decided))
        # Under the lock, so that no removal can commit between this check and the write.
        writes = Tombstones(self._connection).admitted([entry.screened for entry, _ in decided], stored)
        if not writes:
            return {}
        replaced = [edited[write.new.native_id] for write in writes if write.new.native_id in edited]
        former = [edited[write.new.native_id] for write in writes if self._keeps_version(write.new, edited)]
        if former:
            Versions(self._connection).keep(former, now)
        writes = self._with_rules_tags(source_id, writes, stored.keys())
        ids = self._rows.write([(source_id, write) for write in writes], now, first, replaced)
        return {native_id: id_ for (_, native_id), id_ in ids.items()}

    def _with_rules_tags(
        self, source_id: int, writes: list[ScreenedActivity], known: Collection[str]
    ) -> list[ScreenedActivity]:
        """Keep the tags that rules gave to stored activities: rules examine new activities only."""
        again = [entry.new.native_id for entry in writes if entry.new.native_id in known]
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
                entry,
                topics=tuple(dict.fromkeys((*entry.topics, *kept[entry.new.native_id]))),
                reasons={**dict.fromkeys(kept[entry.new.native_id], BY_RULE), **entry.reasons},
            )
            if entry.new.native_id in kept
            else entry
            for entry in writes
        ]

    def _keep_transitions(self, later: Mapping[int, ScheduledTransition]) -> None:
        """Store scheduled transitions."""
        rows = [
            {
                "activity_id": id_,
                "due": scheduled.due,
                "review": scheduled.review.value,
                "review_by": scheduled.by,
                "reason": scheduled.reason,
            }
            for id_, scheduled in later.items()
        ]
        if rows:
            self._connection.execute(insert(transition), rows)

    def _remember_digests(self, entries: Iterable[Entry], now: datetime) -> None:
        """Store the digests of entries without visible changes, so that the next poll skips them."""
        changed = {
            entry.stored.id: entry.screened.new
            for entry in entries
            if entry.stored and entry.stored.entry_digest != entry.screened.new.entry_digest
        }
        if changed:
            self._connection.execute(
                update(activity).where(activity.c.id == bindparam("row")).values(entry_digest=bindparam("digest")),
                [{"row": id_, "digest": new.entry_digest} for id_, new in changed.items()],
            )
            self._payloads.keep({id_: new.raw for id_, new in changed.items()}, now)

    def take_edit(self, source_id: int, activity_id: int, screened: ScreenedActivity, now: datetime) -> None:
        """Apply an edit to an activity; the former content becomes a version."""
        names = select(activity.c.native_id).where(activity.c.id == activity_id)
        native_id: str = self._connection.execute(names).scalar_one()
        edit = self._storable(replace(screened, new=replace(screened.new, native_id=native_id)))
        stored = StoredEntry(activity_id, entry_digest="", fingerprint="", gone=None, approved=True)
        self._write(source_id, [(Entry(edit, stored), EditIntent.EDIT)], now)

    def put_back(self, activity_id: int) -> None:
        """Restore the content of an activity's last version, and delete that version."""
        Stream(self._connection).require_lock()
        version = Versions(self._connection).take_newest(activity_id)
        if version is None:
            return
        former = {name: getattr(version, name) for name in VERSIONED if name != "revision"}
        revision = Stream(self._connection).take(1)
        row = update(activity).where(activity.c.id == activity_id, activity.c.gone.is_(None))
        self._connection.execute(row.values(**former, revision=revision))
        restored = self.get(activity_id)
        if restored is not None:
            self._connection.execute(row.values(search_text=search_text(restored.content, restored.object)))

    def place(self, activity_id: int, position: datetime) -> None:
        """Set the position of an activity that was never shown."""
        row = update(activity).where(activity.c.id == activity_id, ~activity.c.visible)
        self._connection.execute(row.values(position=position))

    def place_early(self, ids: Collection[int], now: datetime) -> None:
        """Place our own posts among these that are shown before their scheduled time at the present time."""
        scheduled = activity.c.id.in_(ids) & (activity.c.position > now) & ~activity.c.visible
        self._connection.execute(update(activity).where(scheduled).values(position=now, published=now))

    def raw(self, activity_id: int) -> bytes | None:
        """Return the newest raw entry of an activity."""
        return self._payloads.get(activity_id)

    def kinds_by_source(self, source_ids: Collection[int], since: datetime) -> dict[int, dict[str, int]]:
        """Return the number of new activities of each kind since a time, by source."""
        counted = (
            select(activity.c.source_id, activity.c.kind, func.count())
            .where(activity.c.source_id.in_(source_ids), activity.c.first_seen >= since)
            .group_by(activity.c.source_id, activity.c.kind)
        )
        found: dict[int, dict[str, int]] = {}
        for source_id, kind, count in self._connection.execute(counted):
            found.setdefault(source_id, {})[kind] = count
        return found

    def native_ids(self, source_id: int) -> frozenset[str]:
        """Return all native ids of a source, also of removed activities."""
        chosen = select(activity.c.native_id).where(activity.c.source_id == source_id)
        return frozenset(self._connection.execute(chosen).scalars())

    def lowest_id(self, source_id: int) -> str | None:
        """Return the lowest of a source's native ids, also of removed activities, if they are numbers."""
        length = func.length(activity.c.native_id)
        chosen = select(activity.c.native_id).where(activity.c.source_id == source_id)
        lowest = self._connection.execute(chosen.order_by(length, activity.c.native_id).limit(1)).scalar()
        return str(lowest) if lowest is not None and str(lowest).isdigit() else None

    def drop_quarantined(self, source_id: int, now: datetime) -> int:
        """Remove a source's quarantined activities permanently; return the number."""
        quarantined = (activity.c.source_id == source_id) & (activity.c.review == Review.QUARANTINED.value)
        return self._withdraw(quarantined, "dropped from quarantine", now)

    def withdraw(self, source_id: int, keys: Collection[str], reason: str, now: datetime) -> int:
        """Remove a source's activities with these keys; return the number."""
        return self._withdraw((activity.c.source_id == source_id) & activity.c.key.in_(keys), reason, now)

    def withdraw_all(self, source_id: int, reason: str, now: datetime) -> int:
        """Remove all activities of a source, and its unread entries; return the number."""
        UnreadEntries(self._connection).forget_source(source_id)
        return self._withdraw(activity.c.source_id == source_id, reason, now)

    def _withdraw(self, which: ColumnElement[bool], reason: str, now: datetime) -> int:
        return len(Tombstones(self._connection).bury(which, reason, now))


def _ids(entries: Iterable[Entry]) -> list[int]:
    return [entry.stored.id for entry in entries if entry.stored]


def _with_pushed(stored: Stored, times: Sequence[datetime]) -> Stored:
    """Count entries that were pushed before as new."""
    unchanged = max(stored.unchanged - len(times), 0)
    return replace(stored, new=stored.new + len(times), unchanged=unchanged, times=[*stored.times, *times])


def _shown(inserted: Iterable[ScreenedActivity]) -> list[tuple[str, datetime]]:
    return [
        (new.new.content.network, new.new.content.published)
        for new in inserted
        if new.review is Review.PUBLISHED
        and new.new.content.published is not None
        and new.new.content.kind is not ActivityKind.EVENT  # published when it was last edited, if at all
    ]
