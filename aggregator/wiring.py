"""Wiring: builds everything from the settings, once per process; used by the worker and the command line alone."""

from __future__ import annotations

import asyncio
import fcntl
import math
import threading
import time
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import structlog

from aggregator import private_files
from aggregator.attending import Attendant
from aggregator.budget import DOLLAR, Prices, Terms
from aggregator.cadence import Pace, levelled
from aggregator.compliance import Sweep
from aggregator.configuration import Configuration
from aggregator.errors import AggregatorError, SetupError, SourceError, WriterRunningError
from aggregator.fate import TellsFates
from aggregator.fetch import Http
from aggregator.ingest import Ingest, store_archive
from aggregator.manual import publish
from aggregator.parsing import ParserPool
from aggregator.people import People
from aggregator.purge import Purges
from aggregator.seal import Seal
from aggregator.source import KnowsPeople, PollContext
from aggregator.sources import kinds
from aggregator.spending import Metered, StoreSpending, reconcile
from aggregator.subscribe import Subscription, discover_together, subscribe
from aggregator.threads import in_database_thread
from aggregator.turns import LONGEST_HOLD, HostTurns
from storage.clock import TOLERANCE
from storage.paces import Measured
from storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence

    from aggregator.activity import Content
    from aggregator.compliance import SweepReport
    from aggregator.ingest import Report
    from aggregator.options import Secret
    from aggregator.review.desk import Desk, Room
    from aggregator.settings import Settings
    from aggregator.source import Clock, Policy, Settlement, Source
    from storage.schedule import Claimed
    from storage.store import Transaction

PRODUCT = "ActivityStreamAggregator"
BATCH = 50  # sources of a poll task: one task per source would cost more than an unchanged source does
LONGEST_CATCH_UP = timedelta(seconds=30)  # without ticks, whose worth of polls may begin with the next one
FIRST_TICK = timedelta(seconds=5)  # what the first tick ever may begin
PACE_KEPT = timedelta(minutes=1)  # after which it is measured again
LOG_KEPT = timedelta(days=30)
HARD_LIMIT = 120.0  # seconds of a poll task at the most
_TYPICAL_REQUEST = 5.0  # seconds that a request to a slow host takes
_CLOSING = 3.0  # seconds for requests under way to be cut

log = structlog.get_logger(__name__)

Added = tuple["Source", "Settlement | None"]
_T = TypeVar("_T")


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, all derived from the lease: a task ends well before its sources are free again."""

    hard: float  # seconds until a poll task is killed
    soft: float  # seconds until it is asked to end
    begin: float  # seconds within which a source of the batch must begin, or it waits for the next tick
    per_host: int  # sources of one host that fit into that

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Derive the limits."""
        hard = min(HARD_LIMIT, settings.lease.total_seconds() / 2)
        soft = hard * 0.75
        begin = soft / 2
        each = settings.host_spacing.total_seconds() + _TYPICAL_REQUEST
        return cls(hard, soft, begin, max(1, int(begin / each * settings.host_concurrency)))


def metered(settings: Settings) -> dict[str, Metered]:
    """Return the services that bill what they return, and what is set for them."""
    prices = Prices(round(settings.x_post_price * DOLLAR), round(settings.x_user_price * DOLLAR))
    budget = None if settings.x_budget is None else round(settings.x_budget * DOLLAR)
    return {"x": Metered("x", "twitter", Terms(prices, budget, settings.x_reserve, settings.x_cycle_day))}


@dataclass(frozen=True, slots=True)
class Batch:
    """Sources of one kind to be polled by one task, under one lease token."""

    queue: str
    ids: list[int]
    token: str


