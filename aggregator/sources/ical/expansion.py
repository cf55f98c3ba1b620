"""Expand a calendar document into occurrences within a window, with overridden occurrences replaced.

Each event is read separately, so that a broken event does not affect the others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import recurring_ical_events
from icalendar import Calendar, Component, Event
from icalendar.timezone import tzp
from icalendar.timezone.zoneinfo import ZONEINFO

from aggregator.domain.errors import UnreadableError
from aggregator.sources.ical.properties import (
    instant,
    refresh_interval,
    start_of,
    text_of,
    time_value,
    version_of,
    zone_label,
    zone_of,
)
from aggregator.sources.ical.recurrence import (
    brought_near,
    followed_until,
    rules_of,
    stands_still,
    too_far,
    too_often,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from aggregator.sources.ical.window import Window

MOST_EVENTS = 20_000  # VEVENTs in a document
MOST_OCCURRENCES = 1000  # in a document
MOST_OF_SERIES = 370  # of a recurring event, before now and from now on: a year of days
_MOMENT = timedelta(seconds=1)
_GROWTH = 8  # factor by which each span searched for occurrences exceeds the previous one


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A single occurrence of an event."""

    event: Event  # an overridden occurrence may differ from the series
    uid: str
    recurrence: datetime | None  # its original start; None if the event does not recur
    start: datetime
    end: datetime | None
    all_day: bool
    zone_label: str | None  # as written in the calendar
    cancelled: bool


@dataclass(slots=True)
class Expanded:
    """The content of a document."""

    name: str | None
    occurrences: Sequence[Occurrence]
    refresh: timedelta | None = None  # requested refresh interval
    repeats: bool = False  # more occurrences will enter the window over time
    notes: list[str] = field(default_factory=list)


def expanded(body: bytes, window: Window, default_zone: tzinfo = UTC) -> Expanded:
    """Read a document.

    Args:
        body: the response body, decompressed.
        window: the range of time.
        default_zone: the zone of floating times if the calendar names none.

    Raises:
        UnreadableError: it is not a calendar.
    """
    with followed_until(window.end.year + 1):
        return _expanded(_calendars(body), window, default_zone)


def _expanded(calendars: Sequence[Calendar], window: Window, default_zone: tzinfo) -> Expanded:
    first = calendars[0]
    zone = zone_of(first) or default_zone
    cancels = str(first.get("METHOD", "")).upper() == "CANCEL"
    series: dict[str, list[Event]] = defaultdict(list)
    broken = events = 0
    for event in _events(calendars):
        events += 1
        if events > MOST_EVENTS:
            break
        uid = str(event.get("UID", "")).strip()
        if not uid or start_of(event) is None:
            broken += 1
            continue
        series[uid].append(event)
    notes = Counted(broken)
    several: list[_Series] = []
    found: list[_Found] = []
    for uid, versions in series.items():
        try:
            if not _is_series(versions):
                found += _single(uid, versions, window, zone)
            elif item := _series(uid, versions, window, zone, notes):
                several.append(item)
        except Exception:  # noqa: BLE001 - libraries raise various errors for invalid dates
            notes.broken += 1
    repeats = any(map(_is_series, series.values()))
    complete = _collect(several, window, found, notes)
    notes.found, notes.complete = len(found), complete
    nearest = sorted(found, key=lambda item: (item.start < window.now, abs(item.start - window.now)))[:MOST_OCCURRENCES]
    occurrences = sorted(_built(nearest, zone, notes), key=lambda item: (item.start, item.uid))
    if cancels:
        occurrences = [_cancelled(item) for item in occurrences]
    name = text_of(first, "NAME") or text_of(first, "X-WR-CALNAME")
    return Expanded(name, occurrences, refresh_interval(first), repeats, notes.sentences(events))


