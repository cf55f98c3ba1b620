"""Format times for machines (RFC 3339, UTC) and for people (the configured zone and locale)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, format_timedelta, get_timezone_name
from babel.numbers import format_decimal

from aggregator.web.translation import gettext

_NARROW_SPACE = "\u202f"  # in Unicode's locale data before "AM"; many fonts lack it
_LONG_AGO = timedelta(days=30)  # older times are shown as a date
_ONE_DAY = timedelta(days=1)


def machine_time(moment: datetime) -> str:
    """Return RFC 3339 in UTC with "Z": "2014-04-02T15:04:05Z"."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def html_time(moment: datetime) -> str:
    """Return a time for `datetime` attributes, in whole seconds: HTML allows three digits of fractions at most."""
    return machine_time(moment.replace(microsecond=0))


def sortable_time(moment: datetime) -> str:
    """Return a time whose order as a text is the order of time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


@lru_cache(maxsize=64)
def known_locale(tag: str) -> str | None:
    """Return Babel's name of a locale (BCP 47), or of its language if only that is known."""
    parts = tag.split("-")
    for known in range(len(parts), 0, -1):
        try:
            return str(Locale.parse("-".join(parts[:known]), sep="-"))
        except (UnknownLocaleError, ValueError):
            continue
    return None


@dataclass(frozen=True, slots=True)
class When:
    """The formatted time of an event; `remark` is the source's time zone label if it differs from ours."""

    day: str  # "Wednesday, April 16, 2014"
    hours: str  # "10:00 AM to 11:00 AM EDT"; "" for all-day events
    remark: str | None
    month: str  # "Apr"
    day_of_month: int


@dataclass(frozen=True, slots=True)
class Dates:
    """Formats dates in the configured time zone and locale."""

    zone: tzinfo
    locale: str = "en"  # Babel's name: "en_GB"

    @classmethod
    def of(cls, zone: tzinfo, locale: str) -> Dates:
        """Create the formats for a BCP 47 locale such as "en-GB"; an unknown one falls back to its language."""
        return cls(zone, known_locale(locale) or "en")

    @property
    def language(self) -> str:
        """The language of dates (BCP 47)."""
        return self.locale.replace("_", "-")

    def local_day(self, moment: datetime) -> date:
        """Return the calendar day of a time in the configured zone."""
        return moment.astimezone(self.zone).date()

    def day(self, moment: datetime | date) -> str:
        """Return "April 2, 2014" or "2 April 2014"."""
        return format_date(self._on(moment), "long", self.locale)

    def day_or_hour(self, moment: datetime, today: date) -> str:
        """Return "3:04 PM" for a time of today, else the day."""
        return self.hour(moment) if self.local_day(moment) == today else self.day(moment)

    def number(self, count: int) -> str:
        """Return "1,204"."""
        return format_decimal(count, locale=self.locale)

    @property
    def zone_text(self) -> str:
        """The time zone for people: "Eastern Time (America/New_York)", "UTC"."""
        key = str(self.zone)
        if key in {"UTC", "Etc/UTC"}:
            return "UTC"
        return f"{get_timezone_name(self.zone, locale=self.locale)} ({key})"

    def long_day(self, moment: datetime | date) -> str:
        """Return "Wednesday, April 2, 2014" or "Wednesday, 2 April 2014"."""
        return format_date(self._on(moment), "full", self.locale)

    def heading(self, on: date, today: date) -> str:
        """Return "Today", "Yesterday" or the long day."""
        named = {today: gettext("Today"), today - _ONE_DAY: gettext("Yesterday")}
        return named.get(on) or self.long_day(on)

    def hour(self, moment: datetime) -> str:
        """Return "3:04 PM" or "15:04"."""
        return self._hour(moment.astimezone(self.zone))

    def moment(self, moment: datetime) -> str:
        """Return "April 2, 2014, 3:04 PM" or "2 April 2014, 15:04"."""
        return self._at(self._on(moment), self.hour(moment))

    def ago(self, moment: datetime, now: datetime) -> str:
        """Return "3 hours ago", or the day if that is over 30 days ago."""
        since = now - moment
        if since > _LONG_AGO:
            return self.day(moment)
        return format_timedelta(-max(since, timedelta()), add_direction=True, threshold=0.95, locale=self.locale)

    def when(
        self, start: datetime, end: datetime | None, zone_label: str | None = None, *, all_day: bool = False
    ) -> When:
        """Format the time of an event.

        A label that names a zone of the tz database ("America/New_York") is used as the zone. Any other label ("EST")
        is only quoted: its meaning is ambiguous, and the instants are already fixed. All-day events use calendar days
        in any zone; their end is the midnight after the last day.
        """
        if all_day:
            return self._days(start.astimezone(UTC).date(), end.astimezone(UTC).date() if end else None)
        there = _zone(zone_label)
        zone = there or self.zone
        local_start, local_end = start.astimezone(zone), end.astimezone(zone) if end else None
        hours = self._hour(local_start)
        if local_end and local_end.date() == local_start.date():
            hours = _range(hours, self._hour(local_end))
        elif local_end:
            hours = _range(hours, self._at(local_end.date(), self._hour(local_end)))
        name = local_start.tzname() or ""
        quoted = zone_label if zone_label and there is None and zone_label != name else None
        return self._when(local_start.date(), self.long_day(local_start.date()), f"{hours} {name}".strip(), quoted)

    def _days(self, first: date, after: date | None) -> When:
        last = after - _ONE_DAY if after and after > first else first
        days = self.long_day(first) if last == first else _range(self.long_day(first), self.long_day(last))
        return self._when(first, days, "", None)

    def _when(self, on: date, day: str, hours: str, remark: str | None) -> When:
        return When(day, hours, remark, format_date(on, "MMM", self.locale), on.day)

    def _hour(self, local: datetime) -> str:
        return format_time(local, "short", tzinfo=local.tzinfo, locale=self.locale).replace(_NARROW_SPACE, " ")

    def _at(self, on: date, hour: str) -> str:
        return gettext("%(day)s, %(hour)s", day=self.day(on), hour=hour)

    def _on(self, moment: datetime | date) -> date:
        return self.local_day(moment) if isinstance(moment, datetime) else moment


def _range(first: str, last: str) -> str:
    return gettext("%(first)s to %(last)s", first=first, last=last)


def _zone(label: str | None) -> ZoneInfo | None:
    if not label or "/" not in label:  # "EST" is in the tz database, but editors use it for daylight time, too
        return None
    try:
        return ZoneInfo(label)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
