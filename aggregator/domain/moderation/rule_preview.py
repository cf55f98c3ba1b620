"""Rehearsal: what a rule would have done with what came, judged by the very code that judges what comes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.matching.near_duplicates import MinHashIndex
from aggregator.domain.moderation.conditions import Surroundings
from aggregator.domain.moderation.rules import Rulebook

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from aggregator.domain.moderation.conditions import Facts
    from aggregator.domain.moderation.rules import Rule

SPAN = timedelta(days=30)
LISTED = 100  # items


@dataclass(slots=True)
class Rehearsed:
    """What a rule would have done."""

    looked_at: int = 0
    acted: int = 0
    earlier: int = 0  # items that fit, too, but that a rule before it decided on
    listed: list[tuple[int, str]] = field(default_factory=list)  # (id, why) of the newest


def book_with(rules: Sequence[Rule], rule: Rule, now: datetime) -> Rulebook:
    """Return the rules that count up to one that may be new or changed, that one included."""
    places = [one.id for one in rules]
    before = rules[: places.index(rule.id)] if rule.id in places else rules
    return Rulebook([*before, rule], now)


def rehearse(came: Iterable[tuple[int, Facts]], rule: Rule, book: Rulebook, now: datetime) -> Rehearsed:
    """Judge what came, in the order of arrival.

    Args:
        came: ids and facts, from well before the oldest that is counted where the rule counts or compares.
        rule: the one that is rehearsed, as if it were on.
        book: the rules up to it, see `book_with`.
        now: the present moment.
    """
    alone = Rulebook([rule], now)
    around = Surroundings({}, MinHashIndex() if book.hours else None)
    done = Rehearsed()
    since = now - SPAN
    for id_, facts in came:
        if facts.arrived >= since:
            done.looked_at += 1
            verdict = alone.judge(facts, around)
            if verdict.acted:
                whole = book.judge(facts, around)
                if rule.id in whole.acted:
                    done.acted += 1
                    done.listed.append((id_, whole.reasons[rule.id]))
                    del done.listed[:-LISTED]
                else:
                    done.earlier += 1
        around.note(facts)
    done.listed.reverse()
    return done
