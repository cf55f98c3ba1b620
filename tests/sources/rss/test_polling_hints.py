"""Test publishers' polling hints in headers and feeds: the latest applies, invalid ones don't."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aggregator.domain.polling.results import PublisherHints
from aggregator.sources.rss.document import Announced
from aggregator.sources.rss.polling_hints import (
    LONGEST,
    LONGEST_SLOW,
    announced_json,
    announced_of,
    hints_of,
)
from tests.building import NOON

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FLOOR = 15 * MINUTE
SAYS_NOTHING = Announced()


def _asked(
    headers: Mapping[str, str] | None = None, announced: Announced = SAYS_NOTHING, *, slow: bool = False
) -> tuple[PublisherHints, str | None]:
    return hints_of(headers or {}, announced, NOON, slow=slow, floor=FLOOR)


def http_date(after: timedelta) -> str:
    return format_datetime(NOON + after, usegmt=True)


def test_who_asks_for_nothing_gets_the_floor_alone() -> None:
    assert _asked() == (PublisherHints(floor=FLOOR), None)


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Cache-Control": "max-age=7200"}, 2 * HOUR),
        ({"cache-control": "MAX-AGE=7200"}, 2 * HOUR),
        ({"Cache-Control": 'public, max-age="7200"'}, 2 * HOUR),
        ({"Cache-Control": "max-age = 7200"}, 2 * HOUR),
        ({"Cache-Control": "s-maxage=7200,max-age=60"}, 2 * HOUR),
        ({"Cache-Control": "max-age=7200, s-maxage=60"}, 2 * HOUR),
        ({"Cache-Control": "max-age=7200", "Age": "3600"}, HOUR),
        ({"Cache-Control": "max-age=7200", "Age": "old"}, 2 * HOUR),
        ({"Cache-Control": "max-age=7200", "Age": "9000"}, timedelta()),
        ({"Cache-Control": "no-store, no-cache, max-age=0, must-revalidate"}, timedelta()),
        ({"Cache-Control": "no-cache", "Expires": http_date(2 * HOUR)}, 2 * HOUR),
        ({"Cache-Control": "max-age=-7200"}, timedelta()),
        ({"Cache-Control": "max-age=two hours"}, timedelta()),
        ({"Cache-Control": "stale-max-age=7200, x-max-age=1"}, timedelta()),
        ({"Cache-Control": "max-age=60", "Expires": http_date(2 * HOUR)}, MINUTE),  # RFC 9111: it beats Expires
        ({"Expires": http_date(2 * HOUR), "Date": http_date(timedelta())}, 2 * HOUR),
        ({"Expires": http_date(2 * HOUR - 3 * DAY), "Date": http_date(-3 * DAY)}, 2 * HOUR),  # their clock is slow
        ({"Expires": http_date(2 * HOUR), "Date": "now"}, 2 * HOUR),
        ({"Expires": http_date(-2 * HOUR)}, timedelta()),
        ({"Expires": "0"}, timedelta()),
        ({"Expires": "Thu, 99 Foo 2099 99:99:99 GMT"}, timedelta()),
    ],
)
def test_freshness_is_a_wish(headers: Mapping[str, str], least: timedelta) -> None:
    hints, note = _asked(headers)
    assert (hints.at_least, note) == (least, None)


def test_headers_in_several_lines_are_one_list() -> None:
    hints, _ = _asked(CIMultiDict([("Cache-Control", "public"), ("cache-control", "max-age=7200")]))
    assert (hints.at_least, hints.why) == (2 * HOUR, "max-age")


@pytest.mark.parametrize("age", ["31536000", "99999999999", "1" + "0" * 4000])
def test_a_wish_for_ever_is_cut_and_told(age: str) -> None:
    hints, note = _asked({"Cache-Control": f"max-age={age}"})
    assert hints.at_least == LONGEST
    assert note is not None
    assert note.endswith("d between polls (max-age); the limit is 24 h.")
    slow, note = _asked({"Cache-Control": f"max-age={age}"}, slow=True)
    assert slow.at_least == LONGEST_SLOW
    assert "the limit is 31 d" in str(note)


def test_a_slow_source_gets_what_it_asks_for() -> None:
    hints, note = _asked({"Cache-Control": "max-age=864000"}, slow=True)
    assert (hints.at_least, note) == (10 * DAY, None)


@pytest.mark.parametrize(
    ("announced", "least", "why"),
    [
        (Announced(ttl="180"), 3 * HOUR, "ttl"),
        (Announced(ttl=" 180 "), 3 * HOUR, "ttl"),
        (Announced(update_period="hourly"), HOUR, "sy:updatePeriod"),
        (Announced(update_period="Daily", update_frequency="2"), DAY / 2, "sy:updatePeriod"),
        (Announced(update_period="daily", update_frequency="24", ttl="30"), HOUR, "sy:updatePeriod"),
        (Announced(update_period="hourly", ttl="90"), 90 * MINUTE, "ttl"),
        (Announced(update_frequency="2"), timedelta(), ""),  # of no period
    ],
)
def test_what_the_feed_itself_asks_counts(announced: Announced, least: timedelta, why: str) -> None:
    hints, note = _asked(announced=announced)
    assert (hints.at_least, hints.why, note) == (least, why, None)


def test_the_latest_of_all_wishes_counts() -> None:
    announced = Announced(ttl="60", update_period="daily", update_frequency="4")
    assert _asked({"Cache-Control": "max-age=7200"}, announced)[0].why == "sy:updatePeriod"
    assert _asked({"Cache-Control": "max-age=72000"}, announced)[0].why == "max-age"


@pytest.mark.parametrize("nonsense", ["0", "-5", "1000000000", "1e3", "soon", "12.5", "٣٠", "9" * 5000])
def test_nonsense_is_ignored_and_told(nonsense: str) -> None:
    hints, note = _asked(announced=Announced(ttl=nonsense))
    assert (hints.at_least, note) == (timedelta(), f"Its ttl ({nonsense[:40]!r}) is invalid and is ignored.")
    hints, note = _asked(announced=Announced(update_period="daily", update_frequency=nonsense))
    if nonsense == "1000000000":  # as often as they like
        assert hints.at_least < MINUTE
    else:
        assert (hints.at_least, note is not None) == (timedelta(), True)


def test_skipped_hours_and_days_are_read_as_people_write_them() -> None:
    announced = Announced(
        skip_hours=("0", " 7", "24", "25", "-1", "x", "23"), skip_days=("sunday", "SATURDAY ", "Sonntag")
    )
    hints, note = _asked(announced=announced)
    assert hints.skip_hours == {0, 7, 23}
    assert hints.skip_days == {5, 6}
    assert note is None


def test_who_skips_everything_skips_nothing() -> None:
    every_hour = tuple(str(hour) for hour in range(1, 25))
    every_day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    hints, note = _asked(announced=Announced(skip_hours=every_hour, skip_days=every_day))
    assert (hints.skip_hours, hints.skip_days) == (frozenset(), frozenset())
    assert note == "Its skipHours name every hour and are ignored. Its skipDays name every day and are ignored."


texts = st.none() | st.text(min_size=1, max_size=12) | st.integers(-10, 10**12).map(str)
announcements = st.builds(
    Announced,
    ttl=texts,
    skip_hours=st.lists(st.text(max_size=3)).map(tuple),
    skip_days=st.lists(st.sampled_from(["Monday", "Friday", "?"])).map(tuple),
    update_period=texts | st.sampled_from(["hourly", "weekly"]),
    update_frequency=texts,
    complete=st.booleans(),
    previous=texts,
)
headers = st.dictionaries(st.sampled_from(["Cache-Control", "Age", "Expires", "Date"]), st.text(max_size=30))


@given(headers, announcements, st.booleans())
def test_whatever_they_write_stays_within_reason(headers: dict[str, str], announced: Announced, slow: bool) -> None:
    hints, _ = _asked(headers, announced, slow=slow)
    assert timedelta() <= hints.at_least <= (LONGEST_SLOW if slow else LONGEST)
    assert hints.floor == FLOOR
    assert all(0 <= hour < 24 for hour in hints.skip_hours)


@given(announcements)
def test_what_a_feed_said_survives_storing(announced: Announced) -> None:
    kept = announced_json(announced)
    assert _asked(announced=announced_of(kept)) == _asked(announced=announced)
    assert all(kept.values())  # absent hints take no space


@pytest.mark.parametrize(
    "damaged", [None, [], "x", {"ttl": 3, "skip_hours": "7", "complete": "yes"}, {"skip_days": [1]}]
)
def test_damage_counts_as_not_said(damaged: object) -> None:
    assert announced_of(damaged) == SAYS_NOTHING
