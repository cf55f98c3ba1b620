"""Delete records that are kept for a time only."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aggregator.config.settings import Settings
    from aggregator.domain.polling.rate_limit import Clock
    from storage.store import Store

LOG_KEPT = timedelta(days=30)
_SIGN_INS_KEPT = timedelta(days=1)


class Cleanup:
    """Deletes old log lines, idle hosts, ended alerts, old versions and the like."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    def run(self) -> dict[str, int]:
        """Delete what is too old; return how much of each."""
        now = self._clock()
        before = now - LOG_KEPT
        versions = self._delete_versions()
        with self._store.writing(lock_stream=False) as tx:
            return {
                "log lines": tx.polling.schedule.prune_log(before),
                "hosts": tx.polling.hosts.forget_idle(before),
                "bills": tx.billing.ledger.forget_billed(now),
                "checks": tx.compliance.forget_checked(before),
                "sign-ins": tx.access.accounts.forget(now, now - _SIGN_INS_KEPT),
                "alerts": tx.monitoring.alerts.forget(before),
                "versions": versions,
            }

    def _delete_versions(self) -> int:
        """Delete old versions, a slice for each transaction; return how many."""
        total = 0
        while True:
            with self._store.writing(lock_stream=False) as tx:
                pruned = tx.stream.versions.prune(self._clock() - self._settings.versions_age)
            total += pruned
            if not pruned:
                return total
