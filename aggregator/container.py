"""Build the object graph of a process from its settings; only workers and the command line use it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import structlog

from aggregator.config.encryption import HeaderCipher
from aggregator.config.portal_folder import Configuration
from aggregator.domain.billing.budget import DOLLAR, Prices, Terms
from aggregator.domain.errors import (
    AggregatorError,
    SourceError,
)
from aggregator.domain.polling.schedule import PollBudget
from aggregator.event_loop import EventLoop
from aggregator.fetching.client import Http
from aggregator.services.billing_ledger import Metered, StoreSpending, reconcile
from aggregator.services.compliance_sweep import ComplianceSweep
from aggregator.services.dispatch import Added, Dispatcher, Limits
from aggregator.services.editorial import publish
from aggregator.services.ingest import Ingest, store_archive
from aggregator.services.notifier import AlertNotifier
from aggregator.services.poll_now import PollNow
from aggregator.services.profiles import ProfileRefresher
from aggregator.services.purge import PurgeService
from aggregator.services.rate_limiter import LONGEST_HOLD, HostRateLimiter
from aggregator.services.subscribe import Subscription, discover_together, subscribe
from aggregator.source_api.kind import PollContext, ProfileSource
from aggregator.source_api.parser_pool import ParserPool
from aggregator.source_api.takedowns import TakedownSource
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread
from storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from aggregator.config.secrets import Secret
    from aggregator.config.settings import Settings
    from aggregator.domain.activity import Content
    from aggregator.domain.polling.rate_limit import Clock
    from aggregator.domain.polling.results import PollRecord
    from aggregator.domain.source import Policy, Source
    from aggregator.review.context import DeskContext, Section
    from aggregator.services.compliance_sweep import SweepReport
    from aggregator.services.ingest import Report
    from storage.store import Transaction

PRODUCT = "ActivityStreamAggregator"
LOG_KEPT = timedelta(days=30)
_CLOSING = 3.0  # seconds for requests under way to be cut

log = structlog.get_logger(__name__)

_T = TypeVar("_T")


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def metered(settings: Settings) -> dict[str, Metered]:
    """Return the services that bill what they return, and what is set for them."""
    prices = Prices(round(settings.x_post_price * DOLLAR), round(settings.x_user_price * DOLLAR))
    budget = None if settings.x_budget is None else round(settings.x_budget * DOLLAR)
    return {"x": Metered("x", "twitter", Terms(prices, budget, settings.x_reserve, settings.x_cycle_day))}


class Container:
    """The object graph of a process; each part is opened at first use, so that a worker can fork before."""

    def __init__(self, settings: Settings, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self.limits = Limits.of(settings)
        self._loop = EventLoop("polling")
        self._http: Http | None = None
        self._turns: HostRateLimiter | None = None
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
            return tx.stream.state.instance()

    # Polling

    @property
    def dispatcher(self) -> Dispatcher:
        """Claims due sources."""
        return Dispatcher(self.store, self.settings, self.clock, self.limits)

    def poll(self, ids: Sequence[int], token: str) -> list[Report]:
        """Poll those of these sources that are still leased under this token."""
        with self.store.writing() as tx:
            batch = tx.polling.schedule.renew(ids, token, self.clock() + self.settings.lease)
            paces = self._paces(tx)
        if not batch:
            return []
        return self.run(self._ingest(batch, token, paces, time.monotonic() + self.limits.begin))

    @property
    def pull(self) -> PollNow:
        """Polls sources at once."""
        return PollNow(self.store, self.settings, self.clock, self.poll_now)

    def poll_now(self, ids: Sequence[int]) -> list[Report]:
        """Poll sources now, due or not, except those leased elsewhere; refresh the profiles of new authors."""
        token = uuid4().hex
        with self.store.writing() as tx:
            claimed = tx.polling.schedule.claim_these(ids, self.clock(), lease=self.settings.lease, token=token)
        reports = self.poll([source.id for source in claimed], token)
        if any(report.new or report.changed for report in reports):
            self.run(self._ask_about_people())
        return reports

    def subscribe(self, address: str, terms: Subscription = Subscription()) -> tuple[Source, PollRecord | None]:  # noqa: B008 - frozen
        """Find out what an address is and add it; see `aggregator.services.subscribe`."""

        async def work() -> tuple[Source, PollRecord | None]:
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
            kind = kinds()[source.kind]
            async for harvest in kind.archive(source, await self.context(), pages):
                store = partial(
                    store_archive, tagger=self.configuration.tagger, edits_always_show=kind.edits_always_show
                )
                report(await in_database_thread(store, self.store, source, harvest, self.clock()))

        self.run(work())

    def prune(self) -> dict[str, int]:
        """Forget what nobody will ask for any more; return how much of each."""
        before = self.clock() - LOG_KEPT
        versions = self._prune_versions()
        with self.store.writing(lock_stream=False) as tx:
            return {
                "log lines": tx.polling.schedule.prune_log(before),
                "hosts": tx.polling.hosts.forget_idle(before),
                "bills": tx.billing.ledger.forget_billed(self.clock()),
                "checks": tx.compliance.forget_checked(before),
                "sign-ins": tx.access.accounts.forget(self.clock(), self.clock() - timedelta(days=1)),
                "alerts": tx.monitoring.alerts.forget(before),
                "versions": versions,
            }

    def _prune_versions(self) -> int:
        """Delete old versions, a slice for each transaction; return how many."""
        total = 0
        while True:
            with self.store.writing(lock_stream=False) as tx:
                pruned = tx.stream.versions.prune(self.clock() - self.settings.versions_age)
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
        AlertNotifier(self.store, self.settings, self.clock, self._post).attend()

    def _post(self, url: Secret, body: bytes, headers: Mapping[str, str]) -> None:
        async def work() -> None:
            await (await self.context()).http.post(url.reveal(), body, headers)

        self.run(work())

    @property
    def purge(self) -> PurgeService:
        """What makes things gone because somebody here wants them gone."""
        return PurgeService(
            self.store,
            self.clock,
            {kind.network: [kind.name] for kind in kinds().values() if isinstance(kind, ProfileSource)},
        )

    def fetched(self, address: str) -> bytes:
        """Return what is at a web address.

        Raises:
            FetchError, PausedError: nothing usable came.
        """

        async def work() -> bytes:
            return (await (await self.context()).http.get(address)).body

        return self.run(work())

    def rooms(self, desk: DeskContext) -> Iterable[Section]:
        """Return the rooms of the review desk, with what they need of this container."""
        from aggregator.review.routes import rooms

        def add(address: str, policy: Policy, delay: timedelta | None) -> Source:
            return self.subscribe(address, Subscription(policy=policy, delay=delay))[0]

        def store(tx: Transaction, content: Content, native_id: str | None, who: str, now: datetime) -> int:
            return publish(tx, content, native_id, who, now, self.configuration.tagger)

        return rooms(desk, publish=store, subscribe=add)

    def _paces(self, tx: Transaction) -> dict[str, PollBudget]:
        """Return at what pace each kind of source may be polled."""
        each = self.settings.polls_per_hour / timedelta(hours=1).total_seconds()
        known = kinds()
        return {
            name: PollBudget(one.level, each * known[name].eagerness * one.sources)
            for name, one in tx.polling.paces.all().items()
            if name in known
        }

    async def _ingest(
        self, batch: Sequence[Source], token: str, paces: Mapping[str, PollBudget], deadline: float
    ) -> list[Report]:
        context = await self.context(deadline)
        tagger = self.configuration.tagger
        return await Ingest(self.store, kinds(), context, token=token, paces=paces, tagger=tagger).run(batch)

    async def _ask_about_people(self) -> None:
        context = await self.context()
        for kind in kinds().values():
            await ProfileRefresher(self.store, kind, context).ask()

    async def _upkeep(self) -> None:
        await self._ask_about_people()
        context = await self.context()
        for kind in kinds().values():
            await reconcile(self.store, kind, context)

    async def _sweep(self) -> list[SweepReport]:
        context = await self.context(time.monotonic() + self.limits.begin)
        asked = [kind for kind in kinds().values() if isinstance(kind, TakedownSource)]
        how, tagger = self.settings.x_sweep, self.configuration.tagger
        return [await ComplianceSweep(self.store, kind, context, how, tagger).run() for kind in asked]

    async def context(self, deadline: float = float("inf")) -> PollContext:
        """Return what kinds of source work with; call it on this container's event loop (`run`)."""
        settings = self.settings
        if self._http is None or self._turns is None:
            self._turns = HostRateLimiter(
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
    def seal(self) -> HeaderCipher:
        """What keeps the sign-ins of sources unreadable in the database."""
        return HeaderCipher(self.settings.secret())

    def _unsealed(self, source: Source) -> Mapping[str, str]:
        return self.seal.open(source.own_host, source.sealed) if source.sealed is not None else {}

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on this process's one event loop and wait for it; see `EventLoop.run`."""
        return self._loop.run(work)

    @property
    def closed(self) -> bool:
        """Whether nothing may begin any more."""
        return self._loop.closed

    def close(self) -> None:
        """Cut requests under way, stop the event loop, close every connection. Can be called twice."""
        self._loop.close(self._end, _CLOSING)
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
