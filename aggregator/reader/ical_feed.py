"""Serve events as a calendar to subscribe to (iCalendar, RFC 5545)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar import Calendar, Event

from aggregator.domain.activity import ActivityKind
from aggregator.reader.feeds.feed import tag_id
from aggregator.web.dates import machine_time
from aggregator.web.translation import gettext

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from aggregator.domain.activity import Activity, Occasion

MEDIA_TYPE = "text/calendar; charset=utf-8"
PAST = timedelta(days=30)  # of past events in the calendar
MOST = 500  # events
_PRODUCT = "-//activity-stream-aggregator//EN"
_REFRESH = timedelta(hours=1)
_LONGEST_TEXT = 2000  # characters


def calendar_of(items: Iterable[Activity], name: str, authority: tuple[str, str], home: str) -> bytes:
    """Return the events of activities as a calendar.

    Args:
        items: in any order; activities without an event are skipped.
        name: of the calendar.
        authority: of our `tag:` ids, with its date.
        home: our URL, below which each activity has a page.
    """
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", _REFRESH, parameters={"value": "DURATION"})
    for item in items:
        if item.content.event is not None and item.content.kind is ActivityKind.EVENT:
            calendar.add_component(_event(item, item.content.event, authority, home))
    calendar.add_missing_timezones()
    written: bytes = calendar.to_ical()
    return written


def _event(item: Activity, occasion: Occasion, authority: tuple[str, str], home: str) -> Event:
    content = item.content
    event = Event()
    event.add("uid", tag_id(item.id, authority))
    event.add("dtstamp", item.first_seen)
    event.add("sequence", item.revision % 2**31)  # calendars accept the higher number
    event.add("summary", item.content.title or " ".join(content.text.split())[:100] or gettext("Event"))
    zone = _zone(occasion.zone_label)
    event.add("dtstart", _time(occasion.start, zone, all_day=occasion.all_day))
    if occasion.end is not None:
        event.add("dtend", _time(occasion.end, zone, all_day=occasion.all_day))
    description = [content.text[:_LONGEST_TEXT]]
    if occasion.other_start is not None:
        description.append(
            gettext(
                "Time zone “%(zone)s” is ambiguous; may also be %(time)s.",
                zone=occasion.zone_label,
                time=machine_time(occasion.other_start),
            )
        )
    if occasion.online:
        description.append(gettext("Online: %(address)s", address=occasion.online))
    event.add("description", "\n\n".join(filter(None, description)))
    if occasion.place:
        event.add("location", occasion.place)
    event.add("url", content.url or f"{home}/activities/{item.id}")
    if occasion.cancelled:  # it is unknown whether other events are confirmed or tentative
        event.add("status", "CANCELLED")
    return event


def _time(moment: datetime, zone: ZoneInfo | None, *, all_day: bool) -> datetime | object:
    if all_day:
        return moment.date()
    return moment.astimezone(zone) if zone else moment


def _zone(label: str | None) -> ZoneInfo | None:
    """Return the zone that a label names in the tz database; other labels are ambiguous."""
    if not label or "/" not in label:
        return None
    try:
        return ZoneInfo(label)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
