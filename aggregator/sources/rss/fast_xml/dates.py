"""Parse the date formats of nearly all feeds quickly; leave unusual ones to feedparser. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, start=1)}
_ZONES = {"gmt": 0, "ut": 0, "z": 0, "edt": -4, "est": -5, "cdt": -5, "cst": -6, "mdt": -6, "mst": -7, "pdt": -7}
_ZONES["pst"] = -8
_RFC822 = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun), )?([0-9]{1,2}) ([a-z]{3}) ([0-9]{4}|[0-9]{2}) "
    r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))? (?:([+-][0-9]{2})([0-9]{2})|([a-z]{1,3}))",
    re.IGNORECASE | re.ASCII,
)
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})t([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?(?:z|([+-][0-9]{2}):([0-9]{2}))",
    re.IGNORECASE | re.ASCII,
)
_TURN = 90  # two-digit years from here on are 19xx


def usual(text: str) -> datetime | None:
    """Return the instant (aware, UTC, whole seconds) of a date in a usual format, or None for any other text."""
    try:
        found = _RFC822.fullmatch(text)
        if found:
            return _rfc822(found)
        found = _RFC3339.fullmatch(text)
        return _rfc3339(found) if found else None
    except (ValueError, OverflowError):  # February 30
        return None


def _rfc822(found: re.Match[str]) -> datetime | None:
    day, name, digits, hour, minute, second, hours, minutes, zone = found.groups()
    month = _MONTHS.get(name.lower())
    offset = _offset(hours, minutes) if hours else _named(zone)
    if month is None or offset is None:
        return None
    year = int(digits)
    if len(digits) == 2:  # noqa: PLR2004 - written in two digits
        year += 1900 if year >= _TURN else 2000
    return datetime(year, month, int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC) - offset


def _rfc3339(found: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second, hours, minutes = found.groups()
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    return moment - _offset(hours, minutes) if hours else moment


def _offset(hours: str, minutes: str) -> timedelta:
    away = timedelta(hours=int(hours[1:]), minutes=int(minutes))
    return -away if hours[0] == "-" else away


def _named(zone: str) -> timedelta | None:
    hours = _ZONES.get(zone.lower())
    return None if hours is None else timedelta(hours=hours)
