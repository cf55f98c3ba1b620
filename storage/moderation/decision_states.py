"""Compute the columns of an item that a decision changes, and convert them to JSON and back. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import Review, Upstream
from aggregator.domain.moderation.decisions import PAST, DecisionAction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

State = dict[str, Any]  # the columns that a decision may change, as JSON

_PERSON = "person"
_BECOMES = {
    DecisionAction.APPROVE: Review.PUBLISHED,
    DecisionAction.HIDE: Review.HIDDEN,
    DecisionAction.RETURN: Review.WAITING,
}


def changes_of(verb: DecisionAction, reason: str, until: datetime | None, who: str, now: datetime) -> State:
    """Return the changes that a decision makes."""
    if verb is DecisionAction.PIN:
        return {**_decided(Review.PUBLISHED, reason or "pinned", who, now), "pinned": time_text(until)}
    if verb is DecisionAction.UNPIN:
        return {"pinned": None}
    if verb is DecisionAction.KEEP:
        return {}
    change = _decided(_BECOMES[verb], reason or f"{PAST[verb]} by hand", who, now)
    return change if verb is DecisionAction.APPROVE else {**change, "pinned": None}


def _decided(review: Review, reason: str, who: str, now: datetime) -> State:
    return {
        "review": review.value, "by": _PERSON, "why": reason, "at": time_text(now), "reviewer": who, "rule": None,
        "later": None,
    }  # fmt: skip


def written(row: Row[Any], state: State, revision: int) -> dict[str, Any]:
    """Return a state as the parameters of `_CHANGE`."""
    shown = state["review"] == Review.PUBLISHED.value and row.upstream == Upstream.LIVE.value
    return {
        "row": row.id,
        "new_review": state["review"],
        "new_review_by": state["by"],
        "new_review_reason": state["why"],
        "new_reviewed": _read(state["at"]),
        "new_reviewer": state["reviewer"],
        "new_review_rule": state["rule"],
        "new_headline": state["headline"],
        "new_note": state["note"],
        "new_descriptions": state["alt"],
        "new_pinned_until": _read(state["pinned"]),
        "new_story": state["story"],
        "new_story_by_hand": state["by_hand"],
        "new_visible": shown,
        "new_revision": revision,
    }


def differing(state: State, other: State) -> State:
    """Return the columns of a state that differ from the other."""
    return {name: value for name, value in state.items() if other.get(name) != value}


def intention(later: State) -> dict[str, Any]:
    """Return a scheduled change as the columns of `transition`."""
    return {
        "due": _read(later["due"]), "review": later["review"], "review_by": later["by"], "reviewer": later["reviewer"],
        "reason": later["reason"],
    }  # fmt: skip


def edit_of(activity_id: int, edits: Mapping[int, bool] | None) -> State:
    """Return whether a pending edit was decided on, and whether it was applied."""
    return {"edit": edits[activity_id]} if edits and activity_id in edits else {}


def time_text(moment: datetime | None) -> str | None:
    """Return a time as text for JSON."""
    return None if moment is None else moment.isoformat()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
