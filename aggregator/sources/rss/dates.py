"""Read dates as feeds write them: RFC 822, ISO 8601, Unix time, and many other forms. Pure.

A date is true or absent: nothing that a text leaves open is filled in. A text without a zone is in UTC, a text without
a time is the midnight in UTC at which its day begins.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING

from aggregator.sources.rss.document import DateDoubt
from aggregator.sources.rss.time_zones import ANYWHERE, Region, guessed_zone, offset_of
from aggregator.sources.rss.written_dates import EARLIEST_YEAR, full_year, read_written, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST = 100  # characters
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, start=1)}
_RFC822 = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun), )?([0-9]{1,2}) ([a-z]{3}) ([0-9]{4}|[0-9]{2}) "
    r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))? (?:([+-][0-9]{2})([0-5][0-9])|(gmt|utc|ut|z))",
    re.IGNORECASE | re.ASCII,
)
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})t([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
    r"(?:z|([+-][0-9]{2}):([0-5][0-9]))",
    re.IGNORECASE | re.ASCII,
)
_ISO = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?|-?[Ww](?P<week>\d{2})(?:-?(?P<weekday>[1-7]))?"
    r"|-(?P<ordinal>\d{3})|(?P<basic>\d{4}))?"
    r"(?:(?:\s*[Tt]\s*|\s+)(?P<hour>\d{1,2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(?P<zone>\S.*)?)?"
)
_OFFSET = re.compile(
    r"(?:GMT|UTC|UT|Z|[A-Z]{3,5}(?=[+-]))?\s?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?(?::?00)?"
    r"(?:\s?(?:Z|\[[^\[\]]*\]|\([^()]*\)|[A-Za-z/_]+)){0,2}(?:\s+m=[+-][\d.]+)?",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\[[^\[\]]*\]$|\([^()]*\)$")
_EPOCH_FORM = re.compile(r"/?Date\((-?\d{9,13})(?:[+-]\d{4})?\)/?|@?(-?\d{9,19})(?:\.\d*)?")
_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?")
_UNIX_UNITS = {9: 1, 10: 1, 12: 1000, 13: 1000, 15: 10**6, 16: 10**6, 18: 10**9, 19: 10**9}  # by number of digits
_MOST_HOURS = 14  # of an offset from UTC
_EARLIEST_UNIX = datetime(1990, 1, 1, tzinfo=UTC)  # smaller numbers are no instants of a feed
_LATEST_YEAR = 2100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # how software writes that it has no date
_DASHES = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-"})
_INVISIBLE = str.maketrans(dict.fromkeys(map(ord, "\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2069\ufeff")))


def read_date(value: object, region: Region = ANYWHERE) -> datetime | None:
    """Return the instant (aware, UTC, whole seconds) of a date in any form, or None for anything else.

    Args:
        value: the text, or a number of JSON: seconds or milliseconds since 1970.
        region: where the feed comes from, which decides between the meanings of "IST" or "03/04/2024".
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = repr(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if not text or len(text) > _LONGEST:
        return None
    try:
        return _plausible(_usual(text)) or _read(text, region)
    except (ValueError, OverflowError):  # February 30
        return None


def first_doubt(
    texts: Mapping[str, object], dates: Iterable[datetime | None], region: Region = ANYWHERE
) -> DateDoubt | None:
    """Return the first date that is in doubt; `dates` are those of "published", "updated" and "created"."""
    for name, date in zip(("published", "updated", "created"), dates, strict=True):
        text = texts.get(name)
        if not isinstance(text, str) or not text.strip():
            continue
        zone = None if date is None else guessed_zone(text, region)
        if date is None or zone:
            return DateDoubt(text.strip(), zone)
    return None


def _usual(text: str) -> datetime | None:
    """Read the forms of nearly all feeds, which need no region and no cache."""
    found = _RFC822.fullmatch(text)
    if found:
        day, name, year, hour, minute, second, hours, minutes, _ = found.groups()
        month = _MONTHS.get(name.lower())
        if month is None:
            return None
        start = datetime(full_year(year), month, int(day), tzinfo=UTC)
    else:
        found = _RFC3339.fullmatch(text)
        if found is None:
            return None
        full, number, day, hour, minute, second, hours, minutes = found.groups()
        start = datetime(int(full), int(number), int(day), tzinfo=UTC)
    offset = _fixed(hours[0], hours[1:], minutes) if hours else timedelta()
    return start + timedelta(seconds=seconds_of(hour, minute, second)) - offset


def _plausible(moment: datetime | None) -> datetime | None:
    if moment is None or moment == _EPOCH or moment.year < EARLIEST_YEAR:
        return None
    return moment


@lru_cache(maxsize=1024)
def _read(text: str, region: Region) -> datetime | None:
    text = " ".join(unescape(text).translate(_DASHES).translate(_INVISIBLE).split())
    try:
        if _EPOCH_FORM.fullmatch(text) or _DIGITS.fullmatch(text):
            return _plausible(_by_digits(text))
        iso = _ISO.fullmatch(text)
        moment = _by_iso(iso, region) if iso else None
        if moment is not None:
            return _plausible(moment)
        written = read_written(text, region)
        if written is None:
            return None
        return _plausible(_placed(written.local, written.zone, region))
    except (ValueError, OverflowError):
        return None


def _by_digits(text: str) -> datetime | None:
    """Read Unix time, or a date in digits alone: 20240425, 20240425100000."""
    day = _DIGITS.fullmatch(text)
    if day:
        year, month, number, hour, minute, second = day.groups()
        if int(year) in range(EARLIEST_YEAR, _LATEST_YEAR) and len(text) != 10:  # noqa: PLR2004 - Unix time
            start = datetime(int(year), int(month), int(number), tzinfo=UTC)
            return start + timedelta(seconds=seconds_of(hour or "0", minute or "0", second))
    found = _EPOCH_FORM.fullmatch(text)
    if found is None:
        return None
    milliseconds, number = found.groups()
    units = 1000 if milliseconds else _UNIX_UNITS.get(len(number.lstrip("-")), 0)
    if not units:
        return None
    moment = _EPOCH + timedelta(seconds=int(milliseconds or number) // units)
    return moment if moment >= _EARLIEST_UNIX and moment.year <= _LATEST_YEAR else None


def _by_iso(found: re.Match[str], region: Region) -> datetime | None:
    part = found.groupdict()
    year = int(part["year"])
    if part["week"]:
        start = datetime.fromisocalendar(year, int(part["week"]), int(part["weekday"] or 1))
    elif part["ordinal"]:
        start = datetime(year, 1, 1) + timedelta(days=int(part["ordinal"]) - 1)  # noqa: DTZ001 - its zone follows
        if start.year != year or part["ordinal"] == "000":
            return None
    else:
        month, day = (part["basic"][:2], part["basic"][2:]) if part["basic"] else (part["month"], part["day"])
        if day is None and part["hour"]:
            return None
        start = datetime(year, int(month or 1), int(day or 1))  # noqa: DTZ001 - its zone follows
    if part["hour"] is None:
        return start.replace(tzinfo=UTC)
    if part["minute"] is None and part["zone"] and not found[0].upper().count("T"):
        return None
    local = start + timedelta(seconds=seconds_of(part["hour"], part["minute"] or "0", part["second"]))
    return _placed(local, part["zone"], region)


def _placed(local: datetime, zone: str | None, region: Region) -> datetime | None:
    """Return the instant of a local time (naive) in a zone as written; no zone means UTC."""
    if not zone:
        return local.replace(tzinfo=UTC)
    fixed = _OFFSET.fullmatch("+0000" if zone == "0000" else zone)
    if fixed:
        return local.replace(tzinfo=UTC) - _fixed(fixed["sign"], fixed["hours"], fixed["minutes"] or "0")
    name = _BRACKETS.sub("", zone).strip() or zone.strip("[]()")
    offset = offset_of(name, local, region)
    return None if offset is None else local.replace(tzinfo=UTC) - offset


def _fixed(sign: str, hours: str, minutes: str) -> timedelta:
    """Return an offset from UTC.

    Raises:
        ValueError: no place on earth has it.
    """
    away = timedelta(hours=int(hours), minutes=int(minutes))
    if away > timedelta(hours=_MOST_HOURS):
        raise ValueError(hours)
    return -away if sign == "-" else away