@dataclass(slots=True)
class Counted:
    """Counts of events and occurrences that were left out."""

    broken: int = 0
    too_often: int = 0
    cut: int = 0
    found: int = 0  # occurrences found
    complete: bool = True  # the window contains no others

    def sentences(self, events: int) -> list[str]:
        """Return the counts as sentences."""
        sentences = []
        if self.broken:
            sentences.append(f"Unreadable events skipped: {self.broken}.")
        if self.too_often:
            sentences.append(f"Events skipped that repeat more than hourly or too often to expand: {self.too_often}.")
        if self.cut:
            sentences.append(f"Of {self.cut} frequent events, only the next {MOST_OF_SERIES} occurrences are read.")
        if events > MOST_EVENTS:
            sentences.append(f"Only the first {MOST_EVENTS} events are read.")
        if self.found > MOST_OCCURRENCES or not self.complete:
            more = "" if self.complete else "more than "
            sentences.append(f"Of {more}{self.found} occurrences, the next {MOST_OCCURRENCES} are read.")
        return sentences


class _Zones(ZONEINFO):
    """The system's time zones. A name that is a folder or too long for a file counts as unknown."""

    def timezone(self, name: str) -> tzinfo | None:
        """Return a time zone, or None for an unknown name."""
        try:
            return super().timezone(name)
        except OSError:
            return None


tzp.use(_Zones())


def _calendars(body: bytes) -> list[Calendar]:
    text = body.decode("utf-8-sig", "replace")
    if "BEGIN:VCALENDAR" not in text[:65_536].upper():
        raise UnreadableError("The response isn't a calendar: it has no BEGIN:VCALENDAR.")
    try:
        read = Calendar.from_ical(text, multiple=True)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as problem:
        raise UnreadableError(f"The calendar can't be read: {str(problem)[:200] or type(problem).__name__}.") from None
    calendars: list[Calendar] = [component for component in read if component.name == "VCALENDAR"]
    if not calendars:
        raise UnreadableError("The calendar can't be read: it contains no VCALENDAR.")
    return calendars


def _events(calendars: Sequence[Component]) -> Iterator[Event]:
    for calendar in calendars:
        yield from (found for found in calendar.walk("VEVENT") if isinstance(found, Event))


def _is_series(versions: Sequence[Event]) -> bool:
    return any(event.get(name) is not None for event in versions for name in ("RRULE", "RDATE", "RECURRENCE-ID"))


class _Found(NamedTuple):
    """An occurrence in the window, not yet expanded."""

    start: datetime
    uid: str
    write: Callable[[], Event]


@dataclass(slots=True)
class _Series:
    """A recurring event."""

    uid: str
    parts: Sequence[Any]  # the library's series, which is untyped
    zone: tzinfo
    seen: set[object] = field(default_factory=set)
    broken: bool = False

    def between(self, begin: datetime, end: datetime) -> list[_Found]:
        """Return the occurrences that overlap a span of time and were not returned before."""
        found = []
        for part in self.parts:
            for event in part.between(begin, end):
                if event.id not in self.seen:
                    self.seen.add(event.id)
                    found.append(_Found(instant(event.start, self.zone), self.uid, partial(event.as_component, False)))
        return found


def _collect(several: Sequence[_Series], window: Window, found: list[_Found], notes: Counted) -> bool:
    """Add occurrences of recurring events, the next ones first; return whether they are all in the window.

    All events are searched in parallel, in growing spans of time, until the limit is exceeded.
    """
    for edge in (window.end, window.begin):
        counts: Counter[str] = Counter()  # occurrences per event
        for begin, end in _spans(window.now, edge):
            for series in several:
                if series.broken or counts[series.uid] > MOST_OF_SERIES:
                    continue
                inside = sorted(_between(series, begin, end, notes), key=lambda each: abs(each.start - window.now))
                room = max(MOST_OF_SERIES - counts[series.uid], 0)
                found += inside[:room]
                counts[series.uid] += len(inside)
                notes.cut += len(inside) > room and edge is window.end
            if several and len(found) > MOST_OCCURRENCES:
                return False
    return True


def _between(series: _Series, begin: datetime, end: datetime, notes: Counted) -> list[_Found]:
    try:
        found = series.between(begin, end + _MOMENT)  # the library excludes occurrences that begin exactly at the end
    except Exception:  # noqa: BLE001 - as above
        notes.broken += 1
        series.broken = True
        return []
    return [each for each in found if each.start <= end]


