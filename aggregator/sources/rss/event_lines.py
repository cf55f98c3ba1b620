"""Parse lines such as "Wednesday, April 16, 2014 10:00 - 11:00 AM EST", and record ambiguity. Pure.

A time zone abbreviation is kept as typed. If it may mean two instants, both are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.domain.activity import Occasion

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
_LONGEST = 160  # characters of a line that consists of a date alone
_HALF_DAY = 12
_HOURS = 24

# The usual meaning of an abbreviation, and the offset (hours) that it denotes literally. If both give the same instant
# on a day, nothing is ambiguous. The name of standard time in summer may mean either.
_LABELS: dict[str, tuple[str, float]] = {
    "EST": ("America/New_York", -5), "EDT": ("America/New_York", -4),
    "CST": ("America/Chicago", -6), "CDT": ("America/Chicago", -5),
    "MST": ("America/Denver", -7), "MDT": ("America/Denver", -6),
    "PST": ("America/Los_Angeles", -8), "PDT": ("America/Los_Angeles", -7),
    "GMT": ("Europe/London", 0), "BST": ("Europe/London", 1),
    "CET": ("Europe/Paris", 1), "CEST": ("Europe/Paris", 2),
    "EET": ("Europe/Athens", 2), "EEST": ("Europe/Athens", 3),
    "WIB": ("Asia/Jakarta", 7), "WITA": ("Asia/Makassar", 8), "WIT": ("Asia/Jayapura", 9),
    "JST": ("Asia/Tokyo", 9), "SAST": ("Africa/Johannesburg", 2), "EAT": ("Africa/Nairobi", 3),
    "AEST": ("Australia/Sydney", 10), "AEDT": ("Australia/Sydney", 11),
    "NZST": ("Pacific/Auckland", 12), "NZDT": ("Pacific/Auckland", 13),
}  # fmt: skip
_GENERAL = {
    "ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles",
    "EASTERN": "America/New_York", "CENTRAL": "America/Chicago", "MOUNTAIN": "America/Denver",
    "PACIFIC": "America/Los_Angeles",
}  # fmt: skip
_UTC = frozenset({"UTC", "Z", "GMT+0", "UTC+0"})
# Abbreviations with unrelated meanings: the two most likely ones.
_AMONG = {"IST": ("Asia/Kolkata", "Europe/Dublin")}

_MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_TIME = r"(?P<hour{0}>[01]?\d|2[0-4])(?:[:.h](?P<minute{0}>[0-5]\d))?\s*(?P<half{0}>[ap]\.?m\.?)?"
_ZONE = (
    r"(?:\s*\(?(?P<zone>[A-Za-z]{1,9}(?:[+-]\d{1,2}(?::?[0-5]\d)?)?|[+-]\d{2}:?\d{2}|[A-Z][a-z]+/[A-Za-z_]+)\)?"
    r"(?:\s+time)?)?"
)
_LINE = re.compile(
    rf"{_WEEKDAY}(?:{_MONTH}\s+{_DAY},?\s+(?P<year>\d{{4}})|(?P<day2>[0-3]?\d)(?:st|nd|rd|th)?\s+"
    rf"{_MONTH.replace('?P<month>', '?P<month2>')},?\s+(?P<year2>\d{{4}}))"
    rf"(?:\s*(?:,|at|-|–|\|)?\s*{_TIME.format(1)}(?:\s*(?:-|–|—|to|until)\s*{_TIME.format(2)})?{_ZONE})?",  # noqa: RUF001
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """The instant of a local time with a zone label, and a second instant if the label is ambiguous."""

    instant: datetime  # UTC
    other: datetime | None = None


def read_time(local: datetime, label: str | None, default_zone: tzinfo = UTC) -> Reading:
    """Convert a local time (naive) with a zone label to an instant; `default_zone` is the zone for an empty label.

    The first reading of an abbreviation is the local time in its usual region. The second one is the offset that it
    denotes literally, if that differs on the day.
    """
    first, second = _zones((label or "").strip()) or (default_zone, None)
    instant = _instant(local, first)
    other = _instant(local, second) if second is not None else None
    return Reading(instant, other if other != instant else None)


def _zones(name: str) -> tuple[tzinfo, tzinfo | None] | None:
    """Return the zones that a label may mean, the likeliest first; None if it is unknown."""
    known = name.upper()
    if known in _UTC:
        return UTC, None
    if known in _AMONG:
        likely, other = _AMONG[known]
        return ZoneInfo(likely), ZoneInfo(other)
    if known in _LABELS:
        zone, hours = _LABELS[known]
        return ZoneInfo(zone), timezone(timedelta(hours=hours))
    if known in _GENERAL:
        return ZoneInfo(_GENERAL[known]), None
    return _fixed(name) or _named(name)


def _fixed(name: str) -> tuple[tzinfo, None] | None:
    offset = _OFFSET.fullmatch(name)
    if offset is None or int(offset[2]) >= _HOURS:
        return None
    span = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
    return timezone(span if offset[1] == "+" else -span), None


def _named(name: str) -> tuple[tzinfo, None] | None:
    try:
        return (ZoneInfo(name), None) if "/" in name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def knows(label: str) -> bool:
    """Return whether a label is a known zone."""
    return _zones(label.strip()) is not None


def parse_event_line(text: str) -> Occasion | None:
    """Return the event that a text announces, if exactly one line (or two in a row) consists of a time alone.

    A day alone may just as well be the date of writing, and so may a time without an end or a zone. Prose that mentions
    days ("This May 4-5, 2014 there will be ...") is too ambiguous for a parser.
    """
    lines = [" ".join(line.split()) for line in text.splitlines()[:200]]
    found: list[Occasion] = []
    skip = -1
    for place, line in enumerate(lines):
        if place == skip or not line:
            continue
        following = lines[place + 1] if place + 1 < len(lines) else ""
        both = f"{line} {following}".strip()
        occasion = _of_line(both) if following else None
        if occasion is not None:
            skip = place + 1
        else:
            occasion = _of_line(line)
        if occasion is not None:
            found.append(occasion)
    return found[0] if len(found) == 1 else None


def _of_line(line: str) -> Occasion | None:
    if not line or len(line) > _LONGEST:
        return None
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    groups = match.groupdict()
    month = (groups["month"] or groups["month2"]).lower().rstrip(".")[:3]
    number = next(place for place, name in enumerate(_MONTHS, 1) if name.startswith(month))
    try:
        on = date(int(groups["year"] or groups["year2"]), number, int(groups["day"] or groups["day2"]))
        return _event_on(on, groups)
    except (ValueError, OverflowError):
        return None


def _event_on(on: date, groups: dict[str, str | None]) -> Occasion | None:
    """Return the event on a day.

    Raises:
        ValueError, OverflowError: the time does not exist.
    """
    if groups["hour1"] is None or not (groups["hour2"] or groups["zone"]):
        return None
    if groups["minute1"] is None and not (groups["half1"] or groups["half2"]):
        return None  # "April 16, 2014 10" is ambiguous
    label = groups["zone"]
    if label is not None and not knows(label):
        return None  # another word
    # "10:00 - 11:00 AM": the half of the day applies to both times, unless the end would then precede the start.
    start = _clock(on, groups["hour1"], groups["minute1"], groups["half1"] or groups["half2"])
    end = _clock(on, groups["hour2"], groups["minute2"], groups["half2"]) if groups["hour2"] else None
    if end is not None and end <= start:
        earlier = start - timedelta(hours=_HALF_DAY)
        start, end = (earlier, end) if not groups["half1"] and groups["half2"] and earlier.date() == on else (
            start, end + timedelta(days=1)
        )  # fmt: skip
    reading = read_time(start, label)
    length = end - start if end is not None else None
    return Occasion(
        reading.instant,
        reading.instant + length if length is not None else None,
        zone_label=label,
        other_start=reading.other,
    )


def _clock(on: date, hour: str, minute: str | None, half: str | None) -> datetime:
    hours = int(hour)
    if half is not None:
        if not 1 <= hours <= _HALF_DAY:
            raise ValueError(hour)
        hours = hours % _HALF_DAY + (_HALF_DAY if half[0].lower() == "p" else 0)
    return datetime.combine(on, time()) + timedelta(hours=hours, minutes=int(minute or 0))


def _instant(local: datetime, zone: tzinfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)
