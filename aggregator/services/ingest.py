"""The flow for a batch: poll, screen, store, reschedule. Each source alone, in one transaction."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.domain.activity import (
    WITHHELD_EVERYWHERE,
    Review,
    ScreenedActivity,
    Upstream,
    storable,
    storable_json,
)
from aggregator.domain.errors import (
    BudgetError,
    PausedError,
    StoreUnavailableError,
    UnreadableError,
    WorkerLostError,
)
from aggregator.domain.matching import entry_matching
from aggregator.domain.matching.edit_decisions import EditPolicy
from aggregator.domain.matching.fingerprint import fingerprint
from aggregator.domain.matching.stories import story_of
from aggregator.domain.moderation.conditions import facts_of
from aggregator.domain.moderation.freezes import frozen_until
from aggregator.domain.moderation.rules import Rulebook
from aggregator.domain.moderation.screening import under_freeze, under_policy, under_rules
from aggregator.domain.polling import permanent_redirects, schedule
from aggregator.domain.polling.backfill_detection import quarantined
from aggregator.domain.polling.results import Failure, FetchFacts, FetchResult, PollRecord
from aggregator.domain.search_text import search_text
from aggregator.domain.source import Policy, SourceState
from aggregator.domain.tagging.tagger import NO_TAGS
from aggregator.fetching.request_target import display_url
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.polling.schedule import PollBudget
    from aggregator.domain.source import Source
    from aggregator.domain.tagging.tagger import Tagger
    from aggregator.source_api.kind import PollContext, SourceKind
    from storage.store import Store, Transaction
    from storage.stream.activities import Stored

_OLDEST_TRUE_DATE = datetime(1971, 1, 1, tzinfo=UTC)  # feeds write the epoch where they mean "unknown"
MOST_UNFINISHED = 3  # polls in a row that began and never ended; then the source fails without being polled
_FLUSH_AT = 50  # unchanged sources that share a transaction
_FLUSH_AFTER = 1.0  # seconds that the first of them waits for others
_CLOSE_WITHIN = 60.0  # seconds to wait for a database that went away during the batch
_CLOSE_AGAIN = 0.5  # seconds between two tries

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """How polling one source ended, for whoever asked."""

    slug: str
    outcome: str  # "new", "changed", "unchanged" or "failed"
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    error: str | None = None


class Ingest:
    """One batch of sources, held under one lease token."""

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, SourceKind],
        context: PollContext,
        *,
        token: str,
        paces: Mapping[str, PollBudget],
        tagger: Tagger | None = None,
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._context = context
        self._token = token
        self._paces = paces  # by kind
        self._tagger = tagger
        self._quiet: list[PollRecord] = []  # to be written together
        self._quiet_since = 0.0
        self._failed_to_store: list[int] = []
        self._writing = asyncio.Lock()  # threads that fight for the interpreter only cost, and SQLite has one writer
        self.reports: list[Report] = []

    async def run(self, batch: Sequence[Source]) -> list[Report]:
        """Poll the batch and store what it brings; sources not begun in time are given back, still due.

        Raises:
            StoreUnavailableError: the database went away; what was not stored is polled again after the lease.
        """
        left = {source.id: source for source in batch}
        try:
            for source in [source for source in batch if source.poll.unfinished > MOST_UNFINISHED]:
                await self._conclude(left.pop(source.id), Failure(_lost(source)))
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
            log.exception("kind of source broke", kind=name)
            # As failures, so that they wait longer and longer; given back, they would break it at every tick.
            for source in [source for source in sources if source.id in left]:
                broken = UnreadableError(f"Polling {name} sources broke ({type(problem).__name__}); the log has more.")
                await self._conclude(left.pop(source.id), Failure(broken))

    async def _conclude_alone(self, source: Source, outcome: FetchResult | Failure) -> None:
        try:
            await self._conclude(source, outcome)
        except StoreUnavailableError:
            raise
        except Exception as problem:
            log.exception("source not stored", source=source.slug)
            unstored = UnreadableError(f"What it brought can't be stored ({type(problem).__name__}); the log has more.")
            await self._conclude(source, Failure(unstored))

    async def _conclude(self, source: Source, outcome: FetchResult | Failure) -> None:
        """Store the outcome of a poll; the batch releases what the database did not take.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        try:
            await self._store_outcome(source, outcome, self._context.clock())
        except StoreUnavailableError:
            self._failed_to_store.append(source.id)
            raise

    async def _store_outcome(self, source: Source, outcome: FetchResult | Failure, now: datetime) -> None:
        if isinstance(outcome, Failure):
            log.warning("source failed", source=source.slug, code=outcome.error.code, reason=str(outcome.error))
            if outcome.error.permanent:
                await in_database_thread(self._stop, source, outcome, now)
            else:
                await self._later(_failed(source, outcome, now, self._token), source)
        elif outcome.unchanged and not outcome.gone and outcome.moved_to is None:
            pace = self._paces.get(source.kind)
            await self._later(_harvested(source, outcome, now, self._token, pace), source)
        else:
            async with self._writing:
                await in_database_thread(self._store_harvest, source, outcome, now)

    def _store_harvest(self, source: Source, harvest: FetchResult, now: datetime) -> None:
        """Store activities, gone keys and fetch state together, or nothing where the lease was lost."""
        screening = screened_all(source, harvest, now, self._tagger)
        pace = self._paces.get(source.kind)
        with self._store.writing() as tx:
            settlement = None
            current = tx.polling.schedule.lock_leased(source.id, self._token)
            if current is not None:
                if _screening_terms(current) != _screening_terms(source):  # changed by a person during the poll
                    screening = screened_all(current, harvest, now, self._tagger)
                settlement = store_harvest(
                    tx,
                    current,
                    harvest,
                    screening,
                    now=now,
                    token=self._token,
                    pace=pace,
                    edits_always_show=self._kinds[source.kind].edits_always_show,
                )
        if settlement is None:
            log.warning("lease lost, nothing stored", source=source.slug)
            self.reports.append(Report(source.slug, "failed", error="another worker took it over meanwhile"))
            return
        log.info("source polled", source=source.slug, new=settlement.new, changed=settlement.changed)
        self._report(source, settlement)

    def _stop(self, source: Source, failure: Failure, now: datetime) -> None:
        settlement = _failed(source, failure, now, self._token)
        with self._store.writing() as tx:
            if tx.polling.schedule.settle([settlement]):
                tx.polling.sources.set_state(source.id, SourceState.STOPPED, str(failure.error), now)
        self._report(source, settlement)

    async def _later(self, settlement: PollRecord, source: Source) -> None:
        """Keep a settlement for the next shared transaction."""
        if not self._quiet:
            self._quiet_since = time.monotonic()
        self._quiet.append(settlement)
        self._report(source, settlement)
        if len(self._quiet) >= _FLUSH_AT or time.monotonic() - self._quiet_since > _FLUSH_AFTER:
            await in_database_thread(self._settle, self._quiet)
            self._quiet = []

    def _settle(self, settlements: Sequence[PollRecord]) -> None:
        """Settle together; where one of them can't be stored, each by itself, so that it costs no other one."""
        try:
            with self._store.writing() as tx:
                tx.polling.schedule.settle(settlements)
        except StoreUnavailableError:
            raise
        except Exception:
            if len(settlements) == 1:
                log.exception("poll not settled, its lease runs out", source_id=settlements[0].source_id)
                return
            for one in settlements:
                self._settle([one])

    async def _close(self, left: Collection[int]) -> None:
        """Settle what waits for that and give back the rest, also when the database comes back only after a while.

        Without it, every source of the batch would stay leased, and so not be polled, for minutes after an outage.
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

    def _report(self, source: Source, settlement: PollRecord) -> None:
        failed = settlement.error_code is not None
        self.reports.append(
            Report(
                source.slug,
                settlement.outcome,
                settlement.new,
                settlement.changed,
                settlement.unchanged,
                settlement.message if failed else None,
            )
        )


def store_harvest(
    tx: Transaction,
    source: Source,
    harvest: FetchResult,
    screening: Sequence[ScreenedActivity],
    *,
    now: datetime,
    token: str,
    pace: PollBudget | None,
    edits_always_show: bool = False,
) -> PollRecord:
    """Write a harvest and the source's new schedule within one transaction."""
    stored = tx.stream.activities.store(
        source.id,
        screening,
        now,
        present=harvest.present,
        recognising=source.poll.last_new is not None and source.options.get("identity", "layers") == "layers",
        judge=partial(_judged, tx, source, now, source.poll.last_success if source.poll.last_new else None),
        edit_policy=EditPolicy(source.on_edit, edits_always_show),
    )
    if stored.held:
        log.info("edits held for review", source=source.slug, count=stored.held)
    if harvest.gone:
        tx.stream.activities.withdraw(source.id, harvest.gone, "gone at the source", now)
    sighting, note = _moved(tx, source, harvest, stored, now)
    settlement = _harvested(source, harvest, now, token, pace, stored, sighting.moving, note)
    tx.polling.schedule.settle([settlement])
    return settlement


