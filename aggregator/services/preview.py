"""Preview an address: detect its source and screen its entries without storing anything."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC
from typing import TYPE_CHECKING

from aggregator.domain.compliance.ids_only import reduced_entry
from aggregator.domain.polling.backoff import FIRST_PAUSE
from aggregator.domain.polling.host_groups import HostGroups
from aggregator.domain.polling.host_limits import HostTurn
from aggregator.domain.source_preview import preview_of
from aggregator.fetching.request_target import display_url
from aggregator.services.rate_limiter import left_alone
from aggregator.services.screen_entries import named_by_link, screened
from aggregator.services.subscribe import discover
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime, timedelta

    from aggregator.domain.clock import Clock
    from aggregator.domain.polling.host_limits import Pause
    from aggregator.domain.source_preview import SourcePreview
    from aggregator.domain.tagging.tagger import Tagger
    from aggregator.services.subscribe import Subscription
    from aggregator.source_api.kind import PollContext, SourceKind
    from storage.store import Store


_MOST_HOSTS = 10_000  # that a limiter remembers


class ReadOnlyRateLimiter:
    """The `RateLimiter` port without writes: obeys the pauses in the store and spaces its own requests."""

    def __init__(self, store: Store, clock: Clock, *, spacing: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._spacing = spacing
        self._lock = asyncio.Lock()
        self._next: dict[str, float] = {}  # by group of hosts, from time.monotonic()
        self._paused: dict[str, tuple[datetime, str]] = {}

    @asynccontextmanager
    async def acquire(self, host: str, endpoint: str = "") -> AsyncIterator[HostTurn]:
        """Wait until a request to a host is polite.

        Raises:
            PausedError: the host is paused.
        """
        groups, pauses = await in_database_thread(self._read)
        policy = groups.policy(host, spacing=self._spacing, concurrency=1)
        names = {host, policy.name, f"{policy.name}{endpoint}"}
        stored = [(pause.until, pause.reason) for pause in pauses if pause.host in names]
        now = self._clock()
        for until, reason in [*stored, *(self._paused[name] for name in names if name in self._paused)]:
            if until > now:
                raise left_alone(policy.name, until, reason, now)
        async with self._lock:
            await asyncio.sleep(max(0.0, self._next.get(policy.name, 0.0) - time.monotonic()))
            if len(self._next) > _MOST_HOSTS:
                self._next.clear()
            self._next[policy.name] = time.monotonic() + policy.spacing.total_seconds()
        yield HostTurn()

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        """Send no further request to a host."""
        del endpoint
        if len(self._paused) > _MOST_HOSTS:
            self._paused.clear()
        end = until or self._clock() + FIRST_PAUSE
        self._paused[host] = (end, reason)
        return end

    def _read(self) -> tuple[HostGroups, list[Pause]]:
        with self._store.reading() as tx:
            return HostGroups(tx.polling.host_groups.all()), tx.polling.hosts.paused(self._clock())


async def preview(
    address: str,
    kinds: Iterable[SourceKind],
    context: PollContext,
    terms: Subscription,
    *,
    tagger: Tagger | None,
    most: int,
    ids_only: frozenset[str] = frozenset(),
) -> SourcePreview:
    """Return what would be stored of an address; `ids_only` are the networks of which that is ids.

    Raises:
        SourceError, BadRequestError: as `discover`.
    """
    found = await discover(address, kinds, context, terms)
    now = context.clock().astimezone(UTC)
    activities = found.first_result.activities if found.first_result else ()
    by_link = found.options.get("identity") == "link"
    entries = [
        screened(named_by_link(activity) if by_link else activity, terms.policy, now, tagger, terms.slug or found.slug)
        for activity in activities
    ]
    entries = [reduced_entry(entry) if entry.new.content.network in ids_only else entry for entry in entries]
    return preview_of(found, display_url(found.address), entries, now, most)
