"""Apply upstream removals, protections, withholdings and edits to stored posts.

Compliance jobs over lists of ids run first because they are free. Networks without jobs are checked by post lookup, the
newest posts first, within the budget's compliance reserve. The next sweep continues unfinished work: each step commits
on its own and is idempotent.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.domain.billing.metering import Purpose
from aggregator.domain.compliance.records import Job
from aggregator.domain.compliance.sweep_mode import Sweeping
from aggregator.domain.compliance.takedowns import Fate, IdType, JobStatus, Takedown
from aggregator.domain.errors import NotAllowedError, SourceError
from aggregator.services.takedowns import SYSTEM, removal_detail, withdraw_posts
from aggregator.services.upstream_updates import store_updates
from aggregator.source_api.takedowns import TakedownSource
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from aggregator.domain.compliance.records import Held
    from aggregator.domain.compliance.removal import Removal
    from aggregator.domain.tagging.tagger import Tagger
    from aggregator.services.runtime import Runtime
    from aggregator.source_api.kind import PollContext
    from storage.store import Store, Transaction

JOB_EVERY = timedelta(hours=6)
LOOK_AGAIN = timedelta(hours=24)

_CLAIMED = timedelta(minutes=15)  # by one sweep, which is then taken for dead
_JOB_TIMEOUT = timedelta(hours=1)  # for a job's results; they are normally ready at once
_LONGEST_JOB = timedelta(hours=24)
_MOST_LOOKED_UP = 2000  # posts looked up per sweep
_BATCH = 200  # takedowns per transaction

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class SweepReport:
    """The result of a sweep; `notes` are sentences for operators."""

    network: str
    stored: int = 0  # posts
    looked_up: int = 0  # posts that were looked up
    gone: int = 0  # posts and accounts
    activities: int = 0  # removed, or lost an embedded object
    updated: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Add a sentence, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def json(self) -> dict[str, Any]:
        """Return the report in the form that commands print."""
        return {
            "network": self.network,
            "held": self.stored,
            "asked": self.looked_up,
            "gone": self.gone,
            "activities": self.activities,
            "updated": self.updated,
            "notes": self.notes,
        }


async def sweep_all(runtime: Runtime) -> list[SweepReport]:
    """Sweep the stored posts of all networks that report removals; return the results by network."""
    context = await runtime.context(time.monotonic() + runtime.limits.begin)
    values, tagger = runtime.settings.kinds, runtime.configuration.tagger
    return [
        await ComplianceSweep(runtime.store, kind, context, kind.sweep_mode(values), tagger).run()
        for kind in kinds().values()
        if isinstance(kind, TakedownSource)
    ]


class ComplianceSweep:
    """A sweep over the stored posts of one network."""

    def __init__(
        self, store: Store, kind: TakedownSource, context: PollContext, how: Sweeping, tagger: Tagger | None = None
    ) -> None:
        self._store = store
        self._kind = kind
        self._context = context
        self._how = how
        self._tagger = tagger
        self.report = SweepReport(kind.network)

    async def run(self) -> SweepReport:
        """Run the sweep, unless another one is running."""
        if self._how is Sweeping.OFF:
            self.report.note("The sweep is disabled (AGGREGATOR_X_SWEEP=off).")
            return self.report
        now = self._context.clock()
        what, until = f"sweep:{self._kind.network}", now + _CLAIMED
        if not await self._write(lambda tx: tx.compliance.claim(what, now, until)):
            self.report.note("Another sweep is running.")
            return self.report
        try:
            self.report.stored = len(await self._read(lambda tx: tx.compliance.keys_held(self._kind.network)))
            if self.report.stored:
                await self._sweep()
            else:
                self.report.note(f"No posts of {self._kind.network} are stored.")
        finally:
            await asyncio.shield(self._write(lambda tx: tx.compliance.release(what, until)))
        done = self.report
        log.info("compliance sweep done", network=done.network, gone=done.gone, updated=done.updated, notes=done.notes)
        return done

    async def _sweep(self) -> None:
        refused = False
        if self._how is not Sweeping.LOOKUP:
            refused = await self._by_jobs()
        if self._how is Sweeping.JOBS:
            return
        try:
            await self._by_reason()
            if refused or self._how is Sweeping.LOOKUP:
                await self._by_lookup()
            else:
                await self._by_rota()
        except SourceError as problem:
            self.report.note(str(problem))

    # Jobs

    async def _by_jobs(self) -> bool:
        """Check running jobs and start those that are due; return whether the network refuses jobs."""
        for type_ in IdType:
            try:
                await self._job(type_)
            except SourceError as problem:
                self.report.note(str(problem))
                if isinstance(problem, NotAllowedError) or problem.status == HTTPStatus.NOT_FOUND:
                    return True
        return False

    async def _job(self, type_: IdType) -> None:
        last = await self._read(lambda tx: tx.compliance.last_job(self._kind.network, type_))
        if last is not None and last.ended is None:
            last = await self._process_job(last, type_)
            if last.ended is None:
                self.report.note(f"The job over {_described(last)} is not finished yet.")
                return
        is_fine = last is not None and last.status == JobStatus.COMPLETE
        if last is None or not is_fine or self._context.clock() - last.created >= JOB_EVERY:
            await self._begin(type_)

    async def _process_job(self, job: Job, type_: IdType) -> Job:
        """Process a job's status; a complete job ends after its takedowns are stored."""
        now = self._context.clock()
        seen = await self._kind.look_at_job(job.id, type_, self._context)
        status = seen.status
        waits = status is JobStatus.CREATED and now - job.created > _JOB_TIMEOUT
        if status in {JobStatus.CREATED, JobStatus.IN_PROGRESS} and (waits or now - job.created > _LONGEST_JOB):
            status = JobStatus.EXPIRED
        if status is JobStatus.COMPLETE:
            await self._apply(seen.verdicts, f"job {job.id}")
            self.report.note(f"The job over {_described(job)} is complete.")
        elif status in {JobStatus.FAILED, JobStatus.EXPIRED}:
            self.report.note(f"The job over {_described(job)} has {status.value}; a new one replaces it.")
        ended = None if status in {JobStatus.CREATED, JobStatus.IN_PROGRESS} else self._context.clock()
        await self._write(lambda tx: tx.compliance.move_job(job.id, status, ended))
        return job._replace(status=status, ended=ended)

    async def _begin(self, type_: IdType) -> None:
        network = self._kind.network
        if type_ is IdType.POSTS:
            keys = await self._read(lambda tx: tx.compliance.keys_held(network))
            ids = [key.partition(":")[2] for key in keys]
        else:
            ids = await self._read(lambda tx: tx.compliance.people_held(network))
        ids = [id_ for id_ in ids if id_.isascii() and id_.isdigit()]
        if not ids:
            return
        begun = await self._kind.begin_job(type_, self._context)
        job = Job(begun.id, type_, len(ids), self._context.clock(), JobStatus.CREATED, None)
        await self._write(lambda tx: tx.compliance.add_job(network, job))
        try:
            await self._kind.give_ids(begun, ids, self._context)
        except SourceError:
            ended = self._context.clock()
            await self._write(lambda tx: tx.compliance.move_job(job.id, JobStatus.FAILED, ended))
            raise
        self.report.note(f"A job over {_described(job)} was started.")

    # Lookup

    async def _by_reason(self) -> None:
        """Look up posts that could be edited when they were read, and originals that the network did not return."""
        network, now = self._kind.network, self._context.clock()
        left = await self._read(lambda tx: tx.compliance.edited_since(network, now, _MOST_LOOKED_UP))
        left += await self._read(lambda tx: tx.compliance.incomplete(network, now, _MOST_LOOKED_UP))
        await self._look_up_all(list({post.key: post for post in left}.values()), self._room)

    async def _by_lookup(self) -> None:
        """Look up every post that was not checked lately."""
        before, network = self._context.clock() - LOOK_AGAIN, self._kind.network
        left = await self._read(lambda tx: tx.compliance.unchecked(network, before, _MOST_LOOKED_UP))
        await self._look_up_all(left, self._room)

    async def _by_rota(self) -> None:
        """Look up visible posts, the longest unchecked first: jobs report neither withheld nor edited posts."""
        spare = await self._context.spending.spare(self._kind.service)
        most = _MOST_LOOKED_UP if spare is None else min(spare // self._kind.bill_of_one, _MOST_LOOKED_UP)
        if most < 1:
            return
        network, now = self._kind.network, self._context.clock()
        left = await self._read(lambda tx: tx.compliance.longest_unchecked(network, now, most))
        await self._look_up_all(left, partial(self._context.spending.spare, self._kind.service))

    async def _room(self) -> int | None:
        return await self._context.spending.room(self._kind.service, Purpose.COMPLIANCE)

    async def _look_up_all(self, left: list[Held], room_now: Callable[[], Awaitable[int | None]]) -> None:
        """Look posts up in batches, as long as the budget allows."""
        kind = self._kind
        while left and time.monotonic() < self._context.deadline:
            room = await room_now()
            size = kind.most_looked_up if room is None else min(kind.most_looked_up, room // kind.bill_of_one)
            if size < 1:
                self.report.note("Today's compliance budget is used up; a later sweep continues.")
                break
            seen = await self._look_up(left[:size])
            left = [post for post in left[size:] if post.key not in seen]

    async def _look_up(self, batch: Sequence[Held]) -> set[str]:
        """Look posts up; return the keys of all that the network answered for."""
        keys = {_version(post): post.key for post in batch}
        stored = [post.key for post in batch]
        people = await self._read(lambda tx: tx.compliance.original_authors(stored) | tx.compliance.authors(stored))
        looked = await self._kind.look_up(keys, people, self._context)
        self.report.looked_up += len(batch)
        await self._apply(looked.verdicts, "lookup")
        seen = {*keys.values(), *looked.seen}
        now = self._context.clock()
        self.report.updated += await self._write(lambda tx: store_updates(tx, looked, now, self._tagger))
        await self._write(lambda tx: tx.compliance.note_checked(seen, now))
        return seen

    # Takedowns

    async def _apply(self, verdicts: Sequence[Takedown], how: str) -> None:
        """Withdraw everything that the network's takedowns cover."""
        noticed = self._context.clock()
        final = [
            takedown for takedown in verdicts if takedown.fate is not Fate.SCRUB_GEO
        ]  # locations are never requested, so none are stored
        posts = [takedown for takedown in final if ":@" not in takedown.key]
        for start in range(0, len(posts), _BATCH):
            some = posts[start : start + _BATCH]
            for removal in await self._write(partial(self._withdraw, verdicts=some, how=how, noticed=noticed)):
                self._count(removal)
        for takedown in (takedown for takedown in final if ":@" in takedown.key):
            while True:
                removal = await self._write(partial(self._withdraw_person, verdict=takedown, how=how, noticed=noticed))
                self._count(removal)
                if not removal.more:
                    break

    def _withdraw(self, tx: Transaction, verdicts: Sequence[Takedown], how: str, noticed: datetime) -> list[Removal]:
        now = self._context.clock()
        stored = tx.compliance.still_held([verdict.key for verdict in verdicts])
        by_key = {verdict.key: verdict for verdict in verdicts if verdict.key in stored}
        return withdraw_posts(tx, list(by_key.values()), how, noticed, now)

    def _withdraw_person(self, tx: Transaction, verdict: Takedown, how: str, noticed: datetime) -> Removal:
        """Withdraw an account's content; an account that is only protected may return with new posts."""
        now = self._context.clock()
        network, _, native_id = verdict.key.partition(":@")
        removal = tx.compliance.withdraw_person(
            network,
            native_id,
            verdict.reason,
            now,
            upstream=verdict.fate.upstream,
            for_good=verdict.fate is Fate.DELETED,
        )
        if removal.revision is not None:
            detail = removal_detail(verdict, how, noticed, removal)
            tx.moderation.audit.note(now, SYSTEM, "account gone", verdict.key, detail)
        return removal

    def _count(self, removal: Removal) -> None:
        self.report.gone += removal.revision is not None
        self.report.activities += removal.activities

    async def _read(self, ask: Callable[[Transaction], Any]) -> Any:  # noqa: ANN401  # any result
        def read() -> Any:  # noqa: ANN401
            with self._store.reading() as tx:
                return ask(tx)

        return await in_database_thread(read)

    async def _write(self, work: Callable[[Transaction], Any]) -> Any:  # noqa: ANN401
        def write() -> Any:  # noqa: ANN401
            with self._store.writing() as tx:
                return work(tx)

        return await in_database_thread(write)


def _version(post: Held) -> str:
    """Return the native id of a post's newest known version."""
    native_id = (post.url or "").rpartition("/")[2]
    return native_id if native_id.isascii() and native_id.isdigit() else post.key.partition(":")[2]


def _described(job: Job) -> str:
    what = "post" if job.type == IdType.POSTS else "account"
    return f"{job.ids:,} {what}{'' if job.ids == 1 else 's'}"
