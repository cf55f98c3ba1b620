"""Handle reviewers' decisions: on one item, on several, and undo."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.moderation.decisions import REASONS, USUAL_REASON, Decided, DecisionAction
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import BadFormError, id_in
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
    """The routes for decisions."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("POST", "/decide", Role.REVIEWER, self.decide)
        yield DeskRoute("POST", "/undo", Role.REVIEWER, self.undo)
        yield DeskRoute("POST", "/hand-out", Role.REVIEWER, self.hand_out)
        yield DeskRoute("POST", "/give-back", Role.REVIEWER, self.give_back)

    def decide(self, request: DeskRequest) -> Response:
        """Decide on the item of the pressed button or on all selected items."""
        verb, seen, reason = _parse_decision(request)
        until = self._until(request) if verb is DecisionAction.PIN else None
        with self._desk.store.writing() as tx:
            done = tx.moderation.decisions.decide(
                seen, verb, who=request.account.name, now=request.now, reason=reason, until=until
            )
        return self._answer(request, done, list(seen))

    def undo(self, request: DeskRequest) -> Response:
        """Undo the latest decision on an item, or a batch: the given one or the user's latest."""
        batch, item = request.form.text("batch", most=64), request.form.text("undo_item", most=19)
        if item:
            return self._undo_item(request, item)
        with self._desk.store.writing() as tx:
            if not batch:
                latest = tx.moderation.decisions.latest(request.account.name)
                batch = latest["batch"] if latest else ""
            done = tx.moderation.decisions.undo(batch, who=request.account.name, now=request.now) if batch else None
        if done is None:
            return self._say(request, "Nothing to undo.")
        return self._answer(request, done, [*done.done, *done.missed])

    def _undo_item(self, request: DeskRequest, item: str) -> Response:
        id_ = id_in(item)
        if id_ is None:
            raise BadFormError(f"{item!r} isn't an item.")
        with self._desk.store.writing() as tx:
            done = tx.moderation.decisions.undo_latest(id_, who=request.account.name, now=request.now)
        if done is None:
            return self._say(request, "Nothing to undo.")
        return self._answer(request, done, [*done.done, *done.missed])

    def hand_out(self, request: DeskRequest) -> Response:
        """Assign the oldest unassigned items to the user."""
        with self._desk.store.writing() as tx:
            ids = tx.moderation.decisions.hand_out(
                request.account.name, HANDED_OUT, request.now, request.now + _IN_HAND
            )
        minutes = round(_IN_HAND.total_seconds() / 60)
        if not ids:
            return self._desk.onward(HOME, "No unassigned items are waiting.")
        message = f"{len(ids)} items are assigned to you for {minutes} minutes."
        return self._desk.onward(f"{HOME}?pile=mine", message)

    def give_back(self, request: DeskRequest) -> Response:
        """Unassign all items of the user."""
        with self._desk.store.writing() as tx:
            tx.moderation.decisions.give_back(request.account.name)
        return self._desk.onward(HOME, "Your items are unassigned.")

    def _until(self, request: DeskRequest) -> datetime:
        until = request.form.moment("until", self._desk.pages.dates.zone) or request.now + _USUAL_PIN
        if not request.now < until <= request.now + _LONGEST_PIN:
            raise BadFormError("The end of the pin must be in the future, within a year.")
        return until

    def _answer(self, request: DeskRequest, done: Decided, ids: Collection[int]) -> Response:
        if request.is_partial:
            return cards_part(self._desk, request, ids, done.sentence())
        return self._desk.onward(_back(request), done.sentence())

    def _say(self, request: DeskRequest, sentence: str) -> Response:
        if request.is_partial:
            return cards_part(self._desk, request, [], sentence)
        return self._desk.onward(_back(request), sentence)


def _parse_decision(request: DeskRequest) -> tuple[DecisionAction, Mapping[int, int], str]:
    """Return the action, the items with the revisions that the user saw, and the reason."""
    tapped = request.form.text("one", most=80)
    reason = request.form.text("reason", most=300)
    if not tapped:
        verb = _verb(request.form.text("action"))
        marks = request.form.texts("item")
    else:
        match = _TAPPED.fullmatch(tapped)
        if match is None:
            raise BadFormError(f"Unknown action {tapped!r}.")
        verb, marks = _verb(match[1]), [match[2]]
        reason = REASONS.get(match[3] or "", "")
    if len(marks) > _MOST:
        raise BadFormError(f"{len(marks)} items are too many; the limit is {_MOST}.")
    if not marks:
        raise BadFormError("No items selected.")
    seen = dict(map(_seen, marks))
    return verb, seen, REASONS.get(reason, reason) or (USUAL_REASON if verb is DecisionAction.HIDE else "")


def _verb(name: str) -> DecisionAction:
    if name not in _OFFERED:
        raise BadFormError(f"Unknown action {name[:40]!r}; expected {', '.join(_OFFERED)}.")
    return _OFFERED[name]


def _seen(mark: str) -> tuple[int, int]:
    match = _MARK.fullmatch(mark)
    if match is None or int(match[1]) > _LARGEST_ID:
        raise BadFormError(f"{mark[:60]!r} isn't an item; reload the page.")
    return int(match[1]), int(match[2])


def _back(request: DeskRequest) -> str:
    """Return the page to go back to, if it is a page of the desk."""
    back = request.form.text("back", most=2000)
    return back if re.fullmatch(rf"{HOME}(/items/[0-9]+)?(\?[\x21-\x7e]*)?", back) else HOME
