"""Simulate the freshness of the stream for a poll budget: replay `domain.polling.schedule` on real posting times.

    python -m bench.freshness FOLDER [--budgets 1 4 12] [--seeds 3]

FOLDER contains `traces.json.gz` (times of posts) and `simulate.py`, which replays them and has other readers' policies.
Each frame is four weeks of all sources: two to learn, two to measure. All sources share one pace that keeps the budget,
as in production, with a floor of 60 s; the other policies are tuned to make the same number of polls within 1 %. The
output has the mean delay of items and its ratio to each policy's. `oracle-rate` is no real reader, but the best
constant rates that are possible with knowledge of the future.

`simulate.py --policy "bench.freshness:policy()"` runs the same schedule without the pace.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heapify, heapreplace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aggregator.domain.polling.schedule import (
    SHORTEST,
    PollBudget,
    PublishingProfile,
    Terms,
    after_success,
    levelled,
    observed,
    poll_weight,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOUR, DAY = 3600.0, 86400.0
PEERS = ("oracle-rate", "fixed", "miniflux", "newsblur", "commafeed")
_USUAL = 60.0  # with this level, a scale of 1 and an item an hour give one poll an hour: the root of 3600


def policy() -> Callable[[Any, float], float]:
    """Return the schedule as a policy of `simulate.py`: a function from state and time to the next poll."""
    numbers = count(1)

    def next_poll(state: Any, now: float) -> float:  # noqa: ANN401 - a type of that script
        if "terms" not in state.mem:
            state.mem |= {"terms": Terms(next(numbers), None, SHORTEST), "profile": PublishingProfile(_moment(now))}
        profile = observed(state.mem["profile"], _moment(now), map(_moment, state.new))
        state.mem["profile"] = profile
        pace = PollBudget(state.scale * _USUAL, 1.0)
        weight = poll_weight(profile, profile.at)
        return after_success(profile.at, state.mem["terms"], poll_weight=weight, pace=pace).at.timestamp()

    return next_poll


@dataclass(slots=True)
class Followed:
    """A source during the simulation."""

    terms: Terms
    events: Sequence[float]
    profile: PublishingProfile
    poll_weight: float
    seen: int = 0  # events
    delays: list[float] = field(default_factory=list)  # of the measured two weeks, seconds


@dataclass(slots=True)
class Played:
    """The result of a simulation: polls per source and hour, and the delay of items in seconds."""

    rate: float
    mean: float
    median: float
    by_source: float  # mean over sources of their mean


def together(simulate: Any, frames: Sequence[int], budget: float, seed: int) -> Played:  # noqa: ANN401 - the script
    """Simulate frames with all their sources at one pace of `budget` polls per source and hour."""
    dice = random.Random(seed)
    polls, followed = 0, list[Followed]()
    for frame in frames:
        sources, made = _frame(simulate, frame, budget, dice)
        polls += made
        followed += sources
    delays = sorted(delay for source in followed for delay in source.delays)
    means = [sum(source.delays) / len(source.delays) for source in followed if source.delays]
    return Played(
        rate=polls / len(followed) / simulate.MEASURED_HOURS,
        mean=sum(delays) / len(delays),
        median=delays[len(delays) // 2],
        by_source=sum(means) / len(means),
    )


def _frame(simulate: Any, frame: int, budget: float, dice: random.Random) -> tuple[list[Followed], int]:  # noqa: ANN401
    first = _moment(simulate.T0)
    fresh = PublishingProfile(first)
    sources = [
        Followed(Terms(number, None, SHORTEST), events, fresh, poll_weight(fresh, first))
        for number, (_, events) in enumerate(simulate.load([frame]), 1)
    ]
    per_second = budget * len(sources) / HOUR
    total = level = sum(source.poll_weight for source in sources)
    last, polls = first, 0
    queue = [(simulate.T0 + dice.random() * HOUR, number) for number in range(len(sources))]
    heapify(queue)
    while queue[0][0] < simulate.END + DAY:
        now, number = queue[0]
        source, moment = sources[number], _moment(now)
        polls += simulate.WARM <= now < simulate.END
        source.profile = observed(source.profile, moment, map(_moment, _new(source, now, simulate.WARM)))
        before, source.poll_weight = source.poll_weight, poll_weight(source.profile, moment)
        total += source.poll_weight - before
        level, last = levelled(level, moment - last, total), moment
        upcoming = after_success(
            moment, source.terms, poll_weight=source.poll_weight, pace=PollBudget(level, per_second)
        )
        heapreplace(queue, (upcoming.at.timestamp(), number))
    return sources, polls


def _new(source: Followed, now: float, measured_from: float) -> Sequence[float]:
    """Return the new items since the last poll, and record their delays."""
    first = source.seen
    while source.seen < len(source.events) and source.events[source.seen] <= now:
        source.seen += 1
    new = source.events[first : source.seen]
    source.delays += [now - event for event in new if event >= measured_from]
    return new


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--budgets", type=float, nargs="+", default=[1, 4, 12])
    parser.add_argument("--frames", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=PEERS)
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.folder))
    simulate = importlib.import_module("simulate")
    sources = simulate.load(arguments.frames)
    head = "".join(f"{'/ ' + name:>14}" for name in arguments.peers)
    print(f"asked/h  made/h   mean s median s by source {head}")
    for budget in arguments.budgets:
        runs = [together(simulate, arguments.frames, budget, seed) for seed in range(1, arguments.seeds + 1)]
        rate, mean, median, by_source = (
            sum(getattr(run, name) for run in runs) / len(runs) for name in ("rate", "mean", "median", "by_source")
        )
        print(f"{budget:>7g} {rate:>7.3f} {mean:>8.1f} {median:>8.1f} {by_source:>9.1f} ", end="", flush=True)
        for name in arguments.peers:
            theirs = simulate.at_budget(sources, simulate.POLICIES[name], rate, constrained=True)
            reached = abs(theirs["rate"] / rate - 1) < 0.02
            print(f"{mean / theirs['mean']:>14.3f}" if reached else f"{'out of reach':>14}", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
