"""Test broken, huge and malicious calendars: a bad event affects no other, and expansion is bounded."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import recurring_ical_events
from dateutil.rrule import rrulestr
from icalendar import Calendar, Event

from aggregator.domain.activity import storable
from aggregator.domain.errors import UnreadableError
from aggregator.sources.ical.expansion import MOST_OCCURRENCES, MOST_OF_SERIES, expanded
from aggregator.sources.ical.normalise import activity_of
from aggregator.sources.ical.recurrence import brought_near
from aggregator.sources.ical.window import Window
from tests.cpu_time import cpu_limit
from tests.sources.ical.test_recurrence import calendar
from tests.variants import mostly_slow

if TYPE_CHECKING:
    from icalendar import Component

WINDOW = Window(
    datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC), now=datetime(2026, 2, 1, tzinfo=UTC)
)
QUICK = 1.5  # seconds of CPU: far below the limit of a document, with room for a slow machine
GOOD = ["BEGIN:VEVENT", "UID:good", "SUMMARY:Good", "DTSTART:20260605T100000Z", "END:VEVENT"]


def bad(*lines: str) -> list[str]:
    return ["BEGIN:VEVENT", "UID:bad", "SUMMARY:Bad", *lines, "END:VEVENT"]


@pytest.mark.parametrize(
    "lines",
    [
        bad("DTSTART:garbage"),
        bad(),
        ["BEGIN:VEVENT", "SUMMARY:no id", "DTSTART:20260605T100000Z", "END:VEVENT"],
        bad("DTSTART:20260605T100000Z", "RRULE:FREQ=SECONDLY"),
        bad("DTSTART:20260605T100000Z", "RRULE:FREQ=MINUTELY;INTERVAL=1"),
        bad("DTSTART:20260605T100000Z", "RRULE:nonsense"),
        bad("DTSTART:20260605T100000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        bad("DTSTART:00010101T000000Z"),
        bad("DTSTART:99991231T235959Z", "DURATION:P9999999D"),
        bad("DTSTART;TZID=Nowhere/City:20500605T100000"),
        bad("DTSTART;TZID=America:20500605T100000"),
        bad(f"DTSTART;TZID={'A' * 300}:20500605T100000"),
        bad("DTSTART:20260605T100000Z", "EXDATE:x", "RRULE:FREQ=DAILY;UNTIL=garbage"),
    ],
    ids=range(13),
)
def test_a_broken_event_costs_no_other_one(lines: list[str]) -> None:
    began = time.process_time()

    expansion = expanded(calendar(*lines, *GOOD), WINDOW)

    assert [event.uid for event in expansion.occurrences if event.uid == "good"] == ["good"]
    assert time.process_time() - began < cpu_limit(5)
    for occurrence in expansion.occurrences:
        storable(activity_of(occurrence, "https://c.example/a.ics", "C", "c.example"))


def series(number: int, start: str, rule: str) -> list[str]:
    return ["BEGIN:VEVENT", f"UID:{number}", f"DTSTART{start}", f"RRULE:{rule}", "END:VEVENT"]


SIXTY = ",".join(map(str, range(60)))
EVERY_SECOND = f"BYHOUR={','.join(map(str, range(24)))};BYMINUTE={SIXTY};BYSECOND={SIXTY}"


@pytest.mark.parametrize(
    ("lines", "least", "words"),
    [
        (series(1, ":16000101T000000Z", "FREQ=HOURLY"), 2 * MOST_OF_SERIES - 50, "frequent events"),
        (series(1, ";VALUE=DATE:00010101", "FREQ=HOURLY"), 300, ""),
        (series(1, ":16000101T000000Z", "FREQ=HOURLY;COUNT=999999999"), 2 * MOST_OF_SERIES - 50, "frequent events"),
        (series(1, ":20260101T000000Z", f"FREQ=DAILY;{EVERY_SECOND}"), 0, "more than hourly"),
        (series(1, ":20260101T000000Z", "FREQ=HOURLY;BYMINUTE=0,30"), 0, "more than hourly"),
        (series(1, ":20260101T000000Z", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), 1, ""),
        (
            [line for n in range(2000) for line in series(n, f":20200101T{n % 24:02}0000Z", "FREQ=DAILY")],
            MOST_OCCURRENCES,
            "more than",
        ),
        pytest.param(
            [line for number in range(2000) for line in series(number, ";VALUE=DATE:19700615", "FREQ=YEARLY")],
            MOST_OCCURRENCES,
            "occurrences",
            marks=pytest.mark.slow,
        ),
    ],
    ids=[
        "hourly-since-1600", "hourly-days-since-1", "hourly-count", "each-second", "half-hours", "never",
        "2000-daily", "2000-birthdays",
    ],
)  # fmt: skip
def test_what_repeats_is_expanded_from_near_the_window(lines: list[str], least: int, words: str) -> None:
    began = time.process_time()

    expansion = expanded(calendar(*lines, *GOOD), WINDOW)

    assert time.process_time() - began < cpu_limit(5)
    assert least <= len(expansion.occurrences) <= MOST_OCCURRENCES
    assert words in " ".join(expansion.notes)


FREQUENCIES = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]


@pytest.mark.parametrize("more", ["", ";COUNT=5", ";UNTIL=20270101T000000Z", ";BYMONTH=2;BYMONTHDAY=30"])
@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_a_rule_that_stands_still_is_left_out(frequency: str, more: str) -> None:
    lines = series(1, ":20260605T100000Z", f"FREQ={frequency};INTERVAL=0{more}")
    began = time.process_time()

    expansion = expanded(calendar(*lines, *GOOD), WINDOW)

    assert time.process_time() - began < QUICK
    assert [occurrence.uid for occurrence in expansion.occurrences] == ["good"]
    assert expansion.notes == ["Unreadable events skipped: 1."]


def test_a_changed_occurrence_with_a_rule_that_stands_still_is_left_out() -> None:
    """The rule of a single changed occurrence is heeded by the library too where that stands for all later ones."""
    lines = series(1, ":20260605T100000Z", "FREQ=DAILY;COUNT=3")
    changed = series(1, ":20260606T100000Z", "FREQ=DAILY;INTERVAL=0")
    changed.insert(-1, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260606T100000Z")

    expansion = expanded(calendar(*lines, *changed, *GOOD), WINDOW)

    assert [occurrence.uid for occurrence in expansion.occurrences] == ["good"]


@pytest.mark.parametrize(
    "never",
    mostly_slow([
        "BYMONTH=2;BYMONTHDAY=30", "BYMONTH=2,4;BYMONTHDAY=31", "BYMONTHDAY=32", "BYMONTHDAY=31;BYYEARDAY=1",
        "BYMONTH=13", "BYYEARDAY=400", "BYYEARDAY=366;BYMONTH=1", "BYYEARDAY=60;BYMONTHDAY=15", "BYWEEKNO=60",
        "BYWEEKNO=1;BYMONTH=7", "BYSETPOS=5", "BYDAY=MO;BYSETPOS=400", "BYDAY=WE;INTERVAL=168",
    ], quick=4),
)  # fmt: skip
@pytest.mark.parametrize("start", [":20260605T100000Z", ";VALUE=DATE:20260605", ";TZID=Europe/Madrid:19700102T100000"])
@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_a_rule_that_never_fits_is_not_followed_for_ever(frequency: str, never: str, start: str) -> None:
    began = time.process_time()

    expansion = expanded(calendar(*series(1, start, f"FREQ={frequency};{never}"), *GOOD), WINDOW)

    assert time.process_time() - began < QUICK
    assert "good" in {occurrence.uid for occurrence in expansion.occurrences}


@pytest.mark.parametrize(
    "rules",
    [
        ["FREQ=HOURLY;COUNT=9999999;BYSETPOS=5"],
        ["FREQ=HOURLY;COUNT=9999999;BYHOUR=1,2,3,4,5,6,7"],
        ["FREQ=HOURLY", "FREQ=HOURLY;INTERVAL=2"],
        ["FREQ=DAILY;COUNT=9999999;BYMONTHDAY=32"],
        ["FREQ=DAILY;BYMONTHDAY=32"] * 500,
    ],
    ids=["set-positions", "hours", "two-rules", "days", "many-rules"],
)
def test_what_is_too_long_to_walk_is_left_out(rules: list[str]) -> None:
    event = [*series(1, ":08000101T000000Z", rules[0])[:-1], *(f"RRULE:{rule}" for rule in rules[1:]), "END:VEVENT"]
    began = time.process_time()

    expansion = expanded(calendar(*event, *GOOD), WINDOW)

    assert time.process_time() - began < QUICK
    assert [occurrence.uid for occurrence in expansion.occurrences] == ["good"]
    assert "too often" in " ".join(expansion.notes)


def test_years_are_bounded_within_an_expansion_only() -> None:
    far = rrulestr("FREQ=YEARLY;INTERVAL=1000", dtstart=datetime(2026, 1, 1))  # noqa: DTZ001
    before = len(list(far))

    expanded(calendar(*GOOD), WINDOW)

    assert len(list(rrulestr("FREQ=YEARLY;INTERVAL=1000", dtstart=datetime(2026, 1, 1)))) == before == 8  # noqa: DTZ001


def test_of_many_series_the_next_occurrences_are_told() -> None:
    lines = [
        line for number in range(400) for line in series(number, f":2020010{1 + number % 9}T100000Z", "FREQ=WEEKLY")
    ]

    expansion = expanded(calendar(*lines), WINDOW)

    starts = [occurrence.start for occurrence in expansion.occurrences]
    assert len(starts) == MOST_OCCURRENCES
    assert min(starts) >= WINDOW.now
    assert max(starts) < WINDOW.now + timedelta(days=21)


@pytest.mark.parametrize("start", [":20210131T013000Z", ";TZID=Europe/Madrid:20210331T023000", ";VALUE=DATE:20200229"])
@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=DAILY;COUNT=2500", "FREQ=DAILY;COUNT=10",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SA",
        "FREQ=WEEKLY;WKST=SU;INTERVAL=3;BYDAY=SU,TU", "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=500", "FREQ=MONTHLY",
        "FREQ=MONTHLY;INTERVAL=5", "FREQ=MONTHLY;COUNT=70", "FREQ=MONTHLY;BYDAY=MO,TU,WE;BYSETPOS=-1",
        "FREQ=MONTHLY;BYMONTHDAY=31,-1", "FREQ=YEARLY", "FREQ=YEARLY;INTERVAL=2;BYMONTH=3,9", "FREQ=YEARLY;COUNT=6",
        "FREQ=DAILY;UNTIL=20260401T000000Z", "FREQ=HOURLY;INTERVAL=72",
    ],
)  # fmt: skip
def test_a_series_that_is_brought_near_has_the_same_occurrences(rule: str, start: str) -> None:
    body = calendar(*series(1, start, rule)[:-1], "DURATION:PT2H", "END:VEVENT")
    event, near = (Calendar.from_ical(body).walk("VEVENT")[0] for _ in range(2))
    assert isinstance(near, Event)

    brought_near(near, WINDOW.begin)

    assert _starts(near) == _starts(event)


def _starts(event: Component) -> list[str]:
    whole = Calendar()
    whole.add_component(event)
    found = recurring_ical_events.of(whole).between(WINDOW.begin, WINDOW.end)
    return sorted(str(occurrence["DTSTART"].dt) + str(occurrence.end) for occurrence in found)


def test_an_end_before_the_start_is_no_end() -> None:
    (occurrence,) = expanded(calendar(*bad("DTSTART:20260605T100000Z", "DTEND:20260604T100000Z")), WINDOW).occurrences

    assert occurrence.end is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"BEGIN:VCALENDAR", b"\xff\xfe\x00", b"BEGIN:VCARD\r\nEND:VCARD\r\n"])
def test_what_is_no_calendar_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        expanded(body, WINDOW)


def test_what_repeats_daily_for_ever_is_bounded() -> None:
    expansion = expanded(calendar(*bad("DTSTART:20200101T100000Z", "RRULE:FREQ=HOURLY")), WINDOW)

    assert len(expansion.occurrences) <= 2 * MOST_OF_SERIES
    assert sum(occurrence.start >= WINDOW.now for occurrence in expansion.occurrences) == MOST_OF_SERIES
    assert "frequent events" in " ".join(expansion.notes)


def test_a_huge_calendar_is_bounded_and_says_so() -> None:
    many = [
        line
        for number in range(3000)
        for line in ("BEGIN:VEVENT", f"UID:{number}", "DTSTART:20260605T100000Z", "END:VEVENT")
    ]
    began = time.process_time()

    expansion = expanded(calendar(*many), WINDOW)

    assert len(expansion.occurrences) == MOST_OCCURRENCES
    assert "3000 occurrences" in " ".join(expansion.notes)
    assert time.process_time() - began < cpu_limit(20)


def test_words_are_cleaned_and_addresses_checked() -> None:
    lines = bad(
        "DTSTART:20260605T100000Z",
        "DESCRIPTION:<script>alert(1)</script><p>Come</p>",
        "URL:javascript:alert(1)",
        "LOCATION:https://meet.example/x",
        "ATTACH;FMTTYPE=image/png:javascript:alert(1)",
        "ORGANIZER;CN=ana@example.org:mailto:ana@example.org",
        "CATEGORIES:Open Data,#budget,Open Data",
    )
    (occurrence,) = expanded(calendar(*lines), WINDOW).occurrences

    content = activity_of(occurrence, "https://c.example/a.ics", "The calendar", "c.example").content

    assert content.html == "<p>Come</p>"
    assert content.url is None
    assert content.media == ()
    assert content.event is not None
    assert (content.event.online, content.event.place) == ("https://meet.example/x", None)
    assert content.actor is not None
    assert content.actor.name == "The calendar"  # a mail address is not a name
    assert content.hashtags == ("Open Data", "budget")


def test_an_event_without_an_address_does_not_give_that_of_its_calendar() -> None:
    lines = bad("DTSTART:20260605T100000Z", "URL:", "ATTACH;FMTTYPE=image/png:logo.png")
    (occurrence,) = expanded(calendar(*lines), WINDOW).occurrences

    content = activity_of(
        occurrence, "https://c.example/ical/private-key/basic.ics", "The calendar", "c.example"
    ).content

    assert "private-key" not in str(content)
