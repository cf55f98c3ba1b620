"""Learn how long a source usually publishes nothing, and recognize when it has gone silent. Pure.

The history is a histogram of the gaps between items, on a logarithmic scale, weighted by the length of the gaps: which
part of the time the source spends in gaps of which length. So bursts weigh little, and nights and weekends count for as
much as they last. A *usual gap* contains 95 % of the time. For items at random times, a gap of 1.5 usual gaps has a
probability below 0.001; the threshold is higher, since real sources are less regular.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEAST_GAPS = 10
LEAST_SPAN = timedelta(days=14)  # two weekends
LEAST_SILENCE = timedelta(hours=6)
LONGEST_SILENCE = timedelta(days=400)

_USUAL = 0.95  # of the time
_FACTOR = 2.2  # usual gaps until a source counts as silent
_LONGEST_FACTOR = 3.0
_BEYOND_LONGEST = 1.25  # times the longest known gap
_SPAN_FACTOR = 6  # usual gaps that the history must be long
_MEMORY = timedelta(days=240)  # gaps lose weight over this time
_SHORTEST = 60.0  # seconds; shorter gaps count as one burst
_STEP = math.log(1.25)  # between two bins
_MOST_COUNTED = 2.0  # thresholds; the rest of a longer gap is not counted
_MOST_BINS = 64
_MOST_ITEMS = 200  # of one poll


@dataclass(frozen=True, slots=True)
class GapHistory:
    """The gaps between the items of a source: for each bin, their number and their sum in seconds, both decayed."""

    began: datetime  # the first item
    newest: datetime  # the last one
    gaps: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Return the history in its stored form."""
        return {
            "began": self.began.isoformat(),
            "newest": self.newest.isoformat(),
            "gaps": {str(bin_): [round(number, 4), round(seconds)] for bin_, (number, seconds) in self.gaps.items()},
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> GapHistory | None:
        """Parse a stored history; None: there is none, or it is invalid."""
        try:
            known = stored or {}
            began, newest = (datetime.fromisoformat(known[name]).astimezone(UTC) for name in ("began", "newest"))
            gaps = {int(bin_): (float(pair[0]), float(pair[1])) for bin_, pair in known["gaps"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
            return None
        sound = len(gaps) <= 2 * _MOST_BINS and all(
            0 <= number < math.inf and 0 <= seconds < math.inf for number, seconds in gaps.values()
        )
        return cls(began, newest, gaps) if sound else None


def observed(history: GapHistory | None, published: Iterable[datetime], now: datetime) -> GapHistory | None:
    """Add the times of new items to a history; future times count as now, and so do items with old dates only."""
    times = sorted(min(moment, now) for moment in published)[-_MOST_ITEMS:]
    if not times:
        return history
    if history is None:
        history = GapHistory(times[0], times[0])
        later = times[1:]
    else:
        later = [moment for moment in times if moment > history.newest] or [max(now, history.newest)]
    if not later:
        return history
    keep = math.exp((history.newest - later[-1]) / _MEMORY)
    gaps = {bin_: (number * keep, seconds * keep) for bin_, (number, seconds) in history.gaps.items()}
    # One long silence must not hide the next.
    most = _MOST_COUNTED * (silent_after(history) or LONGEST_SILENCE).total_seconds()
    last = history.newest
    for moment in later:
        gap = min((moment - last).total_seconds(), most)
        last = moment
        if gap < _SHORTEST:
            continue
        bin_ = min(int(math.log(gap / _SHORTEST) / _STEP), _MOST_BINS)
        number, seconds = gaps.get(bin_, (0.0, 0.0))
        gaps[bin_] = (number + 1, seconds + gap)
    return GapHistory(history.began, last, {bin_: pair for bin_, pair in gaps.items() if pair[0] > 1e-3})  # noqa: PLR2004


def usual_gap(history: GapHistory) -> timedelta:
    """Return the length of gap that contains 95 % of the time."""
    total = sum(seconds for _, seconds in history.gaps.values())
    passed = 0.0
    for _, (number, seconds) in sorted(history.gaps.items()):
        passed += seconds
        if passed >= _USUAL * total:
            return timedelta(seconds=seconds / number)
    return timedelta()


def silent_after(history: GapHistory) -> timedelta | None:
    """Return the gap after which a source counts as silent; None: its history is too short to judge."""
    number = sum(number for number, _ in history.gaps.values())
    usual, span = usual_gap(history), history.newest - history.began
    if number < LEAST_GAPS or not usual or span < max(LEAST_SPAN, _SPAN_FACTOR * usual):
        return None
    times, seconds = history.gaps[max(history.gaps)]
    longest = timedelta(seconds=seconds / times)
    threshold = min(max(_FACTOR * usual, _BEYOND_LONGEST * longest), _LONGEST_FACTOR * usual)
    return min(max(threshold, LEAST_SILENCE), LONGEST_SILENCE)


def mean_gap(history: GapHistory) -> timedelta:
    """Return the mean gap between bursts."""
    number = sum(number for number, _ in history.gaps.values())
    return timedelta(seconds=sum(seconds for _, seconds in history.gaps.values()) / number) if number else timedelta()


def sentence_of(name: str, history: GapHistory, now: datetime) -> str:
    """Describe a silence to operators."""
    usual = _rounded(usual_gap(history))
    return (
        f"{name} went silent: it posts every {_rounded(mean_gap(history))} on average, and pauses of up to {usual} are "
        f"usual; nothing for {_rounded(now - history.newest)}."
    )


def _rounded(span: timedelta) -> str:
    return spoken(timedelta(seconds=round(span.total_seconds())))
