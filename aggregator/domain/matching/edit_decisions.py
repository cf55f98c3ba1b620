"""Decide how storage treats each entry of a document: new activity, edit, new rendering, or no change. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.source import OnEdit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.activity import ScreenedActivity

FLAPPING_WINDOW = timedelta(days=7)
FLAPPING_AFTER = 2  # reverts of an edit; a person does that once


class EditIntent(StrEnum):
    """The way that storage treats an entry."""

    INSERT = "insert"
    EDIT = "edit"  # replace the content and keep the former content as a version
    EDIT_AND_RETURN = "edit and return"  # the same, and the activity waits for review again
    RERENDER = "rerender"  # replace the content without a version: the publisher changed nothing
    HOLD = "hold"  # keep the approved content and store the edit as pending
    KEEP_PENDING = "keep pending"  # keep the approved content; this edit is pending or was declined
    DROP_PENDING = "drop pending"  # the publisher reverted the pending edit
    REMEMBER_DIGEST = "remember digest"  # nothing visible changed; store the digest so that the next poll skips it
    IGNORE = "ignore"

    @property
    def writes_content(self) -> bool:
        """Whether the activity gets the content of the entry."""
        return self in _WRITES

    @property
    def replaces_content(self) -> bool:
        """Whether a stored activity gets different content."""
        return self in _WRITES and self is not EditIntent.INSERT

    @property
    def keeps_version(self) -> bool:
        """Whether the former content becomes a version."""
        return self in _EDITS

    @property
    def keeps_approved(self) -> bool:
        """Whether the approved content stays despite the entry."""
        return self in _KEEPS


_EDITS = frozenset({EditIntent.EDIT, EditIntent.EDIT_AND_RETURN})
_WRITES = _EDITS | {EditIntent.INSERT, EditIntent.RERENDER}
_KEEPS = frozenset({EditIntent.HOLD, EditIntent.KEEP_PENDING})


class StoredEntry(NamedTuple):
    """The stored state of an entry that matters for edits."""

    id: int
    entry_digest: str
    fingerprint: str
    gone: datetime | None
    approved: bool  # a person published it
    first_seen: datetime | None = None  # None: not read


class FormerVersion(NamedTuple):
    """Former content that an edit replaced."""

    fingerprint: str
    replaced: datetime


class PendingMark(NamedTuple):
    """The identity of a pending or declined edit."""

    fingerprint: str
    entry_digest: str


@dataclass(frozen=True, slots=True)
class EditPolicy:
    """The policy for edits of approved activities of a source."""

    on_edit: OnEdit = OnEdit.STAY
    always_show: bool = False  # the terms of the kind of source require that every edit is shown


@dataclass(frozen=True, slots=True)
class EditFacts:
    """The data for decisions, by activity id."""

    versions: Mapping[int, Sequence[FormerVersion]] = field(default_factory=dict)
    pending: Mapping[int, PendingMark] = field(default_factory=dict)


class Entry(NamedTuple):
    """An entry of a document with its stored state; None: it is new."""

    screened: ScreenedActivity
    stored: StoredEntry | None

    @property
    def native_id(self) -> str:
        """The id of the entry within its source."""
        return self.screened.new.native_id


def decide(entry: Entry, facts: EditFacts, policy: EditPolicy, now: datetime) -> EditIntent:
    """Return how storage treats an entry."""
    screened, stored = entry
    if stored is None:
        return EditIntent.INSERT
    if stored.gone is not None:
        return EditIntent.IGNORE  # removed content never comes back
    same_entry = stored.entry_digest == screened.new.entry_digest
    if stored.fingerprint == screened.fingerprint:
        if stored.approved and stored.id in facts.pending:
            return EditIntent.DROP_PENDING
        return EditIntent.IGNORE if same_entry else EditIntent.REMEMBER_DIGEST
    return _decide_different(entry, stored, facts, policy, now)


def _decide_different(
    entry: Entry, stored: StoredEntry, facts: EditFacts, policy: EditPolicy, now: datetime
) -> EditIntent:
    """Decide on different content for a live activity."""
    edited = is_edit(entry)
    if edited and is_flapping(entry.screened.fingerprint, facts.versions.get(stored.id, ()), now):
        return EditIntent.REMEMBER_DIGEST
    if stored.approved:
        return _decide_approved(entry.screened, facts.pending.get(stored.id), policy, edited=edited)
    return EditIntent.EDIT if edited else EditIntent.RERENDER


def _decide_approved(
    screened: ScreenedActivity, pending: PendingMark | None, policy: EditPolicy, *, edited: bool
) -> EditIntent:
    """Decide on different content for an approved activity."""
    if pending is not None and pending.entry_digest == screened.new.entry_digest:
        return EditIntent.KEEP_PENDING
    if not edited:
        return EditIntent.RERENDER
    if policy.on_edit is OnEdit.RETURN:
        return EditIntent.EDIT_AND_RETURN
    if policy.always_show:
        return EditIntent.EDIT
    known = pending is not None and pending.fingerprint == screened.fingerprint
    return EditIntent.KEEP_PENDING if known else EditIntent.HOLD


def is_edit(entry: Entry) -> bool:
    """Return whether the publisher changed the visible content of a live activity.

    If only the fingerprint changed, or its scheme differs, the change is our own new rendering.
    """
    screened, stored = entry
    return (
        stored is not None
        and stored.gone is None
        and stored.fingerprint != screened.fingerprint
        and stored.entry_digest != screened.new.entry_digest
        and _scheme(stored.fingerprint) == _scheme(screened.fingerprint)
    )


def is_flapping(fingerprint: str, versions: Sequence[FormerVersion], now: datetime) -> bool:
    """Return whether an activity had this content several times recently: the publisher's servers disagree."""
    recent = Counter(version.fingerprint for version in versions if version.replaced > now - FLAPPING_WINDOW)
    return recent[fingerprint] >= FLAPPING_AFTER


def _scheme(fingerprint: str) -> str:
    return fingerprint.rpartition(":")[0]