def store_archive(
    store: Store,
    source: Source,
    harvest: FetchResult,
    now: datetime,
    tagger: Tagger | None = None,
    *,
    edits_always_show: bool = False,
) -> Report:
    """Write a page of a source's archive: old on purpose, so no burst, and nothing of the schedule changes."""
    screening = screened_all(source, harvest, now, tagger)
    with store.writing() as tx:
        recognising = source.options.get("identity", "layers") == "layers"
        judge = partial(_judged, tx, source, now, None)
        edit_policy = EditPolicy(source.on_edit, edits_always_show)
        stored = tx.stream.activities.store(
            source.id, screening, now, recognising=recognising, judge=judge, edit_policy=edit_policy
        )
    return Report(source.slug, "new" if stored.new else "unchanged", stored.new, stored.changed, stored.unchanged)


def _judged(
    tx: Transaction, source: Source, now: datetime, last_look: datetime | None, fresh: Sequence[ScreenedActivity]
) -> list[ScreenedActivity]:
    """Apply to what is new all that people set up: rules, and freezes that last."""
    judged = quarantined(fresh, last_look)
    if not judged:
        return judged
    book = Rulebook(tx.moderation.rules.all(), now)
    if book:
        around = tx.moderation.rules.around(source, book, now)
        acted: Counter[int] = Counter()
        for place, one in enumerate(judged):
            facts = facts_of(one.new, one.search_text, source.slug, now)
            verdict = book.judge(facts, around)
            around.note(facts)
            acted.update(verdict.acted)
            judged[place] = under_rules(one, verdict, now)
        tx.moderation.rules.count(acted, now)
    freeze = frozen_until(tx.moderation.freezes.active(now), source.id, now)
    return [under_freeze(one, freeze) for one in judged]


