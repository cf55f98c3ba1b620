"""Calendars (iCalendar, RFC 5545) over HTTP."""

from aggregator.sources.ical.kind import KIND

__all__ = ["KIND"]
