"""Convert occurrences to activities. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from icalendar.prop import vBroken

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    Media,
    NewActivity,
    Occasion,
)
from aggregator.sources.ical.expansion import expanded
from aggregator.sources.ical.window import READER
from aggregator.text.html import clean_html, paragraphs, text_of_clean
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta, tzinfo

    from icalendar import Event

    from aggregator.sources.ical.expansion import Occurrence
    from aggregator.sources.ical.window import Window

_LONGEST_TITLE = 1000  # characters
_LONGEST_TEXT = 100_000
_LONGEST_PLACE = 500
_LONGEST_RAW = 400_000  # bytes
_MOST_MEDIA = 10
_MOST_TAGS = 50
# Properties that change with every export of a calendar, without a change of the event.
_NOISE = re.compile(rb"^(?:DTSTAMP|SEQUENCE|LAST-MODIFIED)[;:].*(?:\r?\n[ \t].*)*\r?\n", re.MULTILINE)
_HTML = re.compile(r"<(?:p|br|a|div|ul|ol|b|i|strong|em|span)\b", re.IGNORECASE)
_MEETING = re.compile(
    r"https://(?:[a-z0-9-]+\.)*(?:zoom\.us|meet\.google\.com|teams\.microsoft\.com|webex\.com|gotomeet\.me"
    r"|meet\.jit\.si|bigbluebutton\.org)/[^\s<>\"]+",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParsedCalendar:
    """The content of a calendar within a window."""

    name: str | None
    activities: Sequence[NewActivity]  # the last first: of items that arrive together, the next event is the newest
    refresh: timedelta | None
    repeats: bool
    notes: Sequence[str]


def read(body: bytes, window: Window, zone: tzinfo, address: str) -> ParsedCalendar:
    """Read the calendar at an address; the arguments are those of `expanded`.

    Raises:
        UnreadableError: it is not a calendar.
    """
    calendar = expanded(body, window, zone)
    host = urlsplit(address).hostname or ""
    name = calendar.name or host
    activities = [activity_of(occurrence, address, name, host) for occurrence in reversed(calendar.occurrences)]
    return ParsedCalendar(calendar.name, activities, calendar.refresh, calendar.repeats, calendar.notes)


def activity_of(occurrence: Occurrence, calendar: str, name: str, host: str) -> NewActivity:
    """Return an occurrence as an activity.

    Args:
        occurrence: the occurrence.
        calendar: the URL of the calendar, which is never displayed.
        name: the calendar's name.
        host: the calendar's host.
    """
    native_id = (
        occurrence.uid if occurrence.recurrence is None else f"{occurrence.uid}/{occurrence.recurrence:%Y%m%dT%H%M%SZ}"
    )
    raw = occurrence.event.to_ical()
    around = repr((READER, calendar, name, occurrence.cancelled)).encode("utf-8", "replace")
    digest = hashlib.sha256(_NOISE.sub(b"", raw) + around)
    series = f"web:{_sha256(f'{host} {occurrence.uid}')[:32]}"
    return NewActivity(
        native_id=native_id,
        key=series if occurrence.recurrence is None else f"web:{_sha256(f'{host} {native_id}')[:32]}",
        content=_content(occurrence, name, host),
        entry_digest=digest.hexdigest(),
        object_key=None if occurrence.recurrence is None else series,
        raw=raw if len(raw) <= _LONGEST_RAW else b"",
    )


def _content(occurrence: Occurrence, name: str, host: str) -> Content:
    event = occurrence.event
    html, text = _body(event)
    # The calendar's URL is neither a base for relative addresses nor a substitute for a missing one: it is often
    # private.
    url = canonical_url(_text(event, "URL")) if event.get("URL") else None
    place = _text(event, "LOCATION")[:_LONGEST_PLACE]
    return Content(
        kind=ActivityKind.EVENT,
        network="web",
        url=url,
        actor=_organizer(event, name, host),
        title=" ".join(_text(event, "SUMMARY").split())[:_LONGEST_TITLE] or None,
        text=text,
        html=html,
        lang=_language(event),
        published=_moment(event, "CREATED") if occurrence.recurrence is None else None,
        updated=_moment(event, "LAST-MODIFIED"),
        media=tuple(_media(event))[:_MOST_MEDIA],
        hashtags=tuple(_categories(event))[:_MOST_TAGS],
        event=Occasion(
            occurrence.start,
            occurrence.end,
            zone_label=occurrence.zone_label,
            place=None if _ADDRESS.fullmatch(place) else place or None,
            all_day=occurrence.all_day,
            online=_online(event, place, text),
            cancelled=occurrence.cancelled,
        ),
    )


def _body(event: Event) -> tuple[str, str]:
    """Return the event's description as clean HTML and as plain text."""
    styled = _text(event, "X-ALT-DESC")
    plain = _text(event, "DESCRIPTION")
    text = (styled if _HTML.search(styled) else plain)[:_LONGEST_TEXT]
    html = clean_html(text) if _HTML.search(text) else paragraphs(text)
    return html, text_of_clean(html)


def _online(event: Event, place: str, text: str) -> str | None:
    addresses = [
        _text(event, name) for name in ("CONFERENCE", "X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL")
    ]
    for address in addresses:
        if _ADDRESS.fullmatch(address.strip()):
            return canonical_url(address)
    found = _ADDRESS.search(place) or _MEETING.search(text)
    return canonical_url(found[0]) if found else None


def _organizer(event: Event, name: str, host: str) -> Actor:
    """Return the organizer by name only, since calendars contain people's mail addresses."""
    value = event.get("ORGANIZER")
    common = str(value.params.get("CN", "")) if value is not None and hasattr(value, "params") else ""
    who = " ".join(common.split()).strip('"')[:_LONGEST_TITLE] or name
    who = who if "@" not in who else name
    return Actor(network="web", native_id=f"{host}/{who.casefold()}", name=who)


def _media(event: Event) -> Iterator[Media]:
    for name in ("IMAGE", "ATTACH"):
        for value in _several(event, name):
            mime = str(value.params.get("FMTTYPE", "")) if hasattr(value, "params") else ""
            url = canonical_url(str(value)) if not mime or mime.startswith("image/") else None
            if url and (mime or name == "IMAGE" or re.search(r"\.(?:jpe?g|png|gif|webp)$", url, re.IGNORECASE)):
                yield Media("image", url, mime=mime or None)


def _categories(event: Event) -> Iterator[str]:
    seen: set[str] = set()
    for value in _several(event, "CATEGORIES"):
        for category in getattr(value, "cats", [value]):
            tag = " ".join(str(category).split()).lstrip("#")
            if tag and tag.casefold() not in seen:
                seen.add(tag.casefold())
                yield tag


def _several(event: Event, name: str) -> list[Any]:
    value = event.get(name)
    return value if isinstance(value, list) else [value] if value is not None else []


def _language(event: Event) -> str | None:
    value = event.get("SUMMARY")
    tag = str(value.params.get("LANGUAGE", "")) if value is not None and hasattr(value, "params") else ""
    return tag if re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", tag) else None


def _moment(event: Event, name: str) -> datetime | None:
    value = event.get(name)
    value = None if isinstance(value, vBroken) else getattr(value, "dt", None)
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def _text(event: Event, name: str) -> str:
    value = event.get(name)
    value = value[0] if isinstance(value, list) and value else value
    return "" if value is None or isinstance(value, vBroken) else str(value).strip()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
