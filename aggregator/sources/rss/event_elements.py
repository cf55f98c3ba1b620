"""Read the event elements of an entry: `ev:` of RSS, xCal and Google's `gd:when`, whichever parser read it. Pure."""

from __future__ import annotations

import html as entities
import re
from typing import TYPE_CHECKING, Any

from lxml import etree

from aggregator.sources.rss.document import EventFields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAMES = {
    "startdate": "start", "dtstart": "start", "starttime": "start",
    "enddate": "end", "dtend": "end", "endtime": "end",
    "location": "place", "where": "place",
    "status": "status", "eventstatus": "status",
    "when": "when",
}  # fmt: skip
_OWN = frozenset({"dtstart", "dtend"})  # names that mean nothing else, under any prefix
_PREFIXES = frozenset({"ev", "event", "events", "xcal", "cal", "ical", "gd", "schema", "s"})
_NAMESPACE = re.compile(r"event|ical|xcal|/2002/12/cal|schema\.org|schemas\.google\.com/g/", re.IGNORECASE)
_LOOKS = re.compile(rb":(?:start-?date|dtstart|starttime|when)\b", re.IGNORECASE)
_LOOKS_STORED = re.compile(rb"_(?:dtstart|startdate|starttime|when)\"")
_ZONED = re.compile(r"(?:DTSTART|DTEND)?;?TZID=([^:]{1,60}):(.*)", re.IGNORECASE | re.DOTALL)
_VALUE = frozenset({"date-time", "date", "text", "value"})  # where RFC 6321 has the value; its siblings are parameters
_CANCELLED = frozenset({"cancelled", "canceled", "eventcancelled"})
_LONGEST_RAW = 400_000  # bytes
_LONGEST = 1000  # characters of a value

Named = tuple[str, str, str, "Mapping[str, str]"]  # prefix, local name, text and attributes of an element


def event_of(fields: Mapping[str, Any], raw: bytes) -> EventFields | None:
    """Return the event fields of an entry from its XML, or from feedparser's fields; None if it has none."""
    if raw.startswith(b"<"):
        return _event(_in_xml(raw)) if _LOOKS.search(raw) else None
    return _event(_in_fields(fields)) if _LOOKS_STORED.search(raw) else None


def _event(elements: Iterable[Named]) -> EventFields | None:
    values: dict[str, str] = {}
    for prefix, local, text, attributes in elements:
        name = _NAMES.get(local)
        if name is None or (prefix not in _PREFIXES and local not in _OWN):
            continue
        if name == "when":
            values.setdefault("start", attributes.get("starttime", ""))
            values.setdefault("end", attributes.get("endtime", ""))
            continue
        value, zone = _zoned(" ".join((text or attributes.get("valuestring", "")).split())[:_LONGEST])
        if value:
            values.setdefault(name, value)
            if name == "start" and (zone or attributes.get("tzid")):
                values.setdefault("zone", zone or attributes["tzid"][:_LONGEST])
    if not values.get("start"):
        return None
    cancelled = values.get("status", "").rpartition("/")[2].casefold() in _CANCELLED
    return EventFields(
        values["start"],
        values.get("end") or None,
        values.get("place"),
        cancelled=cancelled,
        zone=values.get("zone"),
    )


def _zoned(text: str) -> tuple[str, str]:
    """Split a value that names its zone as iCalendar does: TZID=Europe/Berlin:20310502T140000."""
    found = _ZONED.fullmatch(text)
    return (found[2].strip(), found[1]) if found else (text, "")


def _in_xml(raw: bytes) -> Iterator[Named]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True)
    try:
        entry = etree.fromstring(raw[:_LONGEST_RAW], parser)
    except (etree.XMLSyntaxError, ValueError):
        return
    for child in entry.iterchildren("*") if entry is not None else ():
        uri, _, local = child.tag[1:].partition("}") if child.tag.startswith("{") else ("", "", child.tag)
        if local.lower() in _NAMES and uri:
            prefix = "ev" if _NAMESPACE.search(uri) else (child.prefix or "").lower()
            attributes = {str(name).rpartition("}")[2].lower(): str(value) for name, value in child.items()}
            zone = next((_text(inner) for inner in child.iter("{*}tzid")), "")
            yield prefix, local.lower(), _value(child), {**({"tzid": zone} if zone else {}), **attributes}


def _value(element: etree._Element) -> str:
    """Return an element's text, or that of its value where it also has parameters."""
    for inner in element.iterchildren("*"):
        if inner.tag.rpartition("}")[2].lower() in _VALUE:
            return _text(inner)
    return _text(element)


def _text(element: etree._Element) -> str:
    return "".join(str(part) for part in element.itertext()).strip()


def _in_fields(fields: Mapping[str, Any]) -> Iterator[Named]:
    for key in list(fields):
        prefix, underscore, local = str(key).rpartition("_")
        if not underscore or local not in _NAMES:
            continue
        value = dict.get(fields, key) if isinstance(fields, dict) else None
        if isinstance(value, str):
            yield prefix, local, entities.unescape(value), {}  # not resolved in elements unknown to feedparser
        elif isinstance(value, dict):
            yield prefix, local, "", {str(name).lower(): str(inner) for name, inner in value.items()}
