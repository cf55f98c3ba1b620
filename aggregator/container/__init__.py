"""Build the object graph of a process from its settings; only workers and the command line use it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import structlog

from aggregator.config.live_settings import LiveSettings
from aggregator.event_loop import EventLoop
from aggregator.services.dispatch import Dispatcher, Limits
from aggregator.sources import ids_only, kinds
from storage.preload import preload
from storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from pathlib import Path

    from aggregator.config.credential_encryption import HeaderCipher
    from aggregator.config.portal_folder import Configuration
    from aggregator.config.settings import Settings
    from aggregator.container.clients import PollClients
    from aggregator.domain.clock import Clock
    from aggregator.domain.errors import AggregatorError
    from aggregator.domain.polling.results import PollRecord
    from aggregator.domain.secrets import Secret
    from aggregator.domain.source import Source
    from aggregator.domain.source_preview import SourcePreview
    from aggregator.review.context import DeskContext, Section
    from aggregator.services.account_archive import AccountArchiveImport
    from aggregator.services.account_mail import AccountMail
    from aggregator.services.alert_rounds import AlertNotifier
    from aggregator.services.backfill import Backfill
    from aggregator.services.background_migrations import BackgroundMigrations
    from aggregator.services.cleanup import Cleanup
    from aggregator.services.compliance_sweep import SweepReport
    from aggregator.services.connect_account import AccountConnection
    from aggregator.services.digests import Digests
    from aggregator.services.dispatch import Added
    from aggregator.services.poll_now import PollNow
    from aggregator.services.polling import Polling
    from aggregator.services.profiles import ProfileUpkeep
    from aggregator.services.purge import PurgeService
    from aggregator.services.push_listener import PushListener
    from aggregator.services.single_sign_on import SingleSignOn
    from aggregator.services.subscribe import Subscription
    from aggregator.source_api.kind import PollContext
    from storage.replicated import ReplicatedStore

_POLLING_MODULES = (
    "aggregator.config.portal_folder",
    "aggregator.domain.tagging.vocabulary",
    "aggregator.fetching.client",
    "aggregator.services.polling",
)
_CLOSING = 3.0  # seconds to cancel running requests

log = structlog.get_logger(__name__)

_T = TypeVar("_T")


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


class Container:
    """The object graph of a process.

    Each part is created on first use, so that a worker can fork before; parts that few commands need are imported then,
    too.
    """

    def __init__(self, settings: Settings, clock: Clock = utc_now) -> None:
        self._live = LiveSettings(settings)
        self.clock = clock
        self.limits = Limits.of(settings)
        self._loop = EventLoop("polling")

    @property
    def settings(self) -> Settings:
        """The settings, with the secrets that their files have at present."""
        return self._live.current()

    def secret_keys(self) -> tuple[Secret, ...]:
        """Return the present key for forms and credentials, then former ones."""
        return self._live.secret_keys()

    @cached_property
    def store(self) -> Store:
        """The database."""
        direct = self.settings.direct_database_url
        return Store.open(
            self.settings.database_url.reveal(),
            versions_kept=self.settings.versions_kept,
            ids_only=frozenset(ids_only(self.settings.kinds)),
            stream_age=self.settings.stream_age,
            direct_url=direct.reveal() if direct else None,
            organizations=lambda: self.configuration.organizations,
        )

    @cached_property
    def replica(self) -> ReplicatedStore | None:
        """The database with the replica that readers use; None: there is none."""
        if self.settings.replica_url is None:
            return None
        from storage.replicated import ReplicatedStore

        return ReplicatedStore(self.store, self.settings.replica_url.reveal())

    @cached_property
    def configuration(self) -> Configuration:
        """Topics, countries, organizations and the front page."""
        from aggregator.config.portal_folder import Configuration

        return Configuration(self.settings.config_dir)

    def preload(self) -> None:
        """Import the modules that polls import late, so that the child processes of a worker share them."""
        for name in (*_POLLING_MODULES, *(name for kind in kinds().values() for name in kind.late_modules)):
            import_module(name)
        preload()

    def migrate(self) -> list[str]:
        """Upgrade the schema; return the applied revisions."""
        public = self.settings.public_url
        authority = public.split("//", 1)[1].split("/", 1)[0].split(":", 1)[0] if public else None
        return self.store.migrate(authority=authority or f"{uuid4().hex[:12]}.invalid", today=self.clock().date())

    def installation(self) -> str:
        """Return the unique name of the database.

        Raises:
            SchemaError, StoreUnavailableError: the database can't be read.
        """
        self.store.check_schema()
        with self.store.reading() as tx:
            return tx.stream.state.instance()

    # Polling

    @property
    def dispatcher(self) -> Dispatcher:
        """Claims due sources."""
        return Dispatcher(self.store, self.settings, self.clock, self.limits)

    @property
    def polling(self) -> Polling:
        """Polls sources in this process."""
        from aggregator.services.polling import Polling

        return Polling(self)

    @property
    def pull(self) -> PollNow:
        """Polls sources at once."""
        from aggregator.services.poll_now import PollNow

        return PollNow(self.store, self.settings, self.clock, self.polling.poll_now)

    def subscribe(self, address: str, terms: Subscription | None = None) -> tuple[Source, PollRecord | None]:
        """Discover an address and add it as a source; see `aggregator.services.subscribe`."""
        from aggregator.services.subscribe import Subscription, subscribe

        async def work() -> tuple[Source, PollRecord | None]:
            return await subscribe(
                address,
                kinds().values(),
                await self.context(),
                self.store,
                lambda: self.seal,
                terms or Subscription(),
                tagger=self.configuration.tagger,
            )

        return self.run(work())

    def preview(self, address: str, terms: Subscription | None = None, *, most: int = 20) -> SourcePreview:
        """Return what would be stored of an address; nothing is written for a feed."""
        from aggregator.container.preview import preview_source

        return preview_source(self, address, terms, most)

    def subscribe_all(
        self, addresses: Sequence[str], terms: Subscription, report: Callable[[str, Added | AggregatorError], None]
    ) -> None:
        """Add many addresses, discovered together if their kinds support that, and report each result."""
        from aggregator.services.subscribe import subscribe_all

        async def work() -> None:
            context, tagger = await self.context(), self.configuration.tagger
            await subscribe_all(addresses, context, self.store, lambda: self.seal, terms, report, tagger)

        self.run(work())

    @property
    def backfill(self) -> Backfill:
        """Reads archives."""
        from aggregator.services.backfill import Backfill

        return Backfill(self)

    def account_archive(self, source: Source, path: Path) -> AccountArchiveImport:
        """Return the import of an account's archive into a source."""
        from aggregator.services.account_archive import AccountArchiveImport

        return AccountArchiveImport(self, source, path)

    @property
    def cleanup(self) -> Cleanup:
        """Deletes old records."""
        from aggregator.services.cleanup import Cleanup

        return Cleanup(self.store, self.settings, self.clock)

    @property
    def background_migrations(self) -> BackgroundMigrations:
        """Runs the backfills of migrations."""
        from aggregator.services.background_migrations import BackgroundMigrations

        return BackgroundMigrations(self.store)

    def reduce_content(self) -> int:
        """Remove stored content of networks of which only ids may be stored; return the number of items."""
        from aggregator.services.content_reduction import reduce_content

        return reduce_content(self.store, ids_only(self.settings.kinds))

    @property
    def profiles(self) -> ProfileUpkeep:
        """Refreshes profiles and reads the services' own usage counts."""
        from aggregator.services.profiles import ProfileUpkeep

        return ProfileUpkeep(self)

    @property
    def notifier(self) -> AlertNotifier:
        """Opens, delivers and closes alerts."""
        from aggregator.services.alert_rounds import AlertNotifier

        return AlertNotifier(self.store, self.settings, self.clock, self._post)

    @property
    def digests(self) -> Digests:
        """Sends the daily summaries of the review desk."""
        from aggregator.services.digests import Digests

        return Digests(self.store, self.settings, self.clock)

    def push_listeners(self) -> list[PushListener]:
        """Return a listener for each network whose pushed events are enabled."""
        from aggregator.services.push_listener import PushListener
        from aggregator.services.push_state import push_sources

        return [PushListener(self, kind) for kind in push_sources() if kind.is_push_enabled(self.settings.kinds)]

    def push_settings(self) -> list[str]:
        """Return the variables that enable pushed events."""
        from aggregator.services.push_state import push_sources

        return [kind.push_setting for kind in push_sources()]

    def listen(self) -> None:
        """Receive pushed events of all networks until the container is closed.

        Raises:
            CancelledError: it was closed.
        """

        async def work() -> None:
            await asyncio.gather(*(listener.run() for listener in self.push_listeners()))

        self.run(work())

    def sweep(self) -> list[SweepReport]:
        """Apply upstream removals and edits to stored posts; return the results by network."""
        from aggregator.services.compliance_sweep import sweep_all

        self.reduce_content()
        return self.run(sweep_all(self))

    def _post(self, url: Secret, body: bytes, headers: Mapping[str, str]) -> None:
        async def work() -> None:
            await (await self.context()).http.post(url.reveal(), body, headers)

        self.run(work())

    @property
    def purge(self) -> PurgeService:
        """Purges posts, accounts and networks."""
        from aggregator.services.purge import PurgeService
        from aggregator.source_api.kind import ProfileSource

        return PurgeService(
            self.store,
            self.clock,
            {kind.network: [kind.name] for kind in kinds().values() if isinstance(kind, ProfileSource)},
        )

    def fetched(self, address: str) -> bytes:
        """Fetch a picture and return its bytes.

        Raises:
            FetchError, PausedError: the request failed.
        """

        async def work() -> bytes:
            return (await (await self.clients.pictures()).get(address, accept="image/*")).body

        return self.run(work())

    def sections(self, desk: DeskContext) -> Iterable[Section]:
        """Return the sections of the review desk, connected to this container."""
        from aggregator.container.desk import desk_sections

        return desk_sections(self, desk)

    async def context(self, deadline: float = float("inf")) -> PollContext:
        """Return the context of kinds of source; call it on this container's event loop (`run`)."""
        return await self.clients.context(deadline)

    @property
    def account_connection(self) -> AccountConnection:
        """Connects accounts."""
        from aggregator.services.connect_account import AccountConnection

        return AccountConnection(self, lambda: self.seal)

    @cached_property
    def account_mail(self) -> AccountMail:
        """Mails links to the desk's users."""
        from aggregator.services.account_mail import AccountMail

        return AccountMail(self.store, lambda: self.settings, self.clock)

    @cached_property
    def sign_on(self) -> SingleSignOn | None:
        """The sign-on provider of the review desk; None: the settings name none."""
        if self.settings.oidc_issuer is None:
            return None
        from aggregator.container.sign_on import connect_provider

        return connect_provider(lambda: self.settings, self.clock, self.run, self.clients)

    def check_sign_on(self) -> None:
        """Check the sign-on provider, if there is one; raise an error about it."""
        from aggregator.container.sign_on import check_provider

        if self.sign_on is not None:
            check_provider(self.sign_on, self.settings.public_url or "")

    @cached_property
    def clients(self) -> PollClients:
        """The clients with which sources are fetched."""
        from aggregator.container.clients import PollClients

        return PollClients(self.store, lambda: self.settings, lambda: self.clock(), lambda: self.seal)  # noqa: PLW0108 - it may change

    @property
    def seal(self) -> HeaderCipher:
        """The cipher for the credentials of sources."""
        from aggregator.config.credential_encryption import HeaderCipher

        return HeaderCipher(*self.secret_keys())

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on the event loop of the process and wait for it; see `EventLoop.run`."""
        return self._loop.run(work)

    @property
    def closed(self) -> bool:
        """Whether the container is closed, so that nothing new may start."""
        return self._loop.closed

    def close(self) -> None:
        """Cancel running requests, stop the event loop and close every connection. May be called twice."""
        self._loop.close(self._end, _CLOSING)
        for name in ("replica", "store"):
            if (store := self.__dict__.get(name)) is not None:
                store.close()

    async def _end(self) -> None:
        clients: PollClients | None = self.__dict__.get("clients")
        others = asyncio.all_tasks() - {asyncio.current_task()} - (clients.serving if clients else set())
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if clients is not None:
            await clients.close()
