"""Test the recognition of silent sources, on generated posting times, and on real ones where they are present."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from aggregator.domain.monitoring.silence import (
    GapHistory,
    observed,
    sentence_of,
    silent_after,
    usual_gap,
)
from tests.building import NOON

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
YEAR = 365 * DAY
SOUND = {"began": NOON.isoformat(), "newest": NOON.isoformat(), "gaps": {}}
REAL = Path(__file__).parents[4] / "shared" / "bench" / "freshness" / "traces.json.gz"


class Score(NamedTuple):
    """How the recognition did on one trace."""

    alarms: int  # each one false
    judged: timedelta  # how long the history sufficed
    in_time: timedelta  # of that, the time at whose moments a cut would be recognized within 3 of its usual gaps


def at_random(random: Random, length: timedelta, mean: timedelta) -> list[datetime]:
    moments, now = [], NOON
    while now < NOON + length:
        now += mean * random.expovariate(1)
        moments.append(now)
    return moments


def poisson(random: Random) -> list[datetime]:
    return at_random(random, YEAR, DAY)


def frequent(random: Random) -> list[datetime]:
    return at_random(random, YEAR, HOUR)


def on_weekdays(random: Random) -> list[datetime]:
    times = at_random(random, YEAR, timedelta(minutes=50))
    return [moment for moment in times if moment.weekday() < 5 and 8 <= moment.hour < 18]


def weekly(random: Random) -> list[datetime]:
    return [NOON + timedelta(days=7 * week, hours=random.uniform(-20, 20)) for week in range(52)]


def every_day(random: Random) -> list[datetime]:
    return [NOON + timedelta(days=day, hours=random.uniform(-2, 2)) for day in range(365) if random.random() < 0.99]


def in_bursts(random: Random) -> list[datetime]:
    starts = at_random(random, YEAR, 2.5 * DAY)
    return sorted(start + HOUR * random.random() for start in starts for _ in range(random.randint(1, 12)))


def ever_less(random: Random) -> list[datetime]:
    """Post daily at first, and every six days after a year."""
    moments, now = [], NOON
    while now < NOON + YEAR:
        now += DAY * (1 + 5 * ((now - NOON) / YEAR)) * random.uniform(0.5, 1.5)
        moments.append(now)
    return moments


def weighted(gaps: Sequence[timedelta]) -> timedelta:
    """Return the gap that contains 95 % of the time, knowing all of them."""
    total, passed = sum(gaps, timedelta()), timedelta()
    for gap in sorted(gaps):
        passed += gap
        if passed >= 0.95 * total:
            return gap
    raise AssertionError(gaps)


def judged(times: Sequence[datetime], end: datetime) -> Score:
    history, alarms, whole, in_time = None, 0, timedelta(), timedelta()
    usual = weighted([after - before for before, after in pairwise(times)]) if len(times) > 1 else timedelta()
    for moment, following in pairwise([*times, end]):
        history = observed(history, [moment], moment)
        assert history is not None
        after = silent_after(history)
        if after is None or following < moment:
            continue
        whole += following - moment
        alarms += following - moment > after
        in_time += (following - moment) * (after <= max(3 * usual, 6 * HOUR))
    return Score(alarms, whole, in_time)


@pytest.mark.parametrize(
    "trace", [poisson, frequent, on_weekdays, weekly, every_day, in_bursts, ever_less], ids=lambda trace: trace.__name__
)
def test_generated_sources_raise_at_most_one_false_alarm_a_year(trace: Callable[[Random], list[datetime]]) -> None:
    scores = []
    for seed in range(20):
        times = trace(Random(seed))
        scores.append(judged(times, times[-1]))
    years = sum((score.judged for score in scores), timedelta()) / YEAR
    assert years > 10
    assert sum(score.alarms for score in scores) <= years
    assert sum((score.in_time for score in scores), timedelta()) / YEAR >= 0.9 * years


@pytest.mark.skipif(not REAL.exists(), reason="the real posting times are not present")
@pytest.mark.parametrize("joined", [False, True], ids=["frames-of-28-days", "frames-of-a-source-joined"])
def test_real_sources_raise_at_most_one_false_alarm_a_year(joined: bool) -> None:
    scores: dict[str, list[Score]] = {}
    for name, times, end in real(joined):
        scores.setdefault(name, []).append(judged(times, end))
    each = [score for of_source in scores.values() for score in of_source]
    years = sum((score.judged for score in each), timedelta()) / YEAR
    alarms = {name: sum(score.alarms for score in of_source) for name, of_source in scores.items()}
    in_time = sum((score.in_time for score in each), timedelta()) / YEAR / years

    assert max(alarms.values()) <= 1
    assert sum(alarms.values()) <= max(years, 2)
    assert in_time >= 0.95


def real(joined: bool) -> list[tuple[str, list[datetime], datetime]]:
    """Return the real posting times; a random cut is a random moment of these frames."""
    traces = []
    for source in json.loads(gzip.decompress(REAL.read_bytes()))["sources"]:
        frames = sorted(source["frames"], key=lambda frame: frame["start"])
        shifted = [
            [NOON + timedelta(seconds=event - frame["start"], days=28 * place * joined) for event in frame["events"]]
            for place, frame in enumerate(frames)
        ]
        if joined:
            shifted = [sorted(moment for times in shifted for moment in times)]
        end = NOON + 28 * DAY * (len(frames) if joined else 1)
        traces += [(source["name"], sorted(times), end) for times in shifted if times]
    return traces


def of_days(*days: float) -> GapHistory:
    history = observed(None, [NOON + timedelta(days=day) for day in days], NOON + 1000 * DAY)
    assert history is not None
    return history


def test_a_short_history_is_not_judged() -> None:
    assert silent_after(of_days(*range(9))) is None  # a few items
    assert silent_after(of_days(*(number / 10 for number in range(100)))) is None  # ten days
    assert silent_after(of_days(*range(20))) is not None


def test_a_silence_is_described_with_its_evidence() -> None:
    history = of_days(*range(0, 60, 2))
    assert usual_gap(history) == 2 * DAY
    after = silent_after(history)
    assert after is not None
    assert 4 * DAY < after <= 6 * DAY
    assert sentence_of("NASA", history, history.newest + 19 * DAY) == (
        "NASA went silent: it posts every 2 d on average, and pauses of up to 2 d are usual; nothing for 19 d."
    )


def test_a_history_survives_storage() -> None:
    history = of_days(0, 1, 1.2, 5, 9)
    again = GapHistory.of(json.loads(json.dumps(history.json())))
    assert again is not None
    assert again.newest == history.newest
    assert usual_gap(again) == usual_gap(history)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="empty"),
        pytest.param({"began": "x", "newest": "y", "gaps": {}}, id="no-dates"),
        pytest.param({**SOUND, "gaps": {"1": [float("nan"), 1]}}, id="nan"),
        pytest.param({**SOUND, "gaps": []}, id="list"),
    ],
)
def test_an_invalid_history_is_replaced(stored: dict[str, object] | None) -> None:
    assert GapHistory.of(stored) is None


def test_items_with_old_or_future_dates_count_as_new() -> None:
    history = of_days(*range(20))
    now = history.newest + 3 * DAY
    old = observed(history, [datetime(1999, 1, 1, tzinfo=UTC)], now)
    future = observed(history, [now + YEAR], now)
    assert old is not None
    assert future is not None
    assert old.newest == future.newest == now
    assert observed(history, [], now) == history


def test_a_history_stays_small() -> None:
    random, history = Random(1), None
    for number in range(3000):
        moment = NOON + timedelta(hours=number) + timedelta(days=random.expovariate(1) * random.choice([0.01, 1, 100]))
        history = observed(history, [moment], moment)
    assert history is not None
    assert len(json.dumps(history.json())) < 3000
