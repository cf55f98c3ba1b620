"""Delete records past their retention time, in short transactions beside everything else."""

from __future__ import annotations

import math
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.monitoring.counts import PRUNED, CountKey
from aggregator.domain.retention import Records, Retained, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aggregator.config.settings import Settings
    from aggregator.domain.clock import Clock
    from storage.store import Store, Transaction

_BATCH: Mapping[Records, int] = {Records.HIDDEN_ITEMS: 100, Records.STREAM: 100}  # they lock the stream
_USUAL_BATCH = 1000
_LOG_KEPT = timedelta(days=30)
_SIGN_INS_KEPT = timedelta(days=1)
_COUNTS_BY_DAY = timedelta(days=90)


def rules_of(settings: Settings) -> list[Rule]:
    """Return the retention rules."""
    return [
        Rule(Records.FETCH_LOG, "LOG_AGE", settings.log_age),
        Rule(Records.RAW_PAYLOADS, "RAW_AGE", settings.raw_age),
        Rule(Records.VERSIONS, "VERSIONS_AGE", settings.versions_age),
        Rule(Records.HIDDEN_ITEMS, "HIDDEN_AGE", settings.hidden_age),
        Rule(Records.STREAM, "STREAM_AGE", settings.stream_age),
    ]


def retained(tx: Transaction, settings: Settings, today: Mapping[CountKey, int]) -> list[Retained]:
    """Return the state of each rule; `today` has the counts of the day."""
    return [
        Retained(rule, tx.retention.oldest(rule.records), today.get(CountKey(PRUNED, rule.records), 0))
        for rule in rules_of(settings)
    ]


class Cleanup:
    """Deletes old records, such as log lines, raw entries, former versions, idle hosts and ended alerts."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    def run(self, seconds: float = math.inf) -> dict[str, int]:
        """Delete expired records for some seconds; return the number of each kind. The next run continues."""
        now, end = self._clock(), time.monotonic() + seconds
        rules = rules_of(self._settings)
        pruned: dict[str, int] = {}
        for place, rule in enumerate(rules):
            share = (end - time.monotonic()) / (len(rules) - place)  # so that none keeps the others from being applied
            pruned[rule.records] = self._prune(rule, now, time.monotonic() + share)
        others = self._delete_others(now)
        with self._store.writing() as tx:  # with the lock of polls, which add to the same rows
            tx.monitoring.counts.merge((now - _COUNTS_BY_DAY).date().isoformat())
            counts = Counter({CountKey(PRUNED, records): number for records, number in pruned.items() if number})
            tx.monitoring.counts.add(counts, now)
        return pruned | others

    def expired(self) -> list[tuple[Retained, int]]:
        """Return the state of each rule and the number of expired records, up to a limit; nothing is deleted."""
        now = self._clock()
        with self._store.reading() as tx:
            today = tx.monitoring.counts.totals(now.date().isoformat())
            states = retained(tx, self._settings, today)
            befores = [(state, state.rule.before(now)) for state in states]
            return [
                (state, 0 if before is None else tx.retention.count(state.rule.records, before))
                for state, before in befores
            ]

    def _prune(self, rule: Rule, now: datetime, end: float) -> int:
        """Delete in batches, one transaction each, and pause as long as each took."""
        before, total, most = rule.before(now), 0, _BATCH.get(rule.records, _USUAL_BATCH)
        while before is not None and (began := time.monotonic()) < end:
            with self._store.writing(lock_stream=rule.records in _BATCH) as tx:
                pruned = tx.retention.prune(rule.records, before, now, most)
            total += pruned
            if pruned < most:  # the rest, if any, is locked by others: for the next run
                break
            time.sleep(time.monotonic() - began)
        return total

    def _delete_others(self, now: datetime) -> dict[str, int]:
        """Delete records of small tables."""
        before, incidents = now - _LOG_KEPT, now - self._settings.incidents_age
        with self._store.writing(lock_stream=False) as tx:
            return {
                "hosts": tx.polling.hosts.forget_idle(before),
                "bills": tx.billing.ledger.forget_billed(now),
                "checks": tx.compliance.forget_checked(before),
                "sign-ins": tx.access.accounts.forget(now, now - _SIGN_INS_KEPT),
                "refusals": tx.api.refusals.forget(before),
                "alerts": tx.monitoring.alerts.forget(before),
                "incidents": tx.monitoring.incidents.forget(incidents),
            }
