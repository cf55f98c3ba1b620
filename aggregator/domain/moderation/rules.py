"""Apply editors' rules to new items. Pure; `conditions` evaluates their conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from aggregator.domain.activity import Review
from aggregator.domain.errors import BadRequestError
from aggregator.domain.moderation.conditions import Condition, Field, compiled, described
from aggregator.text.urls import slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aggregator.domain.moderation.conditions import Facts, Surroundings, Test

MOST_CONDITIONS = 20
LONGEST_NAME = 80
LONGEST_PIN = 366  # days


class Action(StrEnum):
    """The action of a rule. The first that keeps, holds or hides decides; tags and pins add up."""

    KEEP = "keep"  # publish, overriding the source's policy
    HOLD = "hold"  # hold for review
    HIDE = "hide"
    TAG = "tag"
    PIN = "pin"


_REVIEWS = {Action.KEEP: Review.PUBLISHED, Action.HOLD: Review.WAITING, Action.HIDE: Review.HIDDEN}


@dataclass(frozen=True, slots=True)
class Rule:
    """A stored rule."""

    id: int
    name: str
    action: Action
    conditions: tuple[Condition, ...]
    every: bool = True  # whether all conditions must match, or any
    value: str | None = None  # the tag; the days of a pin
    enabled: bool = True
    until: datetime | None = None
    place: int = 0
    author: str = ""
    created: datetime | None = None
    changed: datetime | None = None
    acted: int = 0
    last_acted: datetime | None = None

    def sentence(self) -> str:
        """Return the conditions and action in words."""
        joined = (" and " if self.every else " or ").join(map(described, self.conditions))
        done = {Action.TAG: f"tag it “{self.value}”", Action.PIN: f"pin it for {self.value} days"}
        return f"If {joined}: {done.get(self.action, self.action.value + ' it')}."


@dataclass(frozen=True, slots=True)
class Verdict:
    """The combined result of the rules for an item."""

    review: Review | None = None  # None: no rule decides
    rule: int | None = None  # id of the deciding rule
    why: str = ""
    tags: tuple[str, ...] = ()
    pin: timedelta | None = None
    acted: tuple[int, ...] = ()  # ids of all matching rules
    reasons: dict[int, str] = field(default_factory=dict)  # by rule id


class Rulebook:
    """The enabled rules in order, compiled."""

    def __init__(self, rules: Iterable[Rule], now: datetime) -> None:
        standing = [rule for rule in rules if rule.enabled and (rule.until is None or rule.until > now)]
        self._rules = [(rule, [compiled(condition) for condition in rule.conditions]) for rule in standing]

    def __bool__(self) -> bool:
        return bool(self._rules)

    @property
    def fields(self) -> set[Field]:
        """The fields that the conditions examine."""
        return {condition.field for rule, _ in self._rules for condition in rule.conditions}

    @property
    def hours(self) -> int:
        """The period of the near-duplicate conditions in hours; 0: none."""
        conditions = [condition for rule, _ in self._rules for condition in rule.conditions]
        return max(
            (int(condition.value) for condition in conditions if condition.field is Field.NEAR_DUPLICATE), default=0
        )

    def judge(self, facts: Facts, around: Surroundings) -> Verdict:
        """Evaluate the rules on an item."""
        decided: Rule | None = None
        tags: list[str] = []
        pin: timedelta | None = None
        reasons: dict[int, str] = {}
        for rule, tests in self._rules:
            review = _REVIEWS.get(rule.action)
            if review is not None and decided is not None:
                continue
            why = _holds(rule, tests, facts, around)
            if why is None:
                continue
            reasons[rule.id] = f"rule “{rule.name}”: {why}"
            if review is not None:
                decided = rule
            elif rule.action is Action.TAG and rule.value:
                tags.append(rule.value)
            elif rule.value:
                pin = max(pin or timedelta(), timedelta(days=int(rule.value)))
        return Verdict(
            review=_REVIEWS[decided.action] if decided else None,
            rule=decided.id if decided else None,
            why=reasons[decided.id] if decided else "",
            tags=tuple(dict.fromkeys(tags)),
            pin=pin,
            acted=tuple(reasons),
            reasons=reasons,
        )


def checked(rule: Rule) -> Rule:
    """Return a valid rule.

    Raises:
        BadRequestError: it is invalid; the message names the reason.
    """
    if not rule.name or len(rule.name) > LONGEST_NAME:
        raise BadRequestError(f"A rule needs a name of at most {LONGEST_NAME} characters.")
    if not 1 <= len(rule.conditions) <= MOST_CONDITIONS:
        raise BadRequestError(f"A rule has 1 to {MOST_CONDITIONS} conditions; this one has {len(rule.conditions)}.")
    for place, condition in enumerate(rule.conditions, 1):
        try:
            compiled(condition)
        except BadRequestError as problem:
            raise BadRequestError(f"Condition {place}: {problem}") from None
    if rule.action is Action.TAG and slug(rule.value or "") != rule.value:
        raise BadRequestError("A tag consists of a-z, 0-9 and dashes, such as open-data.")
    if rule.action is Action.PIN and not _is_pin(rule.value or ""):
        raise BadRequestError(f"A pin must last 1 to {LONGEST_PIN} days.")
    return rule


def _is_pin(value: str) -> bool:
    return value.isascii() and value.isdigit() and 1 <= int(value) <= LONGEST_PIN


def _holds(rule: Rule, tests: Sequence[Test], facts: Facts, around: Surroundings) -> str | None:
    """Return why a rule matches an item, or None."""
    found = []
    for test in tests:
        why = test(facts, around)
        if why is None and rule.every:
            return None
        if why is not None:
            found.append(why)
            if not rule.every:
                break
    return " and ".join(found) or None
