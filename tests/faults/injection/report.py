"""Print what a run of faults showed, as a table by kind, and find what breaks the promises."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.injection.answers import Answer
    from tests.faults.injection.drill import Outcome
    from tests.faults.injection.stage import Stage

CACHED, OTHERS = 0.05, 1.0  # seconds: the most that 99 of 100 answers take
_BUSY = 3  # times the time of the same answers without a fault: the machine was too busy to tell
_LATE = 0.8  # seconds: nearly what a reader waits for its database
_FEW = 50  # answers of which a percentile says something
_LINE = "{:38}{:>6}{:>16}{:>16}{:>10}{:>8}{:>8}{:>8}{:>11}{:>11}"


def p99(answers: Sequence[Answer]) -> float:
    """Return the time within which 99 of 100 answers came, in seconds."""
    seconds = sorted(answer.seconds for answer in answers)
    return seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))] if seconds else 0.0


def show(outcomes: Sequence[Outcome], quiet: Sequence[Answer]) -> None:
    """Print the table."""
    head = ("fault", "times", "polling s", "shown s", "requests", "none", "503", "5xx", "cached p99", "other p99")
    print("\n" + _LINE.format(*head))
    print(_LINE.format("(none)", "", "", "", *_figures(quiet)))
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind.name].append(outcome)
    for name, group in sorted(by_kind.items()):
        answers = [answer for outcome in group for answer in outcome.during]
        resumed, shown = ([getattr(outcome, what) for outcome in group] for what in ("resumed", "shown"))
        print(_LINE.format(name, len(group), _span(resumed), _span(shown), *_figures(answers)))
    during = [answer for outcome in outcomes for answer in outcome.during]
    print(_LINE.format("all, during faults", len(outcomes), "", "", *_figures(during)))
    after = [answer for outcome in outcomes for answer in outcome.after]
    print(_LINE.format("all, after faults", "", "", "", *_figures(after)))
    print("polling s, shown s: median / longest time until a source is polled, a new item shown; p99 in ms")


def _span(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.1f} / {max(seconds):.1f}"


def _figures(answers: Sequence[Answer]) -> tuple[int, int, int, int, str, str]:
    statuses = [answer.status for answer in answers]
    cached, others = _halves(answers)
    failed = sum(status >= 500 and status != 503 for status in statuses)
    times = (f"{1000 * p99(part):.0f}" for part in (cached, others))
    return (len(answers), statuses.count(0), statuses.count(503), failed, *times)  # type: ignore[return-value]


def _halves(answers: Sequence[Answer]) -> tuple[list[Answer], list[Answer]]:
    return [answer for answer in answers if answer.cached], [answer for answer in answers if not answer.cached]


def violations(
    stage: Stage, outcomes: Sequence[Outcome], quiet: Sequence[Answer], *, patience: float = 1.0
) -> list[str]:
    """Return every broken promise that was seen while faults happened."""
    found = [f"{outcome.kind.name}: {outcome.problem}" for outcome in outcomes if outcome.problem]
    found += stage.answers.violations[:50]
    for outcome in outcomes:
        ports = _own(stage, outcome)
        wrong = [answer for answer in outcome.during if answer.port not in ports and not _is_right(answer, outcome)]
        if wrong:
            found.append(f"{outcome.kind.name}: {len(wrong)} wrong answers, such as {wrong[0]}")
    away = [answer for outcome in outcomes if outcome.calm for answer in outcome.during]
    for name, part, usual, goal in zip(
        ("cached", "other"), _halves(away), _halves(quiet), (CACHED, OTHERS), strict=True
    ):
        if len(part) > _FEW and p99(part) > max(goal * patience, _BUSY * p99(usual)):
            found.append(f"{name} addresses while the database is away: p99 {1000 * p99(part):.0f} ms")
    return found


def _own(stage: Stage, outcome: Outcome) -> set[int]:
    """Return the ports of the readers that the fault itself ends or stops."""
    return {port for name, port in stage.ports.items() if outcome.kind.name.startswith(name)}


def _is_right(answer: Answer, outcome: Outcome) -> bool:
    """Return whether an answer may be given while anything but its reader fails.

    Without its database, a reader doesn't serve cached pages from before an edit or removal that it knows of. It takes
    a database that doesn't answer for long, on a busy machine too, as unavailable.
    """
    may_be_away = not outcome.calm and (outcome.kind.away or answer.seconds > _LATE)
    if answer.cached and not may_be_away:
        return answer.status == 200
    return answer.status in {200, 404, 503}
