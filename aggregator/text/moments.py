"""Read points in time as people write them: `2026-12-01 09:00`, `18:30`, `tomorrow 9:00`, `2h`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from aggregator.text.durations import parse_duration

_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})", re.ASCII)
_LONGEST_TEXT = 40


def parse_moment(text: str, now: datetime, *, past: bool = False) -> datetime:
    """Return the time in UTC; one without a zone is in UTC.

    Args:
        text: ISO 8601, with or without the time; a day in words, with or without the time; a time, which is the next
            one; or a duration such as `2h`, which is counted from now.
        now: the present time.
        past: a time is the last one, and a duration is counted back.

    Raises:
        ValueError: the text is no time.
    """
    compact = " ".join(text[: 2 * _LONGEST_TEXT].split()).lower()
    try:
        return _duration(compact, now, past=past) or _of_day(compact, now, past=past) or _iso(compact)
    except (ValueError, OverflowError):
        shown = text[:_LONGEST_TEXT]
        raise ValueError(f"{shown!r} is not a time, such as 2026-12-01 09:00, tomorrow 9:00, 18:30 or 2h") from None


def _duration(text: str, now: datetime, *, past: bool) -> datetime | None:
    try:
        span = parse_duration(text) if text[-1:].isalpha() else None
    except ValueError:
        return None
    return None if span is None else now - span if past else now + span


def _of_day(text: str, now: datetime, *, past: bool) -> datetime | None:
    word, _, rest = text.partition(" ")
    found = _TIME.fullmatch(rest if word in _DAYS else text)
    if word not in _DAYS and found is None:
        return None
    if rest and found is None:
        raise ValueError
    at = time(int(found[1]), int(found[2])) if found else time()
    moment = datetime.combine(now.astimezone(UTC).date(), at, UTC)
    if word in _DAYS:
        return moment + timedelta(days=_DAYS[word])
    if past:
        return moment if moment <= now else moment - timedelta(days=1)
    return moment if moment > now else moment + timedelta(days=1)


def _iso(text: str) -> datetime:
    moment = datetime.fromisoformat(text.upper())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
