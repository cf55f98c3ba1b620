"""Store incidents: each open one is unique for its kind and subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select, update

from aggregator.domain.monitoring.incidents import Incident, IncidentKind
from storage.engine import upsert
from storage.tables.monitoring import incident

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from aggregator.domain.monitoring.incidents import Finding


class Incidents:
    """The incidents, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, kind: IncidentKind | None = None, limit: int | None = None) -> list[Incident]:
        """Return open incidents, newest first."""
        chosen = select(incident).where(incident.c.ended.is_(None)).order_by(incident.c.id.desc()).limit(limit)
        if kind is not None:
            chosen = chosen.where(incident.c.kind == kind.value)
        return [_incident(row) for row in self._connection.execute(chosen)]

    def page(self, limit: int, before: int | None = None) -> list[Incident]:
        """Return incidents, newest first, also ended ones."""
        chosen = select(incident).order_by(incident.c.id.desc()).limit(limit)
        if before is not None:
            chosen = chosen.where(incident.c.id < before)
        return [_incident(row) for row in self._connection.execute(chosen)]

    def get(self, incident_id: int) -> Incident | None:
        """Return an incident."""
        row = self._connection.execute(select(incident).where(incident.c.id == incident_id)).one_or_none()
        return None if row is None else _incident(row)

    def begin(self, findings: Sequence[Finding], now: datetime) -> dict[str, int]:
        """Store incidents that are not open yet; return the ids of all of these by subject.

        An incident is muted if the last one of its kind and subject was.
        """
        if not findings:
            return {}
        subjects = [finding.subject for finding in findings]
        same = and_(incident.c.subject.in_(subjects), incident.c.kind.in_({finding.kind.value for finding in findings}))
        former = {
            (row.kind, row.subject): row.muted
            for row in self._connection.execute(
                select(incident.c.kind, incident.c.subject, incident.c.muted).where(same).order_by(incident.c.id)
            )
        }
        rows = [
            {
                "kind": finding.kind.value,
                "subject": finding.subject,
                "sentence": finding.sentence,
                "evidence": dict(finding.evidence),
                "began": now,
                "muted": former.get((finding.kind.value, finding.subject), False),
            }
            for finding in findings
        ]
        statement = upsert.statement(
            self._connection, incident, index=["kind", "subject"], changing=[], index_where=incident.c.ended.is_(None)
        )
        self._connection.execute(statement, rows)
        found = select(incident.c.subject, incident.c.id).where(same, incident.c.ended.is_(None))
        return {row.subject: row.id for row in self._connection.execute(found)}

    def end(self, ids: Collection[int], now: datetime) -> int:
        """End incidents; return the number."""
        if not ids:
            return 0
        ending = update(incident).where(incident.c.id.in_(ids), incident.c.ended.is_(None)).values(ended=now)
        return self._connection.execute(ending).rowcount

    def end_about(self, kind: IncidentKind, subject: str, now: datetime) -> None:
        """End the open incident of a kind about a subject, if there is one."""
        running = and_(incident.c.kind == kind.value, incident.c.subject == subject, incident.c.ended.is_(None))
        self._connection.execute(update(incident).where(running).values(ended=now))

    def add_evidence(self, incident_id: int, evidence: Mapping[str, Any]) -> None:
        """Add facts to the evidence of an incident."""
        known = select(incident.c.evidence).where(incident.c.id == incident_id).with_for_update()
        merged = {**(self._connection.execute(known).scalar() or {}), **evidence}
        self._connection.execute(update(incident).where(incident.c.id == incident_id).values(evidence=merged))

    def mark_notified(self, ids: Collection[int], now: datetime) -> None:
        """Record that alerts were opened."""
        if ids:
            fresh = incident.c.id.in_(ids) & incident.c.notified.is_(None)
            self._connection.execute(update(incident).where(fresh).values(notified=now))

    def snooze(self, incident_id: int, until: datetime | None) -> bool:
        """Send no alert for an incident before a time; None ends that. Return whether the incident is open."""
        running = (incident.c.id == incident_id) & incident.c.ended.is_(None)
        return self._connection.execute(update(incident).where(running).values(snoozed_until=until)).rowcount > 0

    def mute(self, incident_id: int, *, muted: bool) -> None:
        """Send no alert for an incident, and for later ones of its kind and subject, or send them again."""
        self._connection.execute(update(incident).where(incident.c.id == incident_id).values(muted=muted))

    def forget(self, before: datetime) -> int:
        """Delete incidents that ended long ago, except muted ones, which mute later ones; return the number."""
        old = (incident.c.ended < before) & incident.c.muted.is_(False)
        return self._connection.execute(incident.delete().where(old)).rowcount


def _incident(row: Row[Any]) -> Incident:
    return Incident(
        row.id,
        IncidentKind(row.kind),
        row.subject,
        row.sentence,
        row.evidence,
        row.began,
        row.ended,
        row.notified,
        row.snoozed_until,
        row.muted,
    )
