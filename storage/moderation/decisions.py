"""Apply decisions of reviewers to items, with an audit entry for each, and undo them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import bindparam, or_, select, update

from aggregator.domain.activity import Review
from aggregator.domain.moderation.decisions import PAST, Decided, DecisionAction
from storage.moderation.audit_log import Audit
from storage.moderation.decision_states import State, changes_of, differing, edit_of, intention, time_text, written
from storage.moderation.pending_edits import PendingEdits
from storage.revision import Stream
from storage.stream.activities import Activities
from storage.tables.metadata import json_document
from storage.tables.moderation import audit, handout, rule
from storage.tables.stream import activity, transition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select

_SUBJECT = "activity:"
_RECENT = 60  # audit entries in which a user's last decision is searched for
_STATE = (
    activity.c.id,
    activity.c.source_id,
    activity.c.revision,
    activity.c.gone,
    activity.c.upstream,
    activity.c.review,
    activity.c.review_by,
    activity.c.review_reason,
    activity.c.reviewed,
    activity.c.reviewer,
    activity.c.review_rule,
    activity.c.headline,
    activity.c.note,
    activity.c.descriptions,
    activity.c.pinned_until,
    activity.c.story,
    activity.c.story_by_hand,
)
_CHANGE = (
    update(activity)
    .where(activity.c.id == bindparam("row"))
    .values(
        {
            **{name: bindparam(f"new_{name}") for name in (
                "review", "review_by", "review_reason", "reviewed", "reviewer", "review_rule", "headline", "note",
                "pinned_until", "story", "story_by_hand", "visible", "revision",
            )},
            "descriptions": bindparam("new_descriptions", type_=json_document),
        }
    )
)  # fmt: skip


class Decisions:
    """The decisions of users, within one writing transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._audit = Audit(connection)

    def decide(
        self,
        seen: Mapping[int, int | None],
        verb: DecisionAction,
        *,
        who: str,
        now: datetime,
        reason: str = "",
        until: datetime | None = None,
        batch: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Decided:
        """Decide on activities in the revision that the user saw; `seen` has it by id, and None for any revision.

        `verb` is any action except `JOIN`, `SPLIT`, `WRITE` and `UNDO`. `until` is the end of a pin. `reason` and
        `detail` are for the audit log, whose entries are added to `batch` or to a new one.
        """
        batch = batch or uuid4().hex
        rows, missed = self._lock_rows(seen, who, now)
        edits = PendingEdits(self._connection).waiting([row.id for row in rows])
        changes: list[tuple[Row[Any], State]] = []
        for row in rows:
            if verb is DecisionAction.KEEP and row.id not in edits:
                missed[row.id] = f"Item {row.id} has no pending edit."
            elif verb is DecisionAction.APPROVE and row.id in edits:
                Activities(self._connection).take_edit(row.source_id, row.id, edits[row.id].screened, now)
                changes.append((row, changes_of(verb, reason or "the edit was approved", until, who, now)))
            else:
                changes.append((row, changes_of(verb, reason, until, who, now)))
        touched = [row.id for row, _ in changes]
        if verb is DecisionAction.APPROVE:
            Activities(self._connection).place_early(touched, now)
        if verb is not DecisionAction.PIN and verb is not DecisionAction.UNPIN:
            PendingEdits(self._connection).decline([id_ for id_ in touched if id_ in edits], now)
        extra = {"reason": reason, **(detail or {})}
        applied = verb is DecisionAction.APPROVE
        self._write(changes, PAST[verb], who, now, batch, extra, edits=dict.fromkeys(edits, applied))
        return Decided(batch, verb, touched, missed)

    def write(
        self, activity_id: int, seen: int | None, headline: str | None, note: str | None, *, who: str, now: datetime
    ) -> Decided:
        """Set the editor's headline and note of an activity, whose own text stays unchanged."""
        batch = uuid4().hex
        rows, missed = self._lock_rows({activity_id: seen}, who, now)
        changes: list[tuple[Row[Any], State]] = [(row, {"headline": headline, "note": note}) for row in rows]
        self._write(changes, PAST[DecisionAction.WRITE], who, now, batch, {})
        return Decided(batch, DecisionAction.WRITE, [row.id for row in rows], missed)

    def describe(
        self, activity_id: int, seen: int | None, descriptions: Mapping[str, str], *, who: str, now: datetime
    ) -> Decided:
        """Set the editors' descriptions of an activity's images, by the digest of their addresses."""
        batch = uuid4().hex
        rows, missed = self._lock_rows({activity_id: seen}, who, now)
        changes: list[tuple[Row[Any], State]] = [(row, {"alt": dict(descriptions) or None}) for row in rows]
        self._write(changes, PAST[DecisionAction.DESCRIBE], who, now, batch, {})
        return Decided(batch, DecisionAction.DESCRIBE, [row.id for row in rows], missed)

    def join_story(self, activity_id: int, seen: int | None, other: int | None, *, who: str, now: datetime) -> Decided:
        """Merge an activity into the story of another one, or make it its own story if `other` is None."""
        verb = DecisionAction.SPLIT if other is None else DecisionAction.JOIN
        batch = uuid4().hex
        rows, missed = self._lock_rows({activity_id: seen}, who, now)
        story = f"own:{activity_id}"
        if other is not None:
            named = select(activity.c.story, activity.c.key).where(activity.c.id == other, activity.c.gone.is_(None))
            found = self._connection.execute(named).one_or_none()
            if found is None:
                return Decided(batch, verb, [], {activity_id: f"There is no item {other} to merge it with."})
            story = found.story or found.key
        changes: list[tuple[Row[Any], State]] = [(row, {"story": story, "by_hand": True}) for row in rows]
        self._write(changes, PAST[verb], who, now, batch, {})
        return Decided(batch, verb, [row.id for row in rows], missed)

    def items_by_author(self, activity_id: int, *, most: int) -> list[int]:
        """Return published and waiting items of an activity's author, including reposts of them; newest first."""
        chosen = select(activity.c.actor_id, activity.c.object_actor_id, activity.c.kind).where(
            activity.c.id == activity_id
        )
        row = self._connection.execute(chosen).one_or_none()
        author = None if row is None else (row.object_actor_id if row.kind == "repost" else row.actor_id)
        if author is None:
            return []
        theirs = or_(activity.c.actor_id == author, activity.c.object_actor_id == author)
        return list(
            self._connection.execute(
                select(activity.c.id)
                .where(theirs, activity.c.review != Review.HIDDEN.value, activity.c.gone.is_(None))
                .order_by(activity.c.id.desc())
                .limit(most)
            ).scalars()
        )

    def undo_latest(self, activity_id: int, *, who: str, now: datetime) -> Decided | None:
        """Undo the latest decision on an activity alone, without the others of its batch; None: there is none."""
        note = next(iter(self._audit.of(f"{_SUBJECT}{activity_id}", 1)), None)
        if note is None or note["batch"] is None or note["what"] == PAST[DecisionAction.UNDO]:
            return None
        return self.undo(note["batch"], who=who, now=now, only=activity_id)

    def undo(self, batch: str, *, who: str, now: datetime, only: int | None = None) -> Decided:
        """Undo the decisions of a batch, except on items that were decided on again since.

        Only decisions are undone; upstream edits stay. `only`: the decision on this activity, if the batch has others.
        """
        notes = {int(note["subject"].removeprefix(_SUBJECT)): note for note in self._audit.batch(batch)
                 if note["subject"].startswith(_SUBJECT)}  # fmt: skip
        whole = only is None or len(notes) == 1
        notes = {id_: note for id_, note in notes.items() if only is None or id_ == only}
        rows, missed = self._lock_rows(dict.fromkeys(notes), who, now)
        changes: list[tuple[Row[Any], State]] = []
        for row in rows:
            detail = notes[row.id]["detail"] or {}
            now_is, was = self._state(row), detail.get("from") or {}
            if any(now_is[name] != value for name, value in (detail.get("to") or {}).items() if name in now_is):
                missed[row.id] = self._conflict(row, who, now)
                continue
            if "edit" in detail:
                self._return_edit(row, took=bool(detail["edit"]))
            changes.append((row, was))
        rules = {(note["detail"] or {}).get("rule") for note in notes.values()} - {None}
        if rules and whole:  # of rules that this batch created
            self._connection.execute(update(rule).where(rule.c.id.in_(rules)).values(enabled=False, changed=now))
        new = uuid4().hex
        of = {"undoes" if whole else "undoes_part": batch}
        self._write(changes, PAST[DecisionAction.UNDO], who, now, new, of, later=True)
        return Decided(new, DecisionAction.UNDO, [row.id for row, _ in changes], missed)

    def _return_edit(self, row: Row[Any], *, took: bool) -> None:
        """Make a pending edit wait again; if its content was applied, restore the former content."""
        if took:
            Activities(self._connection).put_back(row.id)
        PendingEdits(self._connection).let_wait(row.id)

    def latest(self, who: str) -> Mapping[str, Any] | None:
        """Return the first entry of a user's newest batch that was not undone, with its `count` of entries."""
        rows = self._connection.execute(
            select(audit)
            .where(audit.c.who == who, audit.c.batch.is_not(None))
            .order_by(audit.c.id.desc())
            .limit(_RECENT)
        ).mappings()
        undone: set[str] = set()
        parts: Counter[str] = Counter()  # items of each batch whose decisions were undone alone
        for row in rows:
            detail = row["detail"] or {}
            if row["what"] == PAST[DecisionAction.UNDO]:
                undone.add(detail.get("undoes", ""))
                parts[detail.get("undoes_part", "")] += 1
            elif row["batch"] not in undone:
                count = len(self._audit.batch(row["batch"])) - parts[row["batch"]]
                if count > 0:
                    return {**row, "count": count}
        return None

    def hand_out(self, who: str, count: int, now: datetime, until: datetime) -> list[int]:
        """Assign the oldest unassigned waiting activities to a user; return their ids, oldest first."""
        Stream(self._connection).require_lock()
        self._connection.execute(handout.delete().where((handout.c.until <= now) | (handout.c.account == who)))
        taken = select(handout.c.activity_id)
        ids = list(
            self._connection.execute(
                select(activity.c.id)
                .where(
                    activity.c.review == Review.WAITING.value, activity.c.gone.is_(None), activity.c.id.not_in(taken)
                )
                .order_by(activity.c.id)
                .limit(count)
            ).scalars()
        )
        if ids:
            rows = [{"activity_id": id_, "account": who, "until": until} for id_ in ids]
            self._connection.execute(handout.insert(), rows)
        return ids

    def give_back(self, who: str) -> None:
        """Release a user's assigned activities."""
        self._connection.execute(handout.delete().where(handout.c.account == who))

    def _lock_rows(
        self, seen: Mapping[int, int | None], who: str, now: datetime
    ) -> tuple[list[Row[Any]], dict[int, str]]:
        """Return the rows to decide on, locked, and the reasons why others are missing."""
        Stream(self._connection).require_lock()
        chosen: Select[Any] = select(*_STATE).where(activity.c.id.in_(seen.keys()))
        rows: Sequence[Row[Any]] = self._connection.execute(chosen).all()
        by_id = {row.id: row for row in rows}
        missed: dict[int, str] = {}
        found = []
        for id_, revision in seen.items():
            row = by_id.get(id_)
            if row is None:
                missed[id_] = f"There is no item {id_}."
            elif row.gone is not None:
                missed[id_] = f"Item {id_} is gone: its source or its author removed it."
            elif revision is not None and row.revision != revision:
                missed[id_] = self._conflict(row, who, now)
            else:
                found.append(row)
        return found, missed

    def _conflict(self, row: Row[Any], who: str, now: datetime) -> str:
        """Return who or what changed an activity in the meantime."""
        note = next(iter(self._audit.of(f"{_SUBJECT}{row.id}", 1)), None)
        if note is None or (note["detail"] or {}).get("revision") != row.revision:
            return f"Item {row.id} has changed at its source; review it again."
        seconds = max(round((now - note["at"]).total_seconds()), 0)
        ago = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"  # noqa: PLR2004
        whom = "You" if note["who"] == who else note["who"]
        return f"{whom} {note['what']} item {row.id} {ago} ago."

    def _write(
        self,
        changes: Sequence[tuple[Row[Any], State]],
        what: str,
        who: str,
        now: datetime,
        batch: str,
        detail: Mapping[str, Any],
        *,
        edits: Mapping[int, bool] | None = None,
        later: bool = False,
    ) -> None:
        """Write new states and audit entries; scheduled transitions are cancelled if the review state changes.

        `later`: the former states are restored, with their scheduled transitions.
        """
        if not changes:
            return
        ids = [row.id for row, _ in changes]
        intentions = self._intentions(ids)
        first = Stream(self._connection).take(len(changes))
        rows, notes = [], []
        for offset, (row, change) in enumerate(changes):
            before = {**self._state(row), "later": intentions.get(row.id)}
            after = {**before, **({"later": None} if "review" in change else {}), **change}
            rows.append(written(row, after, first + offset))
            diff = {"from": differing(before, after), "to": differing(after, before), "revision": first + offset}
            notes.append((f"{_SUBJECT}{row.id}", {**diff, **detail, **edit_of(row.id, edits)}))
        self._connection.execute(_CHANGE, rows)
        called_off = [row.id for row, change in changes if "review" in change or later]
        self._connection.execute(transition.delete().where(transition.c.activity_id.in_(called_off)))
        returned = [
            {"activity_id": row.id, **intention(change["later"])} for row, change in changes if change.get("later")
        ]
        if returned:
            self._connection.execute(transition.insert(), returned)
        self._connection.execute(handout.delete().where(handout.c.activity_id.in_(ids)))
        self._audit.notes(now, who, what, notes, batch=batch)

    def _intentions(self, ids: Collection[int]) -> dict[int, State]:
        rows = self._connection.execute(select(transition).where(transition.c.activity_id.in_(ids)))
        return {
            row.activity_id: {
                "due": time_text(row.due), "review": row.review, "by": row.review_by, "reviewer": row.reviewer,
                "reason": row.reason,
            }
            for row in rows
        }  # fmt: skip

    @staticmethod
    def _state(row: Row[Any]) -> State:
        return {
            "review": row.review,
            "by": row.review_by,
            "why": row.review_reason,
            "at": time_text(row.reviewed),
            "reviewer": row.reviewer,
            "rule": row.review_rule,
            "headline": row.headline,
            "note": row.note,
            "alt": row.descriptions,
            "pinned": time_text(row.pinned_until),
            "story": row.story,
            "by_hand": row.story_by_hand,
        }
