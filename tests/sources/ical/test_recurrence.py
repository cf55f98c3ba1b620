"""Compare recurring events with `dateutil` and `zoneinfo`: time zones, changes of the clock and exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from aggregator.sources.ical.expansion import expanded
from aggregator.sources.ical.window import Window

WINDOW = Window(
    datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC), now=datetime(2026, 2, 1, tzinfo=UTC)
)
NEW_YORK, BERLIN, SYDNEY, JAKARTA = "America/New_York", "Europe/Berlin", "Australia/Sydney", "Asia/Jakarta"
LORD_HOWE, ST_JOHNS, CASABLANCA = "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca"
RULES = (
    "FREQ=DAILY;COUNT=40",
    "FREQ=DAILY;INTERVAL=3;UNTIL=20260401T000000Z",
    "FREQ=WEEKLY;COUNT=30",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=40",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;COUNT=20",
    "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO;COUNT=20",
    "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=6",
    "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=11",
    "FREQ=MONTHLY;BYDAY=2TU;COUNT=11",
    "FREQ=MONTHLY;BYDAY=-1FR;COUNT=11",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=10",
    "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;COUNT=3",
)
ZONES = (NEW_YORK, BERLIN, SYDNEY, JAKARTA)


@dataclass(frozen=True)
class Case:
    rule: str
    zone: str
    start: datetime  # naive: what the clock on the wall shows


def begun(rule: str) -> datetime:
    """Return the first time that matches a rule: RFC 5545 leaves other start times undefined."""
    first: datetime = rrulestr(rule.replace("T000000Z", "T000000"), dtstart=datetime(2026, 1, 5, 10))[0]  # noqa: DTZ001
    return first


CASES = [Case(rule, zone, begun(rule)) for rule in RULES for zone in ZONES]
CASES += [
    # Around changes of the clock, half-hour and odd ones, too.
    Case("FREQ=DAILY;COUNT=10", NEW_YORK, datetime(2026, 3, 4, 9, 30)),  # noqa: DTZ001
    Case("FREQ=DAILY;COUNT=10", NEW_YORK, datetime(2026, 10, 28, 23, 30)),  # noqa: DTZ001
    Case("FREQ=DAILY;COUNT=10", LORD_HOWE, datetime(2026, 4, 1, 8, 15)),  # noqa: DTZ001
    Case("FREQ=WEEKLY;COUNT=8", ST_JOHNS, datetime(2026, 2, 27, 18, 45)),  # noqa: DTZ001
    Case("FREQ=WEEKLY;COUNT=12", CASABLANCA, datetime(2026, 2, 2, 12, 0)),  # noqa: DTZ001
]


def calendar(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""]).encode()


def event(case: Case, *more: str) -> list[str]:
    return [
        "BEGIN:VEVENT",
        "UID:series",
        f"DTSTART;TZID={case.zone}:{case.start:%Y%m%dT%H%M%S}",
        "DURATION:PT1H",
        f"RRULE:{case.rule}",
        *more,
        "END:VEVENT",
    ]


def reckoned(case: Case) -> list[datetime]:
    """Return the expected times: local time repeats, and its UTC offset may change."""
    zone = ZoneInfo(case.zone)
    naive = case.rule.replace("T000000Z", "T000000")
    until = rrulestr(naive, dtstart=case.start)
    found = [moment.replace(tzinfo=zone).astimezone(UTC) for moment in until]
    if "UNTIL" in case.rule:
        found = [moment for moment in found if moment <= datetime(2026, 4, 1, tzinfo=UTC)]
    return [moment for moment in found if WINDOW.begin <= moment <= WINDOW.end]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.zone}-{case.rule}-{case.start:%m%d}")
def test_a_rule_means_what_dateutil_and_zoneinfo_say(case: Case) -> None:
    expansion = expanded(calendar(*event(case)), WINDOW)

    assert [occurrence.start for occurrence in expansion.occurrences] == reckoned(case)
    assert {occurrence.zone_label for occurrence in expansion.occurrences} == {case.zone}
    assert all(occurrence.end == occurrence.start + timedelta(hours=1) for occurrence in expansion.occurrences)
    assert expansion.repeats


@pytest.mark.parametrize("zone", ZONES)
def test_exceptions_and_further_dates_count(zone: str) -> None:
    case = Case("FREQ=WEEKLY;COUNT=5", zone, datetime(2026, 3, 2, 10))  # noqa: DTZ001
    left_out = f"EXDATE;TZID={zone}:20260316T100000"
    further = f"RDATE;TZID={zone}:20260318T150000"

    expansion = expanded(calendar(*event(case, left_out, further)), WINDOW)

    local = [occurrence.start.astimezone(ZoneInfo(zone)) for occurrence in expansion.occurrences]
    assert [f"{moment:%m%d %H}" for moment in local] == ["0302 10", "0309 10", "0318 15", "0323 10", "0330 10"]


def test_one_that_was_moved_keeps_its_name_and_one_that_was_cancelled_says_so() -> None:
    case = Case("FREQ=WEEKLY;COUNT=3", NEW_YORK, datetime(2026, 3, 2, 10))  # noqa: DTZ001
    moved = [
        "BEGIN:VEVENT", "UID:series", f"RECURRENCE-ID;TZID={NEW_YORK}:20260309T100000", "SUMMARY:Later",
        f"DTSTART;TZID={NEW_YORK}:20260309T130000", "SEQUENCE:1", "END:VEVENT",
    ]  # fmt: skip
    cancelled = [
        "BEGIN:VEVENT", "UID:series", f"RECURRENCE-ID;TZID={NEW_YORK}:20260316T100000", "STATUS:CANCELLED",
        f"DTSTART;TZID={NEW_YORK}:20260316T100000", "SEQUENCE:1", "END:VEVENT",
    ]  # fmt: skip

    first, second, third = expanded(calendar(*event(case), *moved, *cancelled), WINDOW).occurrences

    assert (first.recurrence, first.cancelled) == (first.start, False)
    assert second.recurrence == datetime(2026, 3, 9, 14, tzinfo=UTC)
    assert second.start == datetime(2026, 3, 9, 17, tzinfo=UTC)
    assert (third.start, third.cancelled) == (datetime(2026, 3, 16, 14, tzinfo=UTC), True)


def test_whole_days_stay_days() -> None:
    lines = ["BEGIN:VEVENT", "UID:d", "DTSTART;VALUE=DATE:20260305", "DTEND;VALUE=DATE:20260307", "END:VEVENT"]

    (occurrence,) = expanded(calendar(*lines), WINDOW, ZoneInfo(SYDNEY)).occurrences

    assert (occurrence.start.date(), occurrence.end and occurrence.end.date()) == (date(2026, 3, 5), date(2026, 3, 7))
    assert (occurrence.all_day, occurrence.zone_label) == (True, None)


@pytest.mark.parametrize(
    ("line", "start", "label"),
    [
        ("DTSTART:20260605T100000Z", datetime(2026, 6, 5, 10, tzinfo=UTC), "UTC"),
        ("DTSTART:20260605T100000", datetime(2026, 6, 5, 8, tzinfo=UTC), BERLIN),  # in the calendar's time zone
        ("DTSTART;TZID=Eastern Standard Time:20260605T100000", datetime(2026, 6, 5, 14, tzinfo=UTC),
         "Eastern Standard Time"),
        (f"DTSTART;TZID={JAKARTA}:20260605T100000", datetime(2026, 6, 5, 3, tzinfo=UTC), JAKARTA),
    ],
)  # fmt: skip
def test_zones_are_read_and_kept_as_written(line: str, start: datetime, label: str) -> None:
    body = calendar(f"X-WR-TIMEZONE:{BERLIN}", "BEGIN:VEVENT", "UID:z", line, "END:VEVENT")

    (occurrence,) = expanded(body, WINDOW).occurrences

    assert occurrence.start == start
    assert occurrence.zone_label == label


def test_a_time_of_no_zone_is_read_where_the_source_is() -> None:
    body = calendar("BEGIN:VEVENT", "UID:z", "DTSTART:20260605T100000", "END:VEVENT")

    (occurrence,) = expanded(body, WINDOW, ZoneInfo(NEW_YORK)).occurrences

    assert (occurrence.start, occurrence.zone_label) == (datetime(2026, 6, 5, 14, tzinfo=UTC), NEW_YORK)


def test_the_highest_sequence_counts() -> None:
    def version(sequence: int, hour: int) -> list[str]:
        return ["BEGIN:VEVENT", "UID:s", f"SEQUENCE:{sequence}", f"DTSTART:20260605T{hour}0000Z", "END:VEVENT"]

    (occurrence,) = expanded(calendar(*version(3, 12), *version(9, 15), *version(4, 13)), WINDOW).occurrences

    assert occurrence.start.hour == 15