def _moved(
    tx: Transaction, source: Source, harvest: FetchResult, stored: Stored, now: datetime
) -> tuple[permanent_redirects.Sighting, str | None]:
    """Take note of a permanent redirect, and follow it when it was seen often enough."""
    place = harvest.moved_to
    known = harvest.unchanged or bool(harvest.skipped or stored.unchanged or stored.changed)
    sighting = permanent_redirects.observe(
        source.poll.pending_redirect, place.address if place else None, now, overlapping=known
    )
    if place is None or not sighting.settled:
        return sighting, None
    if source.sealed is not None and place.host != source.own_host:
        return sighting, f"It moved to {place.address}, another host, which must not get its sign-in. See if it should."
    reason = f"redirected there for good, seen {permanent_redirects.SIGHTINGS} times"
    if not tx.polling.sources.move(source, place, reason, now, who="system"):
        return sighting, f"It moved to {place.address}, which another source has already; remove one of the two."
    return sighting, f"Moved to {place.address}; 'aggregator source revert {source.slug}' takes that back."


def _harvested(
    source: Source,
    harvest: FetchResult,
    now: datetime,
    token: str,
    pace: PollBudget | None,
    stored: Stored | None = None,
    moving: Mapping[str, Any] | None = None,
    note: str | None = None,
) -> PollRecord:
    held = stored.unchanged if stored else 0
    new, changed = (stored.new, stored.changed) if stored else (0, 0)
    notes = [harvest.note, note]
    if stored and stored.quarantined:
        notes.append(
            f"{stored.quarantined} old entries came at once and are kept apart; 'aggregator source release "
            f"{source.slug}' shows them, 'aggregator source drop {source.slug}' forgets them."
        )
    rhythm = schedule.observed(
        schedule.PublishingProfile.of(source.poll.publishing_profile, now), now, stored.times if stored else ()
    )
    speed = schedule.speed(rhythm, now)
    upcoming = schedule.after_success(
        now,
        _terms(source),
        speed=speed,
        pace=pace,
        wishes=harvest.wishes,
        not_before=harvest.not_before,
        look_again=harvest.look_again,
    )
    return PollRecord(
        source_id=source.id,
        token=token,
        facts=harvest.facts or FetchFacts(now, timedelta()),
        outcome="new" if new else "changed" if changed else "unchanged",
        due=upcoming.at,
        due_reason=upcoming.reason,
        failures=0,
        fetch_state=storable_json(harvest.state),
        now=now,
        interval=upcoming.interval,
        rhythm=rhythm.json(),
        speed=speed if source.every is None else None,
        appetite=harvest.appetite,
        moving=moving,
        new=new,
        changed=changed,
        unchanged=held + harvest.skipped,
        message=storable_json(" ".join(filter(None, notes)) or None),
    )


