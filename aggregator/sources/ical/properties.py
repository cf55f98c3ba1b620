"""Convert properties of icalendar components to plain values. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar import vDuration
from icalendar.error import BrokenCalendarProperty

if TYPE_CHECKING:
    from icalendar import Calendar, Event


def zone_label(event: Event, begins: datetime, zone: tzinfo) -> str | None:
    """Return the zone as written in the calendar; the calendar's own zone if the time has none."""
    value: Any = event.get("DTSTART")
    value = value.params.get("TZID")
    if value:
        return str(value)
    if begins.tzinfo is None or (isinstance(begins.tzinfo, ZoneInfo) and begins.tzinfo is zone):
        return str(zone) if isinstance(zone, ZoneInfo) else None
    return "UTC" if begins.utcoffset() == timedelta() else None


def instant(moment: date, zone: tzinfo) -> datetime:
    """Return an instant; a calendar day is midnight UTC."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), UTC)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def time_value(event: Event, name: str) -> Any:  # noqa: ANN401 - dates and spans of icalendar
    """Return the value of a property with a time, a day or a duration, or None."""
    try:
        return getattr(event.get(name), "dt", None)
    except BrokenCalendarProperty:
        return None


def start_of(event: Event) -> date | None:
    """Return the start of an event, or None if it is missing."""
    value = time_value(event, "DTSTART")
    return value if isinstance(value, date) else None


def version_of(event: Event) -> tuple[int, datetime]:
    """Return the sort key for versions of an event: its sequence number, then its modification time."""
    value: Any = event.get("SEQUENCE", 0)
    try:
        sequence = int(value)
    except (TypeError, ValueError):
        sequence = 0
    written = [time_value(event, name) for name in ("LAST-MODIFIED", "DTSTAMP")]
    times = [instant(moment, UTC) for moment in written if isinstance(moment, date)]
    return sequence, times[0] if times else datetime.min.replace(tzinfo=UTC)


def zone_of(calendar: Calendar) -> tzinfo | None:
    """Return the time zone of a calendar, or None if it is missing or unknown."""
    try:
        return ZoneInfo(str(calendar.get("X-WR-TIMEZONE", "")).strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def refresh_interval(calendar: Calendar) -> timedelta | None:
    """Return the refresh interval that a calendar requests."""
    for name in ("REFRESH-INTERVAL", "X-PUBLISHED-TTL"):
        value = calendar.get(name)
        span = getattr(value, "dt", None)
        if value is not None and span is None:
            try:
                span = vDuration.from_ical(str(value))  # type: ignore[no-untyped-call]
            except ValueError:
                continue
        if isinstance(span, timedelta) and span > timedelta():
            return span
    return None


def text_of(calendar: Calendar, name: str) -> str | None:
    """Return a text property on one line."""
    return " ".join(str(calendar.get(name, "")).split()) or None
