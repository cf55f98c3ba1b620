"""Begin and end incidents of sources, as a part of each round of alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from aggregator.domain.monitoring import silence
from aggregator.domain.monitoring.alerts import Condition
from aggregator.domain.monitoring.incidents import Finding, IncidentKind
from aggregator.domain.monitoring.watching import history_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from storage.store import Transaction

log = structlog.get_logger(__name__)


def attend_incidents(tx: Transaction, now: datetime) -> None:
    """Begin and end the incidents of sources that went silent."""
    findings = [*_silences(tx, now)]
    tx.monitoring.incidents.begin(findings, now)
    ended = tx.monitoring.incidents.end(tx.monitoring.silences.ended(now), now)
    for finding in findings:
        log.warning("incident began", kind=finding.kind.value, subject=finding.subject, sentence=finding.sentence)
    if ended:
        log.info("incidents ended", count=ended)


def incident_conditions(tx: Transaction, now: datetime) -> Iterator[Condition]:
    """Yield the open incidents that are neither snoozed nor muted."""
    alerted = [incident for incident in tx.monitoring.incidents.open() if incident.alerts(now)]
    tx.monitoring.incidents.mark_notified([incident.id for incident in alerted if incident.notified is None], now)
    yield from (Condition(incident.kind.value, incident.subject, incident.sentence) for incident in alerted)


def _silences(tx: Transaction, now: datetime) -> Iterator[Finding]:
    for source in tx.monitoring.silences.begun(now):
        history = history_of(source.watch)
        if history is None:
            continue
        evidence = {
            "newest_item": history.newest.isoformat(),
            "silent_hours": _hours((now - history.newest).total_seconds()),
            "mean_gap_hours": _hours(silence.mean_gap(history).total_seconds()),
            "usual_gap_hours": _hours(silence.usual_gap(history).total_seconds()),
            "last_poll": source.last_success.isoformat(),
        }
        sentence = silence.sentence_of(source.name, history, now)
        yield Finding(IncidentKind.SILENCE, f"source:{source.slug}", sentence, evidence)


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 1)