def _screening_terms(source: Source) -> tuple[object, ...]:
    """Return what `screened_all` reads of a source."""
    return source.policy, source.delay, source.trusted, source.options.get("identity"), source.slug


def _terms(source: Source) -> schedule.Terms:
    return schedule.Terms(source.id, source.every, source.floor, source.ceiling)


def _failed(source: Source, failure: Failure, now: datetime, token: str) -> PollRecord:
    error = failure.error
    failures, strain = source.poll.failures, source.poll.failure_weight
    if isinstance(error, PausedError | BudgetError):  # no failure of the source: it was not even asked
        upcoming = schedule.after_silence(now, _terms(source), usual=source.poll.interval, until=error.until)
    else:
        failures, strain = failures + 1, strain + error.strain
        upcoming = schedule.after_failure(
            now, _terms(source), usual=source.poll.interval, failures=failures, strain=strain, until=error.until
        )
    return PollRecord(
        source_id=source.id,
        token=token,
        facts=failure.facts or FetchFacts(now, timedelta(), status=error.status),
        outcome="failed",
        due=upcoming.at,
        due_reason=upcoming.reason,
        failures=failures,
        fetch_state=source.poll.fetch_state,
        now=now,
        interval=source.poll.interval,
        strain=strain,
        rhythm=source.poll.publishing_profile,
        speed=schedule.speed(schedule.PublishingProfile.of(source.poll.publishing_profile, now), now)
        if source.every is None
        else None,
        appetite=source.poll.daily_cost,
        moving=source.poll.pending_redirect,
        message=storable_json(str(error)),
        error_code=error.code,
        # After its pause it is polled alone again, and fails again if that does not end either.
        unfinished=MOST_UNFINISHED - 1 if isinstance(error, WorkerLostError) else 0,
    )


def _lost(source: Source) -> WorkerLostError:
    return WorkerLostError(
        f"The process that polled {display_url(source.address)} died {MOST_UNFINISHED} times in a row, "
        "the last times while "
        "it polled nothing else. It is polled again after a pause; see the logs of the workers."
    )


def screened_all(
    source: Source, harvest: FetchResult, now: datetime, tagger: Tagger | None = None
) -> list[ScreenedActivity]:
    """Screen everything of a harvest, by the source's policy and its word on what makes an entry the same."""
    by_link = source.options.get("identity") == "link"
    named = (_named_by_link(one) if by_link else one for one in harvest.activities)
    return [under_policy(screened(one, source.policy, now, tagger, source.slug), source, now) for one in named]


def _named_by_link(new: NewActivity) -> NewActivity:
    return replace(new, native_id=new.content.url or new.native_id)


def screened(
    new: NewActivity, policy: Policy, now: datetime, tagger: Tagger | None = None, source: str = ""
) -> ScreenedActivity:
    """Derive what storing needs and decide, by the source's policy, whether it is shown. Pure.

    Args:
        new: what the source said.
        policy: of the source.
        now: the present moment.
        tagger: tells topics and countries; none: there are none.
        source: the source's slug, for what all of it is about.
    """
    clean = storable(new)
    tags = tagger.tags(clean.content, clean.object, source) if tagger else NO_TAGS
    published = policy is Policy.AUTO
    keys = entry_matching.entry_keys(clean)
    return ScreenedActivity(
        new=clean,
        fingerprint=fingerprint(clean.content, clean.object),
        search_text=search_text(clean.content, clean.object),
        position=placed(clean.content.published, now),
        review=Review.PUBLISHED if published else Review.WAITING,
        review_by="policy",
        review_reason="the source publishes at once" if published else "the source holds everything for review",
        topics=tuple(tags.topics),
        countries=tuple(tags.countries),
        reasons={**tags.topics, **tags.countries},
        story=story_of(clean),
        stable_key=keys.stable_key,
        content_key=keys.content_key,
        upstream=Upstream.LIVE if WITHHELD_EVERYWHERE.isdisjoint(clean.content.withheld) else Upstream.WITHHELD,
    )


def placed(published: datetime | None, now: datetime) -> datetime:
    """Return an activity's place in the stream: when it was published, never in the future; now where unknown."""
    if published is None or published > now or published < _OLDEST_TRUE_DATE:
        return now
    return published
