"""Process a batch: poll, screen, store, reschedule. Each source has its own transaction."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.errors import (
    StoreUnavailableError,
    UnreadableError,
)
from aggregator.domain.polling.pushes import SLOWED
from aggregator.domain.polling.results import Failure, FetchResult, PollRecord, PollStatus
from aggregator.domain.source import SourceState
from aggregator.services.poll_records import MOST_UNFINISHED, failure_record, lost_worker, success_record
from aggregator.services.poll_report import Report
from aggregator.services.screen_entries import screened_all, screening_terms
from aggregator.services.store_result import store_result
from aggregator.source_api.push import AnnouncedPostSource
from aggregator.system import tracing
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.polling.schedule import PollBudget
    from aggregator.domain.source import Source
    from aggregator.domain.tagging.tagger import Tagger
    from aggregator.source_api.kind import PollContext, SourceKind
    from storage.store import Store

PUSHED_INTERVAL = timedelta(hours=1)  # between polls of a source whose new items are pushed

_FLUSH_AT = 50  # unchanged sources per shared transaction
_FLUSH_AFTER = 1.0  # seconds that the first of them waits for others
_CLOSE_WITHIN = 60.0  # seconds to wait for a database that failed during the batch
_CLOSE_AGAIN = 0.5  # seconds between attempts

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PollTerms:
    """What the sources of a batch have in common."""

    token: str  # of their leases
    paces: Mapping[str, PollBudget]  # by kind
    pushed: frozenset[str] = frozenset()  # kinds of source whose new items are pushed at present
    in_outage: frozenset[str] = frozenset()  # host groups that have an outage


class Ingest:
    """A batch of sources under one lease token."""

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, SourceKind],
        context: PollContext,
        terms: PollTerms,
        tagger: Tagger | None = None,
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._context = context
        self._token, self._paces, self._pushed = terms.token, terms.paces, terms.pushed
        self._in_outage = terms.in_outage
        self._tagger = tagger
        self._quiet: list[PollRecord] = []  # to be written together
        self._quiet_since = 0.0
        self._failed_to_store: list[int] = []
        # Concurrent writers gain nothing: they compete for the interpreter, and SQLite has one writer.
        self._writing = asyncio.Lock()
        self.reports: list[Report] = []

    async def run(self, batch: Sequence[Source]) -> list[Report]:
        """Poll the batch and store the results; sources that could not start in time are released and stay due.

        Raises:
            StoreUnavailableError: the database failed; unstored sources are polled again after their lease.
        """
        left = {source.id: source for source in batch}
        try:
            for source in [source for source in batch if source.poll.unfinished > MOST_UNFINISHED]:
                await self._conclude(left.pop(source.id), Failure(lost_worker(source)))
            batch = list(left.values())
            for name in sorted({source.kind for source in batch}):
                await self._run_kind(name, [source for source in batch if source.kind == name], left)
        finally:
            await asyncio.shield(self._close(left.keys()))
        return self.reports

    async def _run_kind(self, name: str, sources: Sequence[Source], left: dict[int, Source]) -> None:
        try:
            async for polled in self._kinds[name].poll(sources, self._context):
                await self._conclude_alone(left.pop(polled.source_id), polled.outcome)
        except StoreUnavailableError:
            raise
        except Exception as problem:
            log.exception("plugin failed", kind=name)
            # Record failures, which back off. A released source would fail again at every tick.
            for source in [source for source in sources if source.id in left]:
                broken = UnreadableError(f"Polling {name} sources failed ({type(problem).__name__}); see the log.")
                await self._conclude(left.pop(source.id), Failure(broken))

    async def _conclude_alone(self, source: Source, outcome: FetchResult | Failure) -> None:
        try:
            await self._conclude(source, outcome)
        except StoreUnavailableError:
            raise
        except Exception as problem:
            log.exception("source not stored", source=source.slug)
            unstored = UnreadableError(f"The result can't be stored ({type(problem).__name__}); see the log.")
            await self._conclude(source, Failure(unstored))

    async def _conclude(self, source: Source, outcome: FetchResult | Failure) -> None:
        """Store the outcome of a poll; the batch releases what could not be stored.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """
        try:
            await self._store_outcome(source, outcome, self._context.clock())
        except StoreUnavailableError:
            self._failed_to_store.append(source.id)
            raise

    async def _store_outcome(self, source: Source, outcome: FetchResult | Failure, now: datetime) -> None:
        if isinstance(outcome, Failure):
            log.warning("source failed", source=source.slug, code=outcome.error.code, reason=str(outcome.error))
            in_outage = source.host in self._in_outage
            if outcome.error.permanent and not in_outage:
                await in_database_thread(self._stop, source, outcome, now)
            else:
                record = failure_record(source, outcome, now, self._token, in_outage=in_outage)
                await self._later(record, source)
        elif outcome.unchanged and not (outcome.gone or outcome.account_gone or outcome.moved_to):
            pace = self._paces.get(source.kind)
            record = success_record(source, self._slowed(source, outcome), now, self._token, pace)
            await self._later(record, source)
        else:
            with tracing.span("store result", source=source.slug, kind=source.kind):
                async with self._writing:
                    await in_database_thread(self._store_result, source, self._slowed(source, outcome), now)

    def _slowed(self, source: Source, result: FetchResult) -> FetchResult:
        """Return a result that delays the next poll of a source whose new items are pushed."""
        if source.kind not in self._pushed or source.every is not None or "user_id" not in source.options:
            return result
        if result.hints.at_least >= PUSHED_INTERVAL:
            return result
        hints = replace(result.hints, at_least=PUSHED_INTERVAL, why=SLOWED)
        return replace(result, hints=hints)

    def _store_result(self, source: Source, result: FetchResult, now: datetime) -> None:
        """Store activities, removed keys and fetch state together, or nothing if the lease was lost."""
        screening = screened_all(source, result, now, self._tagger)
        pace = self._paces.get(source.kind)
        with self._store.writing() as tx:
            record = None
            current = tx.polling.schedule.lock_leased(source.id, self._token)
            if current is not None:
                if screening_terms(current) != screening_terms(source):  # edited by a person during the poll
                    screening = screened_all(current, result, now, self._tagger)
                record = store_result(
                    tx,
                    current,
                    result,
                    screening,
                    now=now,
                    token=self._token,
                    pace=pace,
                    edits_always_show=self._kinds[source.kind].edits_always_show,
                    may_backdate=self._kinds[source.kind].may_backdate,
                    may_be_pushed=isinstance(self._kinds[source.kind], AnnouncedPostSource),
                )
        if record is None:
            log.warning("lease lost, nothing stored", source=source.slug)
            self.reports.append(Report(source.slug, PollStatus.FAILED, error="another worker has taken it over"))
            return
        log.info("source polled", source=source.slug, new=record.new, changed=record.changed)
        self._report(source, record)

    def _stop(self, source: Source, failure: Failure, now: datetime) -> None:
        record = failure_record(source, failure, now, self._token)
        with self._store.writing() as tx:
            if tx.polling.schedule.settle([record]):
                tx.polling.sources.set_state(source.id, SourceState.STOPPED, str(failure.error), now)
        self._report(source, record)

    async def _later(self, record: PollRecord, source: Source) -> None:
        """Queue a record for the next shared transaction."""
        if not self._quiet:
            self._quiet_since = time.monotonic()
        self._quiet.append(record)
        self._report(source, record)
        if len(self._quiet) >= _FLUSH_AT or time.monotonic() - self._quiet_since > _FLUSH_AFTER:
            await in_database_thread(self._settle, self._quiet)
            self._quiet = []

    def _settle(self, records: Sequence[PollRecord]) -> None:
        """Settle records together; if that fails, settle each alone, so that a bad record affects no other."""
        try:
            with self._store.writing() as tx:
                tx.polling.schedule.settle(records)
        except StoreUnavailableError:
            raise
        except Exception:
            if len(records) == 1:
                log.exception("poll not settled; its lease will expire", source_id=records[0].source_id)
                return
            for record in records:
                self._settle([record])

    async def _close(self, left: Collection[int]) -> None:
        """Settle queued records and release the rest, waiting for a while if the database is down.

        Without it, every source of the batch would stay leased, and unpolled, for minutes after an outage.
        """
        deadline = time.monotonic() + _CLOSE_WITHIN
        while True:
            try:
                await in_database_thread(self._settle_and_release, left)
            except StoreUnavailableError:
                if time.monotonic() >= deadline:
                    raise
                await asyncio.sleep(_CLOSE_AGAIN)
            else:
                return

    def _settle_and_release(self, left: Collection[int]) -> None:
        if self._quiet:
            self._settle(self._quiet)
            self._quiet = []
        if left or self._failed_to_store:
            with self._store.writing() as tx:
                tx.polling.schedule.release([*left, *self._failed_to_store], self._token, begun=True)

    def _report(self, source: Source, record: PollRecord) -> None:
        failed = record.error_code is not None
        self.reports.append(
            Report(
                source.slug,
                record.outcome,
                record.new,
                record.changed,
                record.unchanged,
                record.message if failed else None,
            )
        )
