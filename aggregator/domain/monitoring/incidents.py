"""Describe incidents: outages of hosts, sources that went silent, and responses that are wrong despite a 200."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LONGEST_SNOOZE = timedelta(days=365)
PAGE = "page"  # the sign of a source that answers with a web page; others are in `wrongness`


class IncidentKind(StrEnum):
    """The kind of an incident."""

    OUTAGE = "outage"  # the sources of a host group fail alike
    SILENCE = "silence"  # a source has published nothing for an improbably long time
    WRONG = "wrong"  # the responses of a source are plausible to HTTP, but not to a reader


INCIDENT_KINDS = frozenset(kind.value for kind in IncidentKind)


@dataclass(frozen=True, slots=True)
class Finding:
    """A detected incident, before it is stored."""

    kind: IncidentKind
    subject: str  # "host:youtube.com:443", "source:nasa"
    sentence: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Incident:
    """A stored incident."""

    id: int
    kind: IncidentKind
    subject: str
    sentence: str
    evidence: Mapping[str, Any]
    began: datetime
    ended: datetime | None
    notified: datetime | None  # when an alert was opened for it
    snoozed_until: datetime | None
    muted: bool

    def alerts(self, now: datetime) -> bool:
        """Return whether the incident has an open alert: one that was opened before snoozing stays open."""
        if self.ended is not None:
            return False
        snoozed = self.snoozed_until is not None and self.snoozed_until > now
        return self.notified is not None or not (self.muted or snoozed)
