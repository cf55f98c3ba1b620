"""Decide how long records are kept. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from aggregator.domain.activity import ScreenedActivity

BEHIND = timedelta(days=2)  # of an hourly cleanup, after which it doesn't keep up


class Records(StrEnum):
    """The kinds of records that grow without limit, unless old ones are deleted."""

    FETCH_LOG = "fetch-log"
    RAW_PAYLOADS = "raw-payloads"
    VERSIONS = "versions"
    HIDDEN_ITEMS = "hidden-items"
    STREAM = "stream"


class Rule(NamedTuple):
    """How long records of a kind are kept."""

    records: Records
    variable: str  # the setting, without the prefix
    age: timedelta | None  # None: forever

    def before(self, now: datetime) -> datetime | None:
        """Return the time before which records are deleted; None: they are kept."""
        return None if self.age is None else now - self.age


class Retained(NamedTuple):
    """The present state of a rule."""

    rule: Rule
    oldest: datetime | None  # the oldest record; None: there is none
    deleted_today: int

    def is_behind(self, now: datetime) -> bool:
        """Return whether records are still stored long after they should have been deleted."""
        before = self.rule.before(now)
        return before is not None and self.oldest is not None and self.oldest < before - BEHIND


def is_expired(entry: ScreenedActivity, before: datetime) -> bool:
    """Return whether an unknown entry is older than what the stream keeps, so that it isn't stored.

    It may have been stored and deleted before. Events are kept until they end.
    """
    event = entry.new.content.event
    ended = event is None or (event.end or event.start).date() < before.date()
    return ended and entry.position < before