def _spans(now: datetime, edge: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Split the time between now and an edge of the window into spans that grow with their distance from now."""
    near, away = now, timedelta(days=1)
    while near != edge:
        far = min(now + away, edge) if edge > now else max(now - away, edge)
        yield min(near, far), max(near, far)
        near, away = far, away * _GROWTH


def _built(nearest: Sequence[_Found], zone: tzinfo, notes: Counted) -> Iterator[Occurrence]:
    for found in nearest:
        try:
            event = found.write()
            yield _occurrence(found.uid, event, time_value(event, "RECURRENCE-ID"), zone)
        except Exception:  # noqa: BLE001 - as above
            notes.broken += 1


def _single(uid: str, versions: Sequence[Event], window: Window, zone: tzinfo) -> Iterator[_Found]:
    """Return the newest version of an event that does not recur."""
    event = max(versions, key=version_of)
    occurrence = _occurrence(uid, event, None, zone)
    if (occurrence.end or occurrence.start) >= window.begin and occurrence.start <= window.end:
        yield _Found(occurrence.start, uid, lambda: event)


def _series(uid: str, versions: Sequence[Event], window: Window, zone: tzinfo, notes: Counted) -> _Series | None:
    """Prepare a recurring event with its overridden and cancelled occurrences."""
    newest: dict[Any, Event] = {}
    for event in sorted(versions, key=version_of):  # the last version of each wins
        newest[_recurrence_key(event)] = event
    rules = [rule for event in newest.values() for rule in rules_of(event)]
    if any(map(stands_still, rules)):
        notes.broken += 1
        return None
    if any(map(too_often, rules)):
        notes.too_often += 1
        return None
    calendar = Calendar()
    for key, event in newest.items():
        placed = _with_zone(event, zone)
        if key is None and not _changes_what_follows(newest.values()):
            brought_near(placed, window.begin)
        if too_far(placed, window.end):
            notes.too_often += 1
            return None
        calendar.add_component(placed)
    return _Series(uid, recurring_ical_events.of(calendar, components=["VEVENT"]).series, zone)


def _changes_what_follows(versions: Iterable[Event]) -> bool:
    """Return whether an overridden occurrence also applies to all later ones (RANGE=THISANDFUTURE)."""
    return any("RANGE" in getattr(event.get("RECURRENCE-ID"), "params", ()) for event in versions)


def _recurrence_key(event: Event) -> object:
    value = time_value(event, "RECURRENCE-ID")
    return None if value is None else instant(value, UTC)


def _with_zone(event: Event, zone: tzinfo) -> Event:
    """Return an event with a zone on its floating times, so that all times of a series can be compared."""
    placed = event.copy()
    placed.subcomponents = []
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        value: Any = placed.get(name)
        moment = getattr(value, "dt", None)
        if isinstance(moment, datetime) and moment.tzinfo is None:
            value.dt = moment.replace(tzinfo=zone)
    return placed


def _occurrence(uid: str, event: Event, recurrence: date | None, zone: tzinfo) -> Occurrence:
    begins = time_value(event, "DTSTART")
    all_day = not isinstance(begins, datetime)
    start = instant(begins, zone)
    end = _end(event, begins, zone)
    return Occurrence(
        event=event,
        uid=uid,
        recurrence=instant(recurrence, zone) if recurrence is not None else None,
        start=start,
        end=end if end is not None and end > start else None,
        all_day=all_day,
        zone_label=None if all_day else zone_label(event, begins, zone),
        cancelled=str(event.get("STATUS", "")).upper() == "CANCELLED",
    )


def _end(event: Event, begins: date, zone: tzinfo) -> datetime | None:
    value = time_value(event, "DTEND")
    if value is not None:
        return instant(value, zone)
    span = time_value(event, "DURATION")
    if isinstance(span, timedelta):
        if isinstance(begins, datetime):  # whole days in local time, other durations in elapsed time
            return instant(begins + span, zone) if not span % timedelta(days=1) else instant(begins, zone) + span
        return instant(begins, zone) + span
    return None if isinstance(begins, datetime) else instant(begins, zone) + timedelta(days=1)


def _cancelled(occurrence: Occurrence) -> Occurrence:
    return Occurrence(
        occurrence.event,
        occurrence.uid,
        occurrence.recurrence,
        occurrence.start,
        occurrence.end,
        occurrence.all_day,
        occurrence.zone_label,
        cancelled=True,
    )
