"""Calendars (iCalendar, RFC 5545) over HTTP."""
