"""Test decisions on entries that a source publishes again: every case, and the properties of all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.matching.edit_decisions import (
    FLAPPING_WINDOW,
    EditFacts,
    EditIntent,
    EditPolicy,
    Entry,
    FormerVersion,
    PendingMark,
    StoredEntry,
    decide,
    is_edit,
)
from aggregator.domain.source import OnEdit, Policy
from aggregator.services.screen_entries import screened
from tests.building import NOON, an_activity

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.activity import ScreenedActivity

STAY, RETURN = EditPolicy(OnEdit.STAY), EditPolicy(OnEdit.RETURN)
SHOW, SHOW_AND_RETURN = EditPolicy(OnEdit.STAY, always_show=True), EditPolicy(OnEdit.RETURN, always_show=True)
OLD = StoredEntry(7, entry_digest="d1", fingerprint="3:f1", gone=None, approved=False)
APPROVED = OLD._replace(approved=True)
GONE = OLD._replace(gone=NOON)
RECENT = NOON - FLAPPING_WINDOW + timedelta(seconds=1)
_BASE = screened(an_activity(), Policy.AUTO, NOON)


def entry(digest: str, fingerprint: str) -> ScreenedActivity:
    return replace(_BASE, new=replace(_BASE.new, entry_digest=digest), fingerprint=fingerprint)


def versions(*replaced: datetime, fingerprint: str = "3:f2") -> EditFacts:
    return EditFacts(versions={7: [FormerVersion(fingerprint, moment) for moment in replaced]})


def pending(digest: str, fingerprint: str) -> EditFacts:
    return EditFacts(pending={7: PendingMark(fingerprint, digest)})


SAME, NOISE = entry("d1", "3:f1"), entry("d2", "3:f1")
EDIT, RENDERING, NEW_SCHEME = entry("d2", "3:f2"), entry("d1", "3:f2"), entry("d2", "4:f2")
NONE = EditFacts()


class Case(NamedTuple):
    """A state, and the expected intent."""

    name: str
    stored: StoredEntry | None
    screened: ScreenedActivity
    intent: EditIntent
    facts: EditFacts = NONE
    policy: EditPolicy = STAY


CASES = [
    Case("an unknown entry", None, EDIT, EditIntent.INSERT),
    Case("an unchanged entry", OLD, SAME, EditIntent.IGNORE),
    Case("a digest that changed alone", OLD, NOISE, EditIntent.REMEMBER_DIGEST),
    Case("an edit", OLD, EDIT, EditIntent.EDIT),
    Case("a new rendering of the same entry", OLD, RENDERING, EditIntent.RERENDER),
    Case("another scheme of fingerprints", OLD, NEW_SCHEME, EditIntent.RERENDER),
    Case("a removed entry that is unchanged", GONE, SAME, EditIntent.IGNORE),
    Case("a removed entry that is edited", GONE, EDIT, EditIntent.IGNORE),
    Case("a removed entry that was approved", GONE._replace(approved=True), EDIT, EditIntent.IGNORE, policy=RETURN),
    Case("content taken back once", OLD, EDIT, EditIntent.EDIT, versions(NOON)),
    Case("content taken back twice", OLD, EDIT, EditIntent.REMEMBER_DIGEST, versions(RECENT, NOON)),
    Case("content taken back twice long ago", OLD, EDIT, EditIntent.EDIT, versions(NOON - FLAPPING_WINDOW, NOON)),
    Case("other content taken back twice", OLD, EDIT, EditIntent.EDIT, versions(NOON, NOON, fingerprint="3:f3")),
    Case("a rendering that was there twice", OLD, RENDERING, EditIntent.RERENDER, versions(NOON, NOON)),
    Case("flapping of approved content", APPROVED, EDIT, EditIntent.REMEMBER_DIGEST, versions(NOON, NOON)),
    Case("an edit of approved content", APPROVED, EDIT, EditIntent.HOLD),
    Case("an edit of approved content to return", APPROVED, EDIT, EditIntent.EDIT_AND_RETURN, policy=RETURN),
    Case("an edit that always shows", APPROVED, EDIT, EditIntent.EDIT, policy=SHOW),
    Case("an edit that always shows and returns", APPROVED, EDIT, EditIntent.EDIT_AND_RETURN, policy=SHOW_AND_RETURN),
    Case("a rendering of approved content", APPROVED, RENDERING, EditIntent.RERENDER),
    Case("a rendering of approved content to return", APPROVED, RENDERING, EditIntent.RERENDER, policy=RETURN),
    Case("the pending edit again", APPROVED, EDIT, EditIntent.KEEP_PENDING, pending("d2", "3:f2")),
    Case("the pending edit under a new digest", APPROVED, EDIT, EditIntent.KEEP_PENDING, pending("d3", "3:f2")),
    Case("another edit than the pending one", APPROVED, EDIT, EditIntent.HOLD, pending("d3", "3:f3")),
    Case("the pending edit rendered anew", APPROVED, NEW_SCHEME, EditIntent.KEEP_PENDING, pending("d2", "3:f2")),
    Case("a pending edit that is taken back", APPROVED, NOISE, EditIntent.DROP_PENDING, pending("d3", "3:f3")),
    Case("unchanged beside a pending edit", APPROVED, SAME, EditIntent.DROP_PENDING, pending("d3", "3:f3")),
    Case("approved and unchanged", APPROVED, SAME, EditIntent.IGNORE),
    Case("approved with a changed digest", APPROVED, NOISE, EditIntent.REMEMBER_DIGEST),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_case_has_its_intent(case: Case) -> None:
    assert decide(Entry(case.screened, case.stored), case.facts, case.policy, NOON) is case.intent


def test_the_table_has_every_intent() -> None:
    assert {case.intent for case in CASES} == set(EditIntent)


DIGESTS, FINGERPRINTS = st.sampled_from(["d1", "d2", "d3"]), st.sampled_from(["3:f1", "3:f2", "4:f1", "4:f2"])
MOMENTS = st.integers(0, 14).map(lambda days: NOON - timedelta(days=days))
STORED = st.builds(StoredEntry, st.just(7), DIGESTS, FINGERPRINTS, st.none() | st.just(NOON), st.booleans())
FACTS = st.builds(
    EditFacts,
    versions=st.dictionaries(st.just(7), st.lists(st.builds(FormerVersion, FINGERPRINTS, MOMENTS), max_size=5)),
    pending=st.dictionaries(st.just(7), st.builds(PendingMark, FINGERPRINTS, DIGESTS)),
)
POLICIES = st.builds(EditPolicy, st.sampled_from(OnEdit), st.booleans())


@given(st.none() | STORED, DIGESTS, FINGERPRINTS, FACTS, POLICIES)
def test_every_entry_gets_one_intent_that_fits_its_state(
    stored: StoredEntry | None, digest: str, fingerprint: str, facts: EditFacts, policy: EditPolicy
) -> None:
    given_entry = Entry(entry(digest, fingerprint), stored)
    intent = decide(given_entry, facts, policy, NOON)

    assert intent in EditIntent
    assert (intent is EditIntent.INSERT) == (stored is None)
    if stored is None:
        return
    if stored.gone is not None:
        assert intent is EditIntent.IGNORE  # removed content is never revived
    if stored.fingerprint == fingerprint:
        assert not intent.writes_content
    if intent.keeps_version:
        assert is_edit(given_entry)
    if intent.keeps_approved or intent is EditIntent.EDIT_AND_RETURN:
        assert stored.approved
    if policy.always_show and policy.on_edit is OnEdit.STAY and is_edit(given_entry) and not facts.pending:
        assert intent in {EditIntent.EDIT, EditIntent.REMEMBER_DIGEST}


@given(STORED.filter(lambda stored: stored.gone is None), FACTS, POLICIES)
def test_an_entry_that_did_not_change_changes_nothing(
    stored: StoredEntry, facts: EditFacts, policy: EditPolicy
) -> None:
    unchanged = Entry(entry(stored.entry_digest, stored.fingerprint), stored)
    assert decide(unchanged, facts, policy, NOON) in {EditIntent.IGNORE, EditIntent.DROP_PENDING}
