"""Preview a rule on recent items with the code that evaluates new ones. Pure."""

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
class RulePreview:
    """The result of a preview."""

    looked_at: int = 0
    acted: int = 0
    earlier: int = 0  # matching items that an earlier rule decided on
    listed: list[tuple[int, str]] = field(default_factory=list)  # (id, reason) of the newest


def rulebook_with(rules: Sequence[Rule], rule: Rule, now: datetime) -> Rulebook:
    """Return the rules up to and including a new or changed one."""
    places = [known.id for known in rules]
    before = rules[: places.index(rule.id)] if rule.id in places else rules
    return Rulebook([*before, rule], now)


def preview_rule(came: Iterable[tuple[int, Facts]], rule: Rule, book: Rulebook, now: datetime) -> RulePreview:
    """Evaluate a rule on past items in order of arrival.

    Args:
        came: ids and facts, starting well before the counted period if the rule counts or compares.
        rule: the previewed rule, as if it were enabled.
        book: the rules up to it, see `rulebook_with`.
        now: the current time.
    """
    alone = Rulebook([rule], now)
    around = Surroundings({}, MinHashIndex() if book.hours else None)
    done = RulePreview()
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
