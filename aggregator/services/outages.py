"""Begin, probe and end outages of host groups, as a part of each tick of the scheduler."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.monitoring.incidents import Finding, IncidentKind
from aggregator.domain.monitoring.outages import SETTLED, next_probe, recognize, sentence_of, worst

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.monitoring.outages import Outage
    from storage.store import Transaction

_EXAMINED = timedelta(seconds=30)  # between two searches for new outages

log = structlog.get_logger(__name__)


def attend_outages(tx: Transaction, last_tick: datetime | None, now: datetime) -> None:
    """Recognize new outages, and probe or release the host groups of known ones."""
    known = tx.polling.outages.all()
    if known:
        _follow(tx, known, now)
    if last_tick is None or last_tick.timestamp() // _EXAMINED.seconds != now.timestamp() // _EXAMINED.seconds:
        _begin(tx, {outage.host: outage for outage in tx.polling.outages.all()}, now)


def _begin(tx: Transaction, known: dict[str, Outage], now: datetime) -> None:
    failed = worst(tx.polling.outages.failed_alike(now))
    polled = tx.polling.outages.polled(failed, now)
    for host, polls in failed.items():
        evidence = recognize(polls, polled[host]) if host in polled else None
        if evidence is None:
            continue
        evidence = {**evidence, "sources": tx.polling.outages.sources(host)}
        finding = Finding(IncidentKind.OUTAGE, f"host:{host}", sentence_of(host, polls.words, evidence), evidence)
        incident_id = tx.monitoring.incidents.begin([finding], now)[finding.subject]
        probes = known[host].probes if host in known else 0
        tx.polling.outages.hold(host, incident_id, now, next_probe(now, probes))
        log.warning("outage began", host=host, failing=evidence["failing"], sources=evidence["sources"])


def _follow(tx: Transaction, known: Sequence[Outage], now: datetime) -> None:
    answering = frozenset(tx.polling.outages.answering())
    for outage in known:
        if outage.host in answering:
            released = tx.polling.outages.release(outage.host, now)
            log.info("host answers again", host=outage.host, sources=released, probes=outage.probes)
        elif outage.released is None and outage.next_probe <= now:
            tx.polling.outages.probe(outage.host, now, next_probe(now, outage.probes + 1))
    ended = [outage for outage in known if outage.released is not None and outage.released + SETTLED <= now]
    for outage in ended:
        tx.monitoring.incidents.add_evidence(outage.incident_id, {"probes": outage.probes})
    tx.monitoring.incidents.end([outage.incident_id for outage in ended], now)
    tx.polling.outages.forget([outage.host for outage in ended])
