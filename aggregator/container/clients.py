"""Build what kinds of source work with: the HTTP client, rate limits, parser processes, budget and credentials."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version
from ipaddress import ip_network
from typing import TYPE_CHECKING

from aggregator.fetching.client import Http
from aggregator.fetching.limits import Limits
from aggregator.services.api_refusals import StoreRefusals
from aggregator.services.billing_ledger import StoreSpending
from aggregator.services.credentials import StoreCredentials
from aggregator.services.rate_limiter import LONGEST_HOLD, HostRateLimiter
from aggregator.source_api.kind import PollContext
from aggregator.source_api.parser_pool import ParserPool
from aggregator.sources import metered

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from aggregator.config.credential_encryption import HeaderCipher
    from aggregator.config.settings import Settings
    from aggregator.domain.clock import Clock
    from aggregator.domain.polling.host_limits import RateLimiter
    from aggregator.domain.source import Source
    from storage.store import Store

PRODUCT = "ActivityStreamAggregator"
PICTURE_LIMITS = Limits(
    look_up=3.0, connect=3.0, first_byte=5.0, total=7.0, wire=8 * 2**20, decoded=8 * 2**20, redirects=3
)


class PollClients:
    """The clients of a process, created on first use on its event loop."""

    def __init__(
        self, store: Store, settings: Callable[[], Settings], clock: Clock, seal: Callable[[], HeaderCipher]
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._seal = seal
        self._http: Http | None = None
        self._pictures: Http | None = None
        self._rate_limiter: HostRateLimiter | None = None
        self._parser: ParserPool | None = None
        self._spending = StoreSpending(store, clock, metered(settings().kinds))
        self._credentials = StoreCredentials(store, clock, seal)

    @property
    def serving(self) -> set[asyncio.Task[None] | None]:
        """The tasks that end by themselves: a transaction in a thread would lose its connection."""
        return {self._rate_limiter.serving} if self._rate_limiter is not None else set()

    async def context(self, deadline: float) -> PollContext:
        """Return the context of kinds of source."""
        settings = self._settings()
        if self._http is None or self._rate_limiter is None:
            self._rate_limiter = HostRateLimiter(
                self._store,
                self._clock,
                spacing=settings.host_spacing,
                concurrency=settings.host_concurrency,
                hold=min(LONGEST_HOLD, settings.lease),
            )
            self._http = await self.http(self._rate_limiter).__aenter__()
        if self._parser is None:
            self._parser = ParserPool()
        return PollContext(
            self._http,
            self._clock,
            self._rate_limiter,
            settings.kinds,
            self._unsealed,
            deadline,
            spending=self._spending,
            parser=self._parser,
            refusals=StoreRefusals(self._store, self._clock),
            credentials=self._credentials,
        )

    async def pictures(self) -> Http:
        """Return the client for pictures, which readers of pages wait for: it obeys pauses, but doesn't space requests.

        Without it, the browser of each reader would send the same requests.
        """
        if self._pictures is None:
            from aggregator.services.preview import ReadOnlyRateLimiter

            limiter = ReadOnlyRateLimiter(self._store, self._clock, spacing=timedelta(0))
            self._pictures = await self.http(limiter, PICTURE_LIMITS).__aenter__()
        return self._pictures

    def http(self, limiter: RateLimiter, limits: Limits | None = None, addresses: Sequence[str] = ()) -> Http:
        """Return an HTTP client, which is not open yet and may also connect to some private addresses."""
        settings = self._settings()
        return Http(
            user_agent=f"{PRODUCT}/{version('activity-stream-aggregator')} (+{settings.user_agent_contact})",
            private_networks=(*settings.private_networks, *map(ip_network, addresses)),
            rate_limiter=limiter,
            clock=self._clock,
            limits=limits,
            proxy=settings.proxy.reveal() if settings.proxy else None,
        )

    def _unsealed(self, source: Source) -> Mapping[str, str]:
        return self._seal().open(source.own_host, source.sealed) if source.sealed is not None else {}

    async def close(self) -> None:
        """Close connections and parser processes."""
        if self._rate_limiter is not None:
            await self._rate_limiter.close()
        if self._http is not None:
            await self._http.__aexit__(None, None, None)
            self._http = None
        if self._pictures is not None:
            await self._pictures.__aexit__(None, None, None)
            self._pictures = None
        if self._parser is not None:
            await self._parser.close()
            self._parser = None
