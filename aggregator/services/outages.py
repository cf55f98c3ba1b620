"""Begin, probe and end outages of host groups, as a part of each tick of the scheduler."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.monitoring.incidents import Finding, IncidentKind
from aggregator.domain.monitoring.outages import SETTLED, next_probe, recognize, sentence_of, worst

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from aggregator.domain.monitoring.outages import Outage
    from storage.polling.outages import Outages
    from storage.store import Transaction

_EXAMINED = timedelta(seconds=30)  # between two searches for new outages

log = structlog.get_logger(__name__)


def attend_outages(
    tx: Transaction, last_tick: datetime | None, now: datetime, with_fallback: Collection[str] = ()
) -> None:
    """Recognize new outages, and probe or release the host groups of known ones.

    Args:
        tx: with the lock of the stream.
        last_tick: the time of the last call; None: unknown.
        now: the time of this one.
        with_fallback: kinds of source that are read from another host meanwhile, so that their successes show nothing.
    """
    outages = tx.polling.outages.ignoring(with_fallback)
    known = outages.all()
    if known:
        _follow(tx, outages, known, now)
    if last_tick is None or last_tick.timestamp() // _EXAMINED.seconds != now.timestamp() // _EXAMINED.seconds:
        _begin(tx, outages, {outage.host: outage for outage in outages.all()}, now)


def _begin(tx: Transaction, outages: Outages, known: dict[str, Outage], now: datetime) -> None:
    failed = worst(outages.failed_alike(now))
    polled = outages.polled(failed, now)
    for host, polls in failed.items():
        evidence = recognize(polls, polled[host]) if host in polled else None
        if evidence is None:
            continue
        evidence = {**evidence, "sources": outages.sources(host)}
        finding = Finding(IncidentKind.OUTAGE, f"host:{host}", sentence_of(host, polls.words, evidence), evidence)
        incident_id = tx.monitoring.incidents.begin([finding], now)[finding.subject]
        probes = known[host].probes if host in known else 0
        outages.hold(host, incident_id, now, next_probe(now, probes))
        log.warning("outage began", host=host, failing=evidence["failing"], sources=evidence["sources"])


def _follow(tx: Transaction, outages: Outages, known: Sequence[Outage], now: datetime) -> None:
    answering = frozenset(outages.answering())
    for outage in known:
        if outage.host in answering:
            released = outages.release(outage.host, now)
            log.info("host answers again", host=outage.host, sources=released, probes=outage.probes)
        elif outage.released is None and outage.next_probe <= now:
            outages.probe(outage.host, now, next_probe(now, outage.probes + 1))
    ended = [outage for outage in known if outage.released is not None and outage.released + SETTLED <= now]
    for outage in ended:
        tx.monitoring.incidents.add_evidence(outage.incident_id, {"probes": outage.probes})
    tx.monitoring.incidents.end([outage.incident_id for outage in ended], now)
    outages.forget([outage.host for outage in ended])
