"""What reviewers do: one tap or key an item, several at once, and back again."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.moderation.decisions import REASONS, USUAL_REASON, Decided, DecisionAction
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import BadFormError
from aggregator.review.queue import HANDED_OUT, cards_part

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest

_MARK = re.compile(r"([1-9][0-9]{0,18}):([0-9]{1,18})")
_TAPPED = re.compile(r"([a-z]+) ([1-9][0-9]{0,18}:[0-9]{1,18})(?: ([1-9]))?")
_LARGEST_ID = 2**63 - 1
_MOST = 500  # items at once
_IN_HAND = timedelta(minutes=15)
_USUAL_PIN = timedelta(days=7)
_LONGEST_PIN = timedelta(days=366)
_OFFERED = {
    verb.value: verb
    for verb in (
        DecisionAction.APPROVE,
        DecisionAction.HIDE,
        DecisionAction.RETURN,
        DecisionAction.KEEP,
        DecisionAction.PIN,
        DecisionAction.UNPIN,
    )
}


class DecisionPages:
    """The routes that decide."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def ways(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("POST", "/decide", Role.REVIEWER, self.decide)
        yield DeskRoute("POST", "/undo", Role.REVIEWER, self.undo)
        yield DeskRoute("POST", "/hand-out", Role.REVIEWER, self.hand_out)
        yield DeskRoute("POST", "/give-back", Role.REVIEWER, self.give_back)

    def decide(self, visit: DeskRequest) -> Response:
        """Decide on the item whose button was tapped, or on all that are ticked."""
        verb, seen, reason = _wanted(visit)
        until = self._until(visit) if verb is DecisionAction.PIN else None
        with self._desk.store.writing() as tx:
            done = tx.moderation.decisions.decide(
                seen, verb, who=visit.account.name, now=visit.now, reason=reason, until=until
            )
        return self._answer(visit, done, list(seen))

    def undo(self, visit: DeskRequest) -> Response:
        """Take a batch back: the one that is named, or the newest of one's own."""
        batch = visit.form.text("batch", most=64)
        with self._desk.store.writing() as tx:
            if not batch:
                latest = tx.moderation.decisions.latest(visit.account.name)
                batch = latest["batch"] if latest else ""
            done = tx.moderation.decisions.undo(batch, who=visit.account.name, now=visit.now) if batch else None
        if done is None:
            return self._say(visit, "There is nothing of yours to undo.")
        return self._answer(visit, done, [*done.done, *done.missed])

    def hand_out(self, visit: DeskRequest) -> Response:
        """Give the visitor the oldest items that nobody else has in hand."""
        with self._desk.store.writing() as tx:
            ids = tx.moderation.decisions.hand_out(visit.account.name, HANDED_OUT, visit.now, visit.now + _IN_HAND)
        minutes = round(_IN_HAND.total_seconds() / 60)
        if not ids:
            return self._desk.onward(HOME, "Nothing waits that somebody else does not have in hand already.")
        said = f"{len(ids)} items are yours for {minutes} minutes; others are handed other ones."
        return self._desk.onward(f"{HOME}?pile=mine", said)

    def give_back(self, visit: DeskRequest) -> Response:
        """Take everything out of the visitor's hands."""
        with self._desk.store.writing() as tx:
            tx.moderation.decisions.give_back(visit.account.name)
        return self._desk.onward(HOME, "Others can be handed these items now.")

    def _until(self, visit: DeskRequest) -> datetime:
        until = visit.form.moment("until", self._desk.pages.dates.zone) or visit.now + _USUAL_PIN
        if not visit.now < until <= visit.now + _LONGEST_PIN:
            raise BadFormError("Pin it until a moment to come, a year from now at the most.")
        return until

    def _answer(self, visit: DeskRequest, done: Decided, ids: Collection[int]) -> Response:
        if visit.is_partial:
            return cards_part(self._desk, visit, ids, done.sentence())
        return self._desk.onward(_back(visit), done.sentence())

    def _say(self, visit: DeskRequest, sentence: str) -> Response:
        if visit.is_partial:
            return cards_part(self._desk, visit, [], sentence)
        return self._desk.onward(_back(visit), sentence)


def _wanted(visit: DeskRequest) -> tuple[DecisionAction, Mapping[int, int], str]:
    """Return what to do, to which items as they were seen, and why."""
    tapped = visit.form.text("one", most=80)
    reason = visit.form.text("reason", most=300)
    if not tapped:
        verb = _verb(visit.form.text("action"))
        marks = visit.form.texts("item")
    else:
        match = _TAPPED.fullmatch(tapped)
        if match is None:
            raise BadFormError(f"{tapped!r} is nothing that can be done to an item.")
        verb, marks = _verb(match[1]), [match[2]]
        reason = REASONS.get(match[3] or "", "")
    if len(marks) > _MOST:
        raise BadFormError(f"{len(marks)} items at once are too many; {_MOST} are possible.")
    if not marks:
        raise BadFormError("No item is ticked; tick some, or use the buttons of one.")
    seen = dict(map(_seen, marks))
    return verb, seen, REASONS.get(reason, reason) or (USUAL_REASON if verb is DecisionAction.HIDE else "")


def _verb(name: str) -> DecisionAction:
    if name not in _OFFERED:
        raise BadFormError(f"{name[:40]!r} is nothing that can be done; possible are {', '.join(_OFFERED)}.")
    return _OFFERED[name]


def _seen(mark: str) -> tuple[int, int]:
    match = _MARK.fullmatch(mark)
    if match is None or int(match[1]) > _LARGEST_ID:
        raise BadFormError(f"{mark[:60]!r} names no item; load the page again.")
    return int(match[1]), int(match[2])


def _back(visit: DeskRequest) -> str:
    """Return where the visitor came from, if that is a page of the desk."""
    back = visit.form.text("back", most=2000)
    return back if re.fullmatch(rf"{HOME}(/items/[0-9]+)?(\?[\x21-\x7e]*)?", back) else HOME
