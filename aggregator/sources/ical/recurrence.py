"""Move recurrence rules close to the window before a library walks them occurrence by occurrence.

The library starts at the first occurrence and stops after the window, so the start is moved by whole periods of the
rule to shortly before the window. A rule without matches has no occurrence after the window at which to stop, so the
years are limited, too.
"""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from datetime import MAXYEAR, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dateutil import rrule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from icalendar import Event

_MARGIN = timedelta(days=8)  # before the window: more than any UTC offset, and more than a week
_MOST_A_DAY = 24
_TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY"})
_SPANS = {"HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}
_MONTHS = {"MONTHLY": 1, "YEARLY": 12}
_SAFE_DAY = 28  # days that every month has
_LEAP_YEAR = 2000
_MOST_PERIODS = 150_000  # periods from an event's start to the end of the window: 17 years of hours, 400 of days
_last_year: ContextVar[int] = ContextVar("last_year", default=MAXYEAR)


class _BoundedYears:
    """The module `datetime` as `dateutil.rrule` sees it, with a lower MAXYEAR.

    The library follows a rule up to MAXYEAR; it has no other limit for a rule without occurrences.
    """

    def __init__(self) -> None:
        self.__dict__.update(vars(dt))

    @property
    def MAXYEAR(self) -> int:  # noqa: N802  # the name that the library reads
        """The last year to search for occurrences."""
        return _last_year.get()


rrule.datetime = _BoundedYears()


@contextmanager
def followed_until(year: int) -> Iterator[None]:
    """Limit the expansion of rules to a year."""
    before = _last_year.set(min(year, MAXYEAR))
    try:
        yield
    finally:
        _last_year.reset(before)


def rules_of(event: Event | None) -> list[dict[str, list[Any]]]:
    """Return an event's recurrence rules; the library reports invalid ones."""
    value: Any = event.get("RRULE") if event is not None else None
    rules = value if isinstance(value, list) else [value]
    return [rule for rule in rules if isinstance(rule, dict)]


def too_often(rule: Mapping[str, list[Any]]) -> bool:
    """Return whether a rule repeats more often than hourly."""
    frequency = _frequency(rule)
    times = len(rule.get("BYMINUTE") or (0,)) * len(rule.get("BYSECOND") or (0,))
    if frequency == "HOURLY":
        return times > 1
    return frequency in _TOO_OFTEN or times * len(rule.get("BYHOUR") or (0,)) > _MOST_A_DAY


def stands_still(rule: Mapping[str, list[Any]]) -> bool:
    """Return whether a rule has an interval of zero, for which libraries never terminate."""
    return any(int(every) < 1 for every in rule.get("INTERVAL") or ())


def too_far(event: Event, end: datetime) -> bool:
    """Return whether there are too many periods between the start of an event and `end`."""
    start = getattr(event.get("DTSTART"), "dt", None)
    if not isinstance(start, date):
        return False
    between = _wall(end, start) - start
    rules = [rule for rule in rules_of(event) if _frequency(rule) in _SPANS]
    return sum(between // (_SPANS[_frequency(rule)] * _interval(rule)) for rule in rules) > _MOST_PERIODS


def brought_near(event: Event, begin: datetime) -> None:
    """Move the first occurrence of an event to shortly before `begin`, if its only rule allows that."""
    rules = rules_of(event)
    if len(rules) != 1:
        return
    (rule,) = rules
    if _never(rule):
        del event["RRULE"]
        return
    starts, ends = event.get("DTSTART"), event.get("DTEND")
    start, end = getattr(starts, "dt", None), getattr(ends, "dt", None)
    if not isinstance(start, date) or not _alike(start, end):
        return
    lasting = end - start if end is not None else getattr(event.get("DURATION"), "dt", None) or timedelta()
    skipped, moved = _moved(rule, start, _wall(begin - max(lasting, timedelta()) - _MARGIN, start))
    if not skipped:
        return
    starts.dt = moved
    if end is not None:
        ends.dt = end + (moved - start)
    if rule.get("COUNT"):
        shorter = copy(rule)
        shorter["COUNT"] = [int(rule["COUNT"][0]) - skipped]
        event["RRULE"] = shorter


def _alike(start: date, end: date | None) -> bool:
    """Return whether both are days or both are times in the same zone, so that a shift preserves their difference."""
    if end is None:
        return True
    return type(start) is type(end) and getattr(start, "tzinfo", None) == getattr(end, "tzinfo", None)


def _wall(moment: datetime, like: date) -> date:
    """Return an instant as a day or as local time in a zone."""
    if not isinstance(like, datetime):
        return moment.date()
    return moment.astimezone(like.tzinfo) if like.tzinfo else moment.replace(tzinfo=None)


def _moved(rule: Mapping[str, list[Any]], start: date, earliest: date) -> tuple[int, date]:
    """Return the number of periods to skip so that the start stays before `earliest`, and the new start."""
    frequency, every = _frequency(rule), _interval(rule)
    most = _skippable(rule, start)
    if frequency in _SPANS:
        # A day can only be moved by whole days.
        step = _MOST_A_DAY if frequency == "HOURLY" and not isinstance(start, datetime) else 1
        skipped = min((earliest - start) // (_SPANS[frequency] * every), most) // step * step
        return (skipped, start + _SPANS[frequency] * every * skipped) if skipped > 0 else (0, start)
    if frequency not in _MONTHS:
        return 0, start
    months = _MONTHS[frequency] * every
    between = (earliest.year - start.year) * 12 + earliest.month - start.month - 1
    for skipped in range(min(between // months, most), 0, -1):
        year, month = divmod(start.year * 12 + start.month - 1 + months * skipped, 12)
        if start.day <= monthrange(year, month + 1)[1]:
            return skipped, start.replace(year=year, month=month + 1)
    return 0, start


def _skippable(rule: Mapping[str, list[Any]], start: date) -> int:
    """Return how many periods may be skipped; a rule with COUNT may only skip periods with one occurrence each."""
    if not rule.get("COUNT"):
        return 10**9
    plain = not any(name.startswith("BY") for name in rule)
    each = plain and (_frequency(rule) not in _MONTHS or start.day <= _SAFE_DAY)
    return max(int(rule["COUNT"][0]) - 1, 0) if each else 0


def _never(rule: Mapping[str, list[Any]]) -> bool:
    """Return whether a rule only names days that never occur, such as February 30."""
    months, days = rule.get("BYMONTH"), rule.get("BYMONTHDAY")
    if not months or not days:
        return False
    return not any(1 <= abs(int(day)) <= monthrange(_LEAP_YEAR, int(month))[1] for month in months for day in days)


def _interval(rule: Mapping[str, list[Any]]) -> int:
    return max(int((rule.get("INTERVAL") or [1])[0]), 1)


def _frequency(rule: Mapping[str, list[Any]]) -> str:
    return str((rule.get("FREQ") or [""])[0]).upper()
