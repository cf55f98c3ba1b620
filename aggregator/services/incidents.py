"""Begin and end incidents of sources, as a part of each round of alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.monitoring import silence
from aggregator.domain.monitoring.alerts import Condition
from aggregator.domain.monitoring.incidents import PAGE, Finding, IncidentKind
from aggregator.domain.monitoring.watching import history_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aggregator.domain.monitoring.incidents import Incident
    from aggregator.domain.monitoring.watching import Watch
    from aggregator.domain.source import Source
    from storage.store import Transaction

_BRIEF = timedelta(minutes=30)  # no alert for a document that is right again by then

log = structlog.get_logger(__name__)


def report_wrongness(tx: Transaction, source: Source, watch: Watch, now: datetime) -> None:
    """Begin or end the incident of a source whose document seems wrong; usually neither, which needs no query."""
    subject = f"source:{source.slug}"
    if watch.began is not None:
        sentence = f"{source.name} answers, but {watch.began.sentence}"
        tx.monitoring.incidents.begin([Finding(IncidentKind.WRONG, subject, sentence, {"sign": watch.began.code})], now)
        log.warning("incident began", kind="wrong", subject=subject, sentence=sentence)
    elif watch.ended:
        tx.monitoring.incidents.end_about(IncidentKind.WRONG, subject, now)


def attend_incidents(tx: Transaction, now: datetime) -> None:
    """Begin and end the incidents of sources that went silent, or that answer with a page instead of a feed."""
    findings = [*_silences(tx, now), *_pages(tx)]
    tx.monitoring.incidents.begin(findings, now)
    over = [*tx.monitoring.silences.ended(now), *tx.monitoring.wrong_sources.ended()]
    ended = tx.monitoring.incidents.end(over, now)
    for finding in findings:
        log.warning("incident began", kind=finding.kind.value, subject=finding.subject, sentence=finding.sentence)
    if ended:
        log.info("incidents ended", count=ended)


def incident_conditions(tx: Transaction, now: datetime) -> Iterator[Condition]:
    """Yield the open incidents that are neither snoozed nor muted."""
    for incident in _alerted(tx, now):
        yield Condition(incident.kind.value, incident.subject, incident.sentence)


def note_alerts(tx: Transaction, now: datetime) -> None:
    """Note that the alerts of these incidents were opened."""
    new = [incident.id for incident in _alerted(tx, now) if incident.notified is None]
    tx.monitoring.incidents.mark_notified(new, now)


def _alerted(tx: Transaction, now: datetime) -> list[Incident]:
    return [
        incident
        for incident in tx.monitoring.incidents.open()
        if incident.alerts(now) and not (incident.kind is IncidentKind.WRONG and now - incident.began < _BRIEF)
    ]


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


def _pages(tx: Transaction) -> Iterator[Finding]:
    """Yield the sources that had a feed, and repeatedly answered with a web page instead: to sign in, or to sell it."""
    for source in tx.monitoring.wrong_sources.pages():
        sentence = f"{source.name} answers with a page instead of its feed: {source.last_error}"
        evidence = {"sign": PAGE, "failures": source.failures}
        yield Finding(IncidentKind.WRONG, f"source:{source.slug}", sentence, evidence)


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 1)
