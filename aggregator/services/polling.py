"""Poll sources: a worker's batch, or given sources now."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from aggregator.domain.polling.pushes import stream_names
from aggregator.domain.polling.schedule import PollBudget
from aggregator.services.api_refusals import follow_settings
from aggregator.services.ingest import Ingest, PollTerms
from aggregator.services.profiles import refresh_profiles
from aggregator.services.push_state import push_sources
from aggregator.services.read_again import read_again
from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aggregator.domain.source import Source
    from aggregator.services.poll_report import Report
    from aggregator.services.runtime import Runtime
    from storage.store import Transaction


class Polling:
    """Polls sources under leases and stores the results."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def poll(self, ids: Sequence[int], token: str) -> list[Report]:
        """Poll those of these sources that are still leased under this token."""
        runtime = self._runtime
        with runtime.store.writing() as tx:
            batch = tx.polling.schedule.renew(ids, token, runtime.clock() + runtime.settings.lease)
            pushed = self._pushed(tx, {source.kind for source in batch})
            terms = PollTerms(token, self._paces(tx), pushed, tx.polling.outages.held_hosts())
        if not batch:
            return []
        if any(kinds()[source.kind].reads_again for source in batch):
            read_again(runtime.store, kinds(), runtime.clock(), runtime.configuration.tagger)
        return runtime.run(self._ingest(batch, terms, time.monotonic() + runtime.limits.begin))

    def poll_now(self, ids: Sequence[int]) -> list[Report]:
        """Poll sources now, due or not, except those leased elsewhere; refresh the profiles of new authors."""
        runtime, token = self._runtime, uuid4().hex
        runtime.run(self._follow_settings())
        with runtime.store.writing() as tx:
            claimed = tx.polling.schedule.claim_these(ids, runtime.clock(), lease=runtime.settings.lease, token=token)
        reports = self.poll([source.id for source in claimed], token)
        if any(report.new or report.changed for report in reports):
            runtime.run(refresh_profiles(runtime))
        return reports

    async def _follow_settings(self) -> None:
        context = await self._runtime.context()
        for kind in kinds().values():
            await follow_settings(self._runtime.store, kind, context)

    def _paces(self, tx: Transaction) -> dict[str, PollBudget]:
        """Return the pace of each kind of source."""
        each = self._runtime.settings.polls_per_hour / timedelta(hours=1).total_seconds()
        known = kinds()
        return {
            name: PollBudget(measured.level, each * known[name].eagerness * measured.sources)
            for name, measured in tx.polling.paces.all().items()
            if name in known
        }

    def _pushed(self, tx: Transaction, names: Collection[str]) -> frozenset[str]:
        """Return those of these kinds of source whose new items are pushed at present."""
        now = self._runtime.clock()
        pushing = [kind for kind in push_sources() if kind.name in names]
        ends = {kind.name: tx.compliance.claimed_until(stream_names(kind.network).claim) for kind in pushing}
        return frozenset(name for name, end in ends.items() if end is not None and end > now)

    async def _ingest(self, batch: Sequence[Source], terms: PollTerms, deadline: float) -> list[Report]:
        runtime = self._runtime
        context, tagger = await runtime.context(deadline), runtime.configuration.tagger
        return await Ingest(runtime.store, kinds(), context, terms, tagger).run(batch)
