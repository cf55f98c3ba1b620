"""Extract events from feed entries: xCal or `ev:` elements, schema.org data, or an unambiguous line. Pure."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import Occasion
from aggregator.sources.rss.document import EventFields
from aggregator.sources.rss.event_lines import knows, parse_event_line, read_time
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.sources.rss.document import Entry

_LONGEST_PLACE = 500  # characters
_LONGEST_JSON = 100_000
_DEEPEST = 6
_LINKED_DATA = re.compile(r"(?is)<script\b[^<>]*application/ld\+json[^<>]*>(.*?)</script")
_ITEM = re.compile(
    r"(?i)itemprop\s*=\s*[\"']?(startDate|endDate)[\"'\s][^<>]*?(?:content|datetime)\s*=\s*[\"']([^\"']{1,100})"
)
_ITEM_TURNED = re.compile(
    r"(?i)(?:content|datetime)\s*=\s*[\"']([^\"']{1,100})[\"'][^<>]*?itemprop\s*=\s*[\"']?(startDate|endDate)\b"
)
_EVENT_TYPE = re.compile(r"(?i)itemtype\s*=\s*[\"']?https?://schema\.org/[a-z]*event\b")
_DIGIT = re.compile(r"\d")
_BASIC = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})?(Z)?)?")
_STATUSES = ("eventcancelled",)


def occasion_of(entry: Entry, text: str, published: datetime | None) -> Occasion | None:
    """Return the event of an entry, or None. Most entries have none, which a quick check detects.

    Args:
        entry: as in the feed.
        text: its plain text.
        published: its publication time; a line of the text counts only if its time is later.
    """
    facts = entry.event or _by_schema(entry.body.value if entry.body and entry.body.html else "")
    if facts is not None:
        return _occasion(facts)
    if len(text) > _LONGEST_JSON or _DIGIT.search(text, 0, 2000) is None:
        return None
    found = parse_event_line(text) or (parse_event_line(entry.title.value) if entry.title else None)
    return found if found is not None and (published is None or found.start > published) else None


def _by_schema(html: str) -> EventFields | None:
    if "startDate" not in html:
        return None
    for found in _LINKED_DATA.finditer(html[: 4 * _LONGEST_JSON]):
        try:
            document = json.loads(found[1][:_LONGEST_JSON])
        except (ValueError, RecursionError):
            continue
        for thing in _things(document, 0):
            if isinstance(thing.get("startDate"), str):
                return _of_thing(thing)
    if _EVENT_TYPE.search(html):
        values = {name.lower(): value for name, value in _ITEM.findall(html)}
        values |= {name.lower(): value for value, name in _ITEM_TURNED.findall(html)}
        if "startdate" in values:
            return EventFields(values["startdate"], values.get("enddate"))
    return None


def _things(value: Any, depth: int) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for item in value[:50]:
            yield from _things(item, depth + 1)
    elif isinstance(value, dict):
        kinds = value.get("@type")
        if any(
            isinstance(kind, str) and kind.endswith("Event") for kind in (kinds if isinstance(kinds, list) else [kinds])
        ):
            yield value
        yield from _things(value.get("@graph"), depth + 1)


def _of_thing(thing: dict[str, Any]) -> EventFields:
    places = thing.get("location")
    place: str | None = None
    online: str | None = None
    for candidate in places if isinstance(places, list) else [places]:
        if isinstance(candidate, str):
            place = place or candidate
        elif isinstance(candidate, dict):
            if candidate.get("@type") == "VirtualLocation":
                online = online or (candidate["url"] if isinstance(candidate.get("url"), str) else None)
            else:
                place = place or (candidate["name"] if isinstance(candidate.get("name"), str) else None)
    end = thing.get("endDate")
    status = str(thing.get("eventStatus", "")).rpartition("/")[2].lower()
    return EventFields(thing["startDate"], end if isinstance(end, str) else None, place, online, status in _STATUSES)


def _occasion(facts: EventFields) -> Occasion | None:
    start, all_day, label = _moment(facts.start, facts.zone)
    if start is None:
        return None
    end = _moment(facts.end, facts.zone)[0] if facts.end else None
    if end is not None and all_day and facts.end and _is_day(facts.end):
        end += timedelta(days=1)  # in these formats the end is the last day, in calendars the day after it
    place = " ".join((facts.place or "").split())[:_LONGEST_PLACE]
    return Occasion(
        start,
        end if end is not None and end > start else (start + timedelta(days=1) if all_day else None),
        zone_label=label,
        place=place or None,
        all_day=all_day,
        online=canonical_url(facts.online) if facts.online else None,
        cancelled=facts.cancelled,
    )


def _is_day(text: str) -> bool:
    return re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text.strip()) is not None


def _moment(text: str, zone: str | None) -> tuple[datetime | None, bool, str | None]:
    """Parse a date in the usual formats to an instant, whether it is a whole day, and the zone as written."""
    text = text.strip()
    try:
        if _is_day(text):
            return datetime.combine(date.fromisoformat(text), time(), UTC), True, None
        basic = _BASIC.fullmatch(text)
        moment = datetime.fromisoformat(text) if basic is None or basic[4] else None
        if moment is None:
            return None, False, None
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None, False, None
    try:
        if moment.tzinfo is None:
            known = zone if zone and knows(zone) else None
            return read_time(moment, known).instant, False, known
        label = f"{moment:%z}"
        return moment.astimezone(UTC), False, "UTC" if not moment.utcoffset() else f"{label[:3]}:{label[3:5]}"
    except (ValueError, OverflowError):
        return None, False, None