class House:
    """What a process of ours has; each part is opened at first use, so that a worker can fork before."""

    def __init__(self, settings: Settings, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self.limits = Limits.of(settings)
        self.closed = False  # for good: nothing may begin any more
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._http: Http | None = None
        self._turns: HostTurns | None = None
        self._parser: ParserPool | None = None
        self._spending: StoreSpending | None = None

    @cached_property
    def store(self) -> Store:
        """The database."""
        return Store.open(self.settings.database_url.reveal(), versions_kept=self.settings.versions_kept)

    @cached_property
    def configuration(self) -> Configuration:
        """What people say of topics, countries and the front page."""
        return Configuration(self.settings.config_dir)

    def migrate(self) -> list[str]:
        """Bring the schema up to date; return the revisions applied."""
        public = self.settings.public_url
        authority = public.split("//", 1)[1].split("/", 1)[0].split(":", 1)[0] if public else None
        return self.store.migrate(authority=authority or f"{uuid4().hex[:12]}.invalid", today=self.clock().date())

    def installation(self) -> str:
        """Return the name of the database, which no other has.

        Raises:
            SchemaError, StoreUnavailableError: it can't be read.
        """
        self.store.check_schema()
        with self.store.reading() as tx:
            return tx.stream.instance()

    # Polling

    def claim(self) -> list[Batch]:
        """Take what is due and cut it into batches; commits before it returns."""
        token = uuid4().hex
        now = self.clock()
        with self.store.writing() as tx:
            since = tx.stream.beat(now)
            if _set_back(tx, since, now):
                since = None
            tx.freezes.hold_due(now)
            tx.reviews.apply_due(now)
            tx.reviews.apply_unpinning(now)
            _measure_paces(tx, now)
            claimed = tx.schedule.claim(
                now,
                lease=self.settings.lease,
                token=token,
                most=self._most(since, now),
                per_host=self.limits.per_host,
                per_host_of={kind.name: kind.per_host for kind in kinds().values() if kind.per_host is not None},
            )
        return list(_batches(claimed, token))

    def _most(self, since: datetime | None, now: datetime) -> int:
        """Return how many polls may begin now, so that those of a minute stay within what is set."""
        since = max(since or now - FIRST_TICK, now - LONGEST_CATCH_UP)
        # Whole turns of an hourglass that both moments see alike, so that short ticks lose no fraction of a poll.
        begun, now_begun = (
            math.floor(moment.timestamp() / 60 * self.settings.polls_per_minute) for moment in (since, now)
        )
        return max(now_begun - begun, 0)

    def give_back(self, batch: Batch) -> None:
        """Free what could not be handed out."""
        with self.store.writing() as tx:
            tx.schedule.release(batch.ids, batch.token)

    def release(self, ids: Sequence[int], token: str, *, ended: bool) -> None:
        """Release the leases of a poll that stored nothing.

        Args:
            ids: its sources.
            token: of their lease.
            ended: whether the poll ended by itself. If not, its process died, and each source is polled alone next.
        """
        with self.store.writing() as tx:
            tx.schedule.release(ids, token, begun=ended)
        if not ended:
            log.warning("worker lost, its sources are polled one by one", sources=len(ids))

    def poll(self, ids: Sequence[int], token: str) -> list[Report]:
        """Poll what of these sources is still ours under this token."""
        with self.store.writing() as tx:
            batch = tx.schedule.renew(ids, token, self.clock() + self.settings.lease)
            paces = self._paces(tx)
        if not batch:
            return []
        return self.run(self._ingest(batch, token, paces, time.monotonic() + self.limits.begin))

    def poll_now(self, ids: Sequence[int]) -> list[Report]:
        """Take these sources, due or not, poll those that nobody else holds, and ask about whom they brought."""
        token = uuid4().hex
        with self.store.writing() as tx:
            claimed = tx.schedule.claim_these(ids, self.clock(), lease=self.settings.lease, token=token)
        reports = self.poll([one.id for one in claimed], token)
        if any(report.new or report.changed for report in reports):
            self.run(self._ask_about_people())
        return reports

    def subscribe(self, address: str, terms: Subscription = Subscription()) -> tuple[Source, Settlement | None]:  # noqa: B008 - frozen
        """Find out what an address is and add it; see `aggregator.subscribe`."""

        async def work() -> tuple[Source, Settlement | None]:
            return await subscribe(
                address,
                kinds().values(),
                await self.context(),
                self.store,
                lambda: self.seal,
                terms,
                tagger=self.configuration.tagger,
            )

        return self.run(work())

    def subscribe_all(
        self, addresses: Sequence[str], terms: Subscription, report: Callable[[str, Added | AggregatorError], None]
    ) -> None:
        """Add many addresses, looked up together where that can be, and report how each of them went."""

        async def work() -> None:
            context = await self.context()
            try:
                known = await discover_together(addresses, kinds().values(), context)
            except SourceError:  # each of them says it in its own words
                known = {}
            for address in addresses:
                try:
                    added = await subscribe(
                        address,
                        kinds().values(),
                        context,
                        self.store,
                        lambda: self.seal,
                        terms,
                        known,
                        self.configuration.tagger,
                    )
                except AggregatorError as problem:
                    report(address, problem)
                else:
                    report(address, added)

        self.run(work())

    def backfill(self, source: Source, pages: int, report: Callable[[Report], None]) -> None:
        """Read what a source published longest ago, store what is new and report each page.

        Raises:
            SourceError: a page can't be read; what came before it is stored.
        """

        async def work() -> None:
            async for harvest in kinds()[source.kind].archive(source, await self.context(), pages):
                tagger = self.configuration.tagger
                report(await in_database_thread(store_archive, self.store, source, harvest, self.clock(), tagger))

        self.run(work())

    def prune(self) -> dict[str, int]:
        """Forget what nobody will ask for any more; return how much of each."""
        before = self.clock() - LOG_KEPT
        versions = self._prune_versions()
        with self.store.writing(lock_stream=False) as tx:
            return {
                "log lines": tx.schedule.prune_log(before),
                "hosts": tx.hosts.forget_idle(before),
                "bills": tx.spending.forget_billed(self.clock()),
                "checks": tx.compliance.forget_checked(before),
                "sign-ins": tx.accounts.forget(self.clock(), self.clock() - timedelta(days=1)),
                "alerts": tx.alerts.forget(before),
                "versions": versions,
            }

    def _prune_versions(self) -> int:
        """Delete old versions, a slice for each transaction; return how many."""
        total = 0
        while True:
            with self.store.writing(lock_stream=False) as tx:
                pruned = tx.versions.prune(self.clock() - self.settings.versions_age)
            total += pruned
            if not pruned:
                return total

    def upkeep(self) -> None:
        """Ask for names and pictures of people who are new or not asked for of late, and daily for X's own count."""
        self.run(self._upkeep())

    def sweep(self) -> list[SweepReport]:
        """Learn what networks have taken down or changed since we read it, and do alike; return what was done."""
        return self.run(self._sweep())

    def attend(self) -> None:
        """See what people should know of, and tell them where that is set up."""
        Attendant(self.store, self.settings, self.clock, self._post).attend()

    def _post(self, url: Secret, body: bytes, headers: Mapping[str, str]) -> None:
        async def work() -> None:
            await (await self.context()).http.post(url.reveal(), body, headers)

        self.run(work())

    @property
    def purge(self) -> Purges:
        """What makes things gone because somebody here wants them gone."""
        return Purges(
            self.store,
            self.clock,
            {kind.network: [kind.name] for kind in kinds().values() if isinstance(kind, KnowsPeople)},
        )

    def fetched(self, address: str) -> bytes:
        """Return what is at a web address.

        Raises:
            FetchError, PausedError: nothing usable came.
        """

        async def work() -> bytes:
            return (await (await self.context()).http.get(address)).body

        return self.run(work())

    def rooms(self, desk: Desk) -> Iterable[Room]:
        """Return the rooms of the review desk, with what they need of this house."""
        from aggregator.review.rooms import rooms

        def add(address: str, policy: Policy, delay: timedelta | None) -> Source:
            return self.subscribe(address, Subscription(policy=policy, delay=delay))[0]

        def store(tx: Transaction, content: Content, native_id: str | None, who: str, now: datetime) -> int:
            return publish(tx, content, native_id, who, now, self.configuration.tagger)

        return rooms(desk, publish=store, subscribe=add)

    def _paces(self, tx: Transaction) -> dict[str, Pace]:
        """Return at what pace each kind of source may be polled."""
        each = self.settings.polls_per_hour / timedelta(hours=1).total_seconds()
        known = kinds()
        return {
            name: Pace(one.level, each * known[name].eagerness * one.sources)
            for name, one in tx.paces.all().items()
            if name in known
        }

    async def _ingest(
        self, batch: Sequence[Source], token: str, paces: Mapping[str, Pace], deadline: float
    ) -> list[Report]:
        context = await self.context(deadline)
        tagger = self.configuration.tagger
        return await Ingest(self.store, kinds(), context, token=token, paces=paces, tagger=tagger).run(batch)

    async def _ask_about_people(self) -> None:
        context = await self.context()
        for kind in kinds().values():
            await People(self.store, kind, context).ask()

    async def _upkeep(self) -> None:
        await self._ask_about_people()
        context = await self.context()
        for kind in kinds().values():
            await reconcile(self.store, kind, context)

    async def _sweep(self) -> list[SweepReport]:
        context = await self.context(time.monotonic() + self.limits.begin)
        asked = [kind for kind in kinds().values() if isinstance(kind, TellsFates)]
        how, tagger = self.settings.x_sweep, self.configuration.tagger
        return [await Sweep(self.store, kind, context, how, tagger).run() for kind in asked]

    async def context(self, deadline: float = float("inf")) -> PollContext:
        """Return what kinds of source work with; call it on this house's event loop (`run`)."""
        settings = self.settings
        if self._http is None or self._turns is None:
            self._turns = HostTurns(
                self.store,
                self.clock,
                spacing=settings.host_spacing,
                concurrency=settings.host_concurrency,
                hold=min(LONGEST_HOLD, settings.lease),
            )
            self._http = await Http(
                user_agent=f"{PRODUCT}/{version('activity-stream-aggregator')} (+{settings.user_agent_contact})",
                private_networks=settings.private_networks,
                quiet=self._turns,
                clock=self.clock,
                proxy=settings.proxy.reveal() if settings.proxy else None,
            ).__aenter__()
        if self._parser is None:
            self._parser = ParserPool()
        if self._spending is None:
            self._spending = StoreSpending(self.store, self.clock, metered(settings))
        credentials = {"x_base_url": settings.x_base_url, "x_vocabulary": settings.x_vocabulary}
        if settings.x_bearer_token:
            credentials["x_bearer_token"] = settings.x_bearer_token.reveal()
        return PollContext(
            self._http,
            self.clock,
            self._turns,
            credentials,
            self._unsealed,
            deadline,
            spending=self._spending,
            parser=self._parser,
        )

    @cached_property
    def seal(self) -> Seal:
        """What keeps the sign-ins of sources unreadable in the database."""
        return Seal(self.settings.secret())

    def _unsealed(self, source: Source) -> Mapping[str, str]:
        return self.seal.open(source.own_host, source.sealed) if source.sealed is not None else {}

    # The event loop

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on this process's one event loop and wait for it; when interrupted, cancel it first.

        Raises:
            CancelledError: this house was closed.
        """
        try:
            loop = self._running_loop()
        except CancelledError:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self.closed:
                raise CancelledError("this process stops")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="polling", daemon=True)
                self._thread.start()
            return self._loop

    def close(self) -> None:
        """Cut requests under way, stop the event loop, close every connection. Can be called twice."""
        with self._starting:
            self.closed = True
            loop, self._loop = self._loop, None
        if loop is not None and self._thread is not None:
            try:
                asyncio.run_coroutine_threadsafe(self._end(), loop).result(_CLOSING)
            finally:
                loop.call_soon_threadsafe(loop.stop)
                self._thread.join(_CLOSING)
                if not loop.is_running():
                    loop.close()
        if "store" in self.__dict__:
            self.store.close()

    async def _end(self) -> None:
        # The turns are let finish: their transaction runs in a thread, which would lose its connection underneath.
        serving = {self._turns.serving} if self._turns is not None else set()
        others = asyncio.all_tasks() - {asyncio.current_task()} - serving
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._turns is not None:
            await self._turns.close()
        if self._http is not None:
            await self._http.__aexit__(None, None, None)
            self._http = None
        if self._parser is not None:
            await self._parser.close()
            self._parser = None


def _set_back(tx: Transaction, since: datetime | None, now: datetime) -> bool:
    """Correct what a clock that was ahead has stored; `since` is when the last tick was. Looked for once a minute."""
    ahead = since is not None and since > now + TOLERANCE
    same_minute = since is not None and int(since.timestamp()) // 60 == int(now.timestamp()) // 60
    if not ahead and (same_minute or not tx.clock.is_behind(now)):
        return False
    log.warning("clock was set back", last_tick=since, now=now, sources=tx.clock.set_back(now))
    return True


def _measure_paces(tx: Transaction, now: datetime) -> None:
    """Bring the average up to date of how often the sources of each kind would like to be polled."""
    known = tx.paces.all()
    if known and all(timedelta() <= now - one.since < PACE_KEPT for one in known.values()):
        return
    for kind, demand in tx.paces.demand().items():
        former = known.get(kind)
        since = max(now - former.since, timedelta()) if former else timedelta()
        tx.paces.put(
            kind, Measured(levelled(former.level if former else None, since, demand.total), demand.sources, now)
        )


def _batches(claimed: Sequence[Claimed], token: str) -> Iterator[Batch]:
    """Cut by kind, sources of one host together: they wait for each other anyway. Suspects are polled alone."""
    for name, kind in kinds().items():
        for one in claimed:
            if one.kind == name and one.suspect:
                yield Batch(kind.queue, [one.id], token)
        ids = [one.id for one in sorted(claimed, key=lambda one: one.host) if one.kind == name and not one.suspect]
        for start in range(0, len(ids), BATCH):
            yield Batch(kind.queue, ids[start : start + BATCH], token)


@contextmanager
def writer_lock(settings: Settings) -> Iterator[None]:
    """Be the one writing process of an SQLite database; PostgreSQL needs no such thing.

    Raises:
        WriterRunningError: another process is.
    """
    if not settings.embedded_database:
        yield
        return
    path = settings.data_dir / "writer.lock"
    with ExitStack() as held:
        try:
            private_files.make_folder(settings.data_dir)
            private_files.tighten_folder(settings.data_dir)
            file = held.enter_context(open(path, "a", opener=private_files.opener))  # Path.open takes no opener
        except OSError as problem:
            raise SetupError(
                f"The folder {settings.data_dir} can't be written: {problem.strerror}. Make it writable, or set "
                "AGGREGATOR_DATA_DIR to another one."
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WriterRunningError(
                f"Another process already polls into this SQLite database ({path} is locked). SQLite has one "
                "polling process; stop the other one, or use PostgreSQL (AGGREGATOR_DATABASE_URL)."
            ) from None
        yield
