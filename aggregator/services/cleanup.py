"""Delete records past their retention time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aggregator.config.settings import Settings
    from aggregator.domain.clock import Clock
    from storage.store import Store

LOG_KEPT = timedelta(days=30)
_SIGN_INS_KEPT = timedelta(days=1)
_COUNTS_BY_DAY = timedelta(days=90)
_INCIDENTS_KEPT = timedelta(days=365)


class Cleanup:
    """Deletes old log lines, idle hosts, ended alerts, old versions and similar records."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    def run(self) -> dict[str, int]:
        """Delete expired records; return the number of each kind."""
        now = self._clock()
        before = now - LOG_KEPT
        versions = self._delete_versions()
        with self._store.writing() as tx:  # with the lock of polls, which add to the same rows
            tx.monitoring.counts.merge((now - _COUNTS_BY_DAY).date().isoformat())
        with self._store.writing(lock_stream=False) as tx:
            return {
                "log lines": tx.polling.schedule.prune_log(before),
                "hosts": tx.polling.hosts.forget_idle(before),
                "bills": tx.billing.ledger.forget_billed(now),
                "checks": tx.compliance.forget_checked(before),
                "sign-ins": tx.access.accounts.forget(now, now - _SIGN_INS_KEPT),
                "refusals": tx.api.refusals.forget(before),
                "alerts": tx.monitoring.alerts.forget(before),
                "incidents": tx.monitoring.incidents.forget(now - _INCIDENTS_KEPT),
                "versions": versions,
            }

    def _delete_versions(self) -> int:
        """Delete old versions in slices, one transaction each; return the number."""
        total = 0
        while True:
            with self._store.writing(lock_stream=False) as tx:
                pruned = tx.stream.versions.prune(self._clock() - self._settings.versions_age)
            total += pruned
            if not pruned:
                return total
