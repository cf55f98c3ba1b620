"""Test lines that announce the time of an event, and ambiguous time zone abbreviations."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from aggregator.sources.rss.event_lines import parse_event_line, read_time

EST = "Wednesday, April 16, 2014\n10:00 - 11:00 AM EST"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # year to minute


@pytest.mark.parametrize(
    ("text", "start", "end", "label", "other"),
    [
        (EST, utc(2014, 4, 16, 14), utc(2014, 4, 16, 15), "EST", utc(2014, 4, 16, 15)),
        (EST.replace("\n", " "), utc(2014, 4, 16, 14), utc(2014, 4, 16, 15), "EST", utc(2014, 4, 16, 15)),
        (f"Join us.\n{EST}\nIn Dublin.", utc(2014, 4, 16, 14), utc(2014, 4, 16, 15), "EST", utc(2014, 4, 16, 15)),
        ("January 5, 2015 10:00 AM EST", utc(2015, 1, 5, 15), None, "EST", None),
        ("16 April 2014, 14:00 CET", utc(2014, 4, 16, 12), None, "CET", utc(2014, 4, 16, 13)),
        ("Dec. 9, 2025 | 1-2:30 p.m. Eastern time", utc(2025, 12, 9, 18), utc(2025, 12, 9, 19, 30), "Eastern", None),
        ("16 April 2014 14:00 to 15:30 +02:00", utc(2014, 4, 16, 12), utc(2014, 4, 16, 13, 30), "+02:00", None),
        ("April 16, 2014 11:00 - 1:00 PM UTC", utc(2014, 4, 16, 11), utc(2014, 4, 16, 13), "UTC", None),
        ("April 16, 2014 10:00 PM - 1:00 AM UTC", utc(2014, 4, 16, 22), utc(2014, 4, 17, 1), "UTC", None),
        ("5 May 2014 10.00 IST", utc(2014, 5, 5, 4, 30), None, "IST", utc(2014, 5, 5, 9)),
    ],
)
def test_a_clear_line_is_an_event(
    text: str, start: datetime, end: datetime | None, label: str, other: datetime | None
) -> None:
    found = parse_event_line(text)

    assert found is not None
    assert (found.start, found.end, found.zone_label, found.other_start) == (start, end, label, other)


@pytest.mark.parametrize(
    "text",
    [
        "This May 4-5, 2014 there will be a two day Ministerial-level meeting of",
        "The Regional Meeting for Europe will take place in Dublin on 8-9 May 2014.",
        "April 16, 2014",  # as likely the day of writing
        "April 16, 2014 10:00 AM",  # and the time of it
        "April 16, 2014 10",
        "April 31, 2014 10:00 AM EST",
        "April 16, 2014 25:00 EST",
        "April 16, 2014 10:00 AM FOO",
        f"{EST}\n\nThursday, April 17, 2014\n10:00 - 11:00 AM EST",  # which of the two?
        "",
        "x" * 100_000,
    ],
)
def test_anything_less_clear_is_none(text: str) -> None:
    assert parse_event_line(text) is None


def test_an_unknown_label_is_read_in_the_zone_that_is_given() -> None:
    assert read_time(datetime(2014, 4, 16, 10), "XYZ").instant == utc(2014, 4, 16, 10)  # noqa: DTZ001
    assert read_time(datetime(2014, 4, 16, 10), "../etc/passwd").instant == utc(2014, 4, 16, 10)  # noqa: DTZ001


def test_hostile_lines_take_no_time() -> None:
    began = time.process_time()
    for line in ("April 16, 2014 " + "1" * 140, "april " * 26, "1 april 2014 1:1 - " * 8):
        parse_event_line("\n".join([line] * 200))
    assert time.process_time() - began < 2
