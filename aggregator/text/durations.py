"""Read and format durations. People write them as `90`, `90s`, `10m`, `1h30m` or `2d`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_PART = re.compile(r"([0-9]{1,10})\s*([smhdw])", re.IGNORECASE)
_LONGEST_TEXT = 40


def parse_duration(text: str) -> timedelta:
    """Return the duration; a number without a unit is in seconds.

    Raises:
        ValueError: the text is no duration, or one that is too long.
    """
    compact = text.strip()
    if compact.isdecimal() and compact.isascii() and len(compact) <= len("9999999999"):
        return timedelta(seconds=int(compact))
    parts = _PART.findall(compact)
    if not parts or len(compact) > _LONGEST_TEXT or _PART.sub("", compact).strip():
        raise ValueError(f"{text[:_LONGEST_TEXT]!r} is not a duration, such as 90s, 10m, 2h or 1d")
    try:
        return timedelta(seconds=sum(int(number) * _UNITS[unit.lower()] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"{text[:_LONGEST_TEXT]!r} is too long") from None


def duration_text(seconds: float) -> str:
    """Return a duration in the form that `parse_duration` reads: `1h30m`."""
    left, parts = round(seconds), []
    for unit, size in reversed(_UNITS.items()):
        if unit != "w" and left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"


def spoken(span: timedelta) -> str:
    """Return a duration in words: "90 s", "15 min", "2.5 h", "3 d"."""
    seconds = span.total_seconds()
    for unit, length, least in (("d", 86400, 2), ("h", 3600, 2), ("min", 60, 2)):
        if seconds >= least * length:
            return f"{round(seconds / length, 1):g} {unit}"
    return f"{round(seconds, 1):g} s"
