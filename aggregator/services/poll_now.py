"""Poll sources now, in this process if it may poll, else through the workers, and wait for the results."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aggregator.config.process_lock import writer_lock
from aggregator.domain.errors import WriterRunningError
from aggregator.domain.polling.results import PollStatus
from aggregator.services.dispatch import BATCH
from aggregator.services.poll_report import Report
from aggregator.services.rate_limiter import left_alone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aggregator.config.settings import Settings
    from aggregator.domain.clock import Clock
    from aggregator.domain.source import Source
    from storage.store import Store, Transaction

_CHECK_INTERVAL = 0.3  # seconds between checks for the end of requested polls
_RETRY_INTERVAL = 2.0  # seconds between attempts to poll here, in case the polling process has ended


@dataclass(frozen=True, slots=True)
class PollNow:
    """Polls sources now, in this process or through the workers.

    Args:
        store: the database.
        settings: of this process.
        clock: returns the present time.
        poll: polls the sources with these ids in this process, except those leased by others.
    """

    store: Store
    settings: Settings
    clock: Clock
    poll: Callable[[Sequence[int]], Sequence[Report]]

    def run(self, sources: Sequence[Source], report: Callable[[Report], None]) -> None:
        """Poll sources and report each as it ends.

        A source that no worker starts within a lease is reported as failed.
        """
        left = self._poll_if_allowed(sources, report)
        if left:
            self._request_and_wait(left, report)

    def _poll_if_allowed(self, sources: Sequence[Source], report: Callable[[Report], None]) -> list[Source]:
        """Poll unleased sources in this process, if it may poll; return the others."""
        try:
            with writer_lock(self.settings):
                return self._poll_here(sources, report)
        except WriterRunningError:
            return list(sources)

    def _poll_here(self, sources: Sequence[Source], report: Callable[[Report], None]) -> list[Source]:
        """Poll unleased sources; return the others."""
        waiting, leased = list(sources), []
        while waiting:
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            reports = {result.slug: result for result in self.poll([source.id for source in batch])}
            for result in reports.values():
                report(result)
            missed = [source for source in batch if source.slug not in reports]
            if reports:
                waiting += missed  # no time was left to start them
            else:
                leased += missed  # another worker has them
        return leased

    def _request_and_wait(self, sources: Sequence[Source], report: Callable[[Report], None]) -> None:
        by_id = {source.id: source for source in sources}
        with self.store.writing() as tx:
            before = {source.id: _newest(tx.polling.schedule.log(source.id, 1)) for source in sources}
            tx.polling.schedule.ask(by_id.keys(), self.clock())
        deadline = time.monotonic() + self.settings.lease.total_seconds()
        tried = time.monotonic()
        while by_id and time.monotonic() < deadline:
            time.sleep(_CHECK_INTERVAL)
            with self.store.reading() as tx:
                ended = self._ended(tx, by_id, before)
            for id_, result in ended.items():
                del by_id[id_]
                report(result)
            if by_id and time.monotonic() - tried > _RETRY_INTERVAL:
                by_id = {source.id: source for source in self._poll_if_allowed(list(by_id.values()), report)}
                tried = time.monotonic()
        for source in by_id.values():
            report(Report(source.slug, PollStatus.FAILED, error="no worker polled it; is one running?"))

    def _ended(
        self, tx: Transaction, waiting: Mapping[int, Source], before: Mapping[int, int | None]
    ) -> dict[int, Report]:
        """Return the results of sources that were polled meanwhile, or won't be polled soon."""
        now = self.clock()
        paused = {pause.host: pause for pause in tx.polling.hosts.paused(now)}
        requested = tx.polling.schedule.still_asked(waiting.keys())
        ended: dict[int, Report] = {}
        for id_, source in waiting.items():
            if id_ not in requested:
                ended[id_] = _report(source, tx.polling.schedule.log(id_, 1), before[id_])
            elif host := paused.get(source.host):  # no tick polls it before the pause ends
                error = str(left_alone(host.host, host.until, host.reason, now))
                ended[id_] = Report(source.slug, PollStatus.FAILED, error=error)
        return ended


def _report(source: Source, newest: Sequence[Mapping[str, Any]], before: int | None) -> Report:
    if _newest(newest) in {None, before}:
        return Report(source.slug, PollStatus.FAILED, error="it was paused or removed")
    line = newest[0]
    error = line["message"] if line["error_code"] is not None else None
    return Report(source.slug, PollStatus(line["outcome"]), line["new"], line["changed"], line["unchanged"], error)


def _newest(lines: Sequence[Mapping[str, Any]]) -> int | None:
    return next((line["id"] for line in lines), None)
