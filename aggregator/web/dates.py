"""Moments in words, in the operator's time zone and the habits of a locale; month names are English."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Not calendar's names: these follow the process's locale, which an installation may set.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_FIRST = frozenset({"", "US", "PH"})
_TWELVE_HOURS = frozenset({"", "US", "PH", "CA", "AU", "NZ", "IN", "PK"})
_NOON = 12


def machine_time(moment: datetime) -> str:
    """Return RFC 3339 in UTC with "Z": "2014-04-02T15:04:05Z"."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class When:
    """When an event takes place, in words; `remark` quotes the source's own zone label where ours differs."""

    day: str  # "Wednesday, April 16, 2014"
    hours: str  # "10:00 AM to 11:00 AM EDT"
    remark: str | None
    month: str  # "Apr"
    day_of_month: int


@dataclass(frozen=True, slots=True)
class Dates:
    """How this installation writes dates."""

    zone: tzinfo
    month_first: bool = True  # "April 2, 2014" rather than "2 April 2014"
    twelve_hours: bool = True  # "3:04 PM" rather than "15:04"

    @classmethod
    def of(cls, zone: tzinfo, locale: str) -> Dates:
        """Choose the habits of a BCP 47 locale such as "en-GB"; plain "en" writes as in the United States."""
        language, *parts = locale.split("-")
        if language.lower() != "en":
            return cls(zone, month_first=False, twelve_hours=False)
        region = next((part.upper() for part in parts if len(part) == 2), "")  # noqa: PLR2004  # ISO 3166 alpha-2
        return cls(zone, region in _MONTH_FIRST, region in _TWELVE_HOURS)

    def local_day(self, moment: datetime) -> date:
        """Return the calendar day of a moment where the readers are."""
        return moment.astimezone(self.zone).date()

    def day(self, moment: datetime | date) -> str:
        """Return "April 2, 2014" or "2 April 2014"."""
        on = self.local_day(moment) if isinstance(moment, datetime) else moment
        month = _MONTHS[on.month - 1]
        return f"{month} {on.day}, {on.year}" if self.month_first else f"{on.day} {month} {on.year}"

    def long_day(self, moment: datetime | date) -> str:
        """Return "Wednesday, April 2, 2014" or "Wednesday, 2 April 2014"."""
        on = self.local_day(moment) if isinstance(moment, datetime) else moment
        return f"{_WEEKDAYS[on.weekday()]}, {self.day(on)}"

    def heading(self, on: date, today: date) -> str:
        """Return "Today", "Yesterday" or the long day."""
        named = {today: "Today", today - timedelta(days=1): "Yesterday"}
        return named.get(on) or self.long_day(on)

    def hour(self, moment: datetime) -> str:
        """Return "3:04 PM" or "15:04"."""
        return self._hour(moment.astimezone(self.zone))

    def moment(self, moment: datetime) -> str:
        """Return "April 2, 2014, 3:04 PM" or "2 April 2014, 15:04"."""
        return f"{self.day(moment)}, {self.hour(moment)}"

    def when(self, start: datetime, end: datetime | None, zone_label: str | None) -> When:
        """Say when an event takes place.

        A label that names a zone of the tz database ("America/New_York") is that zone. Any other ("EST") is only
        quoted: what an editor meant by it can't be known, and the instants are already fixed.
        """
        there = _zone(zone_label)
        zone = there or self.zone
        local_start, local_end = start.astimezone(zone), end.astimezone(zone) if end else None
        hours = self._hour(local_start)
        if local_end and local_end.date() == local_start.date():
            hours += f" to {self._hour(local_end)}"
        elif local_end:
            hours += f" to {self.day(local_end.date())}, {self._hour(local_end)}"
        name = local_start.tzname() or ""
        quoted = zone_label if zone_label and there is None and zone_label != name else None
        return When(
            day=self.long_day(local_start.date()),
            hours=f"{hours} {name}".strip(),
            remark=quoted,
            month=_MONTHS[local_start.month - 1][:3],
            day_of_month=local_start.day,
        )

    def _hour(self, local: datetime) -> str:
        if not self.twelve_hours:
            return f"{local:%H:%M}"
        return f"{local.hour % _NOON or _NOON}:{local:%M} {'AM' if local.hour < _NOON else 'PM'}"


def _zone(label: str | None) -> ZoneInfo | None:
    if not label or "/" not in label:  # "EST" is in the database too, but is what an editor typed
        return None
    try:
        return ZoneInfo(label)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
