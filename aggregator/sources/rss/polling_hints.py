"""Combine a publisher's polling hints: response caching headers and the feed's own fields. Pure.

The longest hint applies, limited to a day for news and a month for sources marked as slow.
"""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.polling.results import PublisherHints
from aggregator.source_api.documents import freshness
from aggregator.sources.rss.document import Announced
from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

LONGEST = timedelta(days=1)
LONGEST_SLOW = timedelta(days=31)

_LONGEST_ASKED = timedelta(days=366)  # a higher value is treated as a mistake
_PERIODS = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS = 24


def hints_of(
    headers: Mapping[str, str],
    announced: Announced,
    now: datetime,
    *,
    slow: bool,
    floor: timedelta,
) -> tuple[PublisherHints, str | None]:
    """Return the publisher's hints, and a note on those ignored or limited.

    Args:
        headers: of the response, 304 as well as 200; names in any case.
        announced: hints in the feed, current or from the last time it was read.
        now: the present moment.
        slow: whether the source is marked as one that may request long intervals.
        floor: the shortest polite interval for this source's responses.
    """
    notes: list[str] = []
    spans = [*freshness(headers, now), *_by_feed(announced, notes)]
    span, why = max(spans, key=lambda pair: pair[0], default=(timedelta(), ""))
    longest = LONGEST_SLOW if slow else LONGEST
    if span > longest:
        notes.append(f"The publisher requests {spoken(span)} between polls ({why}); the limit is {spoken(longest)}.")
        span = longest
    hints = PublisherHints(
        floor=floor,
        at_least=span,
        why=why,
        skip_hours=_hours(announced, notes),
        skip_days=_days(announced, notes),
    )
    return hints, " ".join(notes) or None


def announced_json(announced: Announced) -> dict[str, Any]:
    """Return the feed's hints as JSON for the fetch state, without empty fields."""
    values = {field.name: getattr(announced, field.name) for field in fields(announced)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value}


def announced_of(stored: object) -> Announced:
    """Load the hints from the fetch state; ignore invalid values."""
    values = stored if isinstance(stored, dict) else {}
    kept: dict[str, Any] = {}
    for field in fields(Announced):
        value = values.get(field.name)
        if field.name in {"skip_hours", "skip_days"}:
            if isinstance(value, list):
                kept[field.name] = tuple(item for item in value if isinstance(item, str))
        elif isinstance(value, bool if field.name == "complete" else str):
            kept[field.name] = value
    return Announced(**kept)


def _by_feed(announced: Announced, notes: list[str]) -> Iterator[tuple[timedelta, str]]:
    if announced.ttl is not None:
        minutes = _number(announced.ttl)
        span = timedelta(minutes=minutes) if minutes is not None and 0 < minutes < 10**6 else None
        yield from _sensible(span, "ttl", announced.ttl, notes)
    if announced.update_period is not None:
        times = _number(announced.update_frequency or "1")
        period = _PERIODS.get(announced.update_period.strip().lower())
        span = period / times if period and times else None
        text = f"{announced.update_period} {announced.update_frequency or ''}".strip()
        yield from _sensible(span, "sy:updatePeriod", text, notes)


def _sensible(span: timedelta | None, name: str, text: str, notes: list[str]) -> Iterator[tuple[timedelta, str]]:
    if span is None or span > _LONGEST_ASKED:
        notes.append(f"Its {name} ({text[:40]!r}) is invalid and is ignored.")
    else:
        yield span, name


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) and int(text) > 0 else None


def _hours(announced: Announced, notes: list[str]) -> frozenset[int]:
    skipped = [hour.strip() for hour in announced.skip_hours]
    hours = frozenset(
        int(hour) % _HOURS for hour in skipped if re.fullmatch(r"[0-9]{1,2}", hour) and int(hour) <= _HOURS
    )
    if len(hours) == _HOURS:
        notes.append("Its skipHours name every hour and are ignored.")
        return frozenset()
    return hours


def _days(announced: Announced, notes: list[str]) -> frozenset[int]:
    skipped = {day.strip().lower() for day in announced.skip_days}
    days = frozenset(number for number, day in enumerate(_DAYS) if day in skipped)
    if len(days) == len(_DAYS):
        notes.append("Its skipDays name every day and are ignored.")
        return frozenset()
    return days
