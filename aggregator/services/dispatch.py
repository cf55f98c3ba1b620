"""Claim due sources and cut them into batches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from aggregator.domain.polling.pace import Measured, is_current
from aggregator.domain.polling.schedule import levelled
from aggregator.services.outages import attend_outages
from aggregator.services.push_state import resume_polls
from aggregator.sources import kinds
from storage.polling.clock_correction import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aggregator.config.settings import Settings
    from aggregator.domain.clock import Clock
    from aggregator.domain.polling.pace import Demand
    from aggregator.domain.polling.results import PollRecord
    from aggregator.domain.source import Source
    from storage.polling.leases import Claimed
    from storage.store import Store, Transaction


BATCH = 50  # sources per poll task: one task per source would cost more than polling an unchanged source
LONGEST_CATCH_UP = timedelta(seconds=30)  # longest gap without ticks whose polls the next tick may start
FIRST_TICK = timedelta(seconds=5)  # the first tick ever may start the polls of this time
HARD_LIMIT = 120.0  # seconds; the longest poll task
_TYPICAL_REQUEST = 5.0  # seconds; a request to a slow host
Added = tuple["Source", "PollRecord | None"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits, all derived from the lease: a task ends well before its leases expire."""

    hard: float  # seconds until a poll task is killed
    soft: float  # seconds until it is asked to stop
    begin: float  # seconds within which a source of the batch must start, or it waits for the next tick
    per_host: int  # sources of one host that fit into that time

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Derive the limits."""
        hard = min(HARD_LIMIT, settings.lease.total_seconds() / 2)
        soft = hard * 0.75
        begin = soft / 2
        each = settings.host_spacing.total_seconds() + _TYPICAL_REQUEST
        return cls(hard, soft, begin, max(1, int(begin / each * settings.host_concurrency)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Sources of one kind that one task polls under one lease token."""

    queue: str
    ids: list[int]
    token: str


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Claims due sources and releases their leases."""

    store: Store
    settings: Settings
    clock: Clock
    limits: Limits

    def claim(self) -> list[Batch]:
        """Claim due sources and cut them into batches; commits before it returns."""
        token = uuid4().hex
        now = self.clock()
        demand = self._demand(now)
        with_fallback = frozenset(kind.name for kind in kinds().values() if kind.has_fallback(self.settings.kinds))
        with self.store.writing() as tx:
            since = tx.stream.state.beat(now)
            if _correct_clock(tx, since, now):
                since = None
            tx.moderation.freezes.hold_due(now)
            tx.moderation.reviews.apply_due(now)
            tx.moderation.reviews.apply_unpinning(now)
            _level_paces(tx, demand, now)
            attend_outages(tx, since, now, with_fallback)
            resume_polls(tx, now)
            claimed = tx.polling.schedule.claim(
                now,
                lease=self.settings.lease,
                token=token,
                most=self._most_polls(since, now),
                per_host=self.limits.per_host,
                per_host_of={kind.name: kind.per_host for kind in kinds().values() if kind.per_host is not None},
                with_fallback=with_fallback,
            )
        return list(_batches(claimed, token))

    def _demand(self, now: datetime) -> Mapping[str, Demand]:
        """Add up the demand of all sources if that is due, before others have to wait for this transaction."""
        with self.store.reading() as tx:
            known = tx.polling.paces.all()
            return {} if is_current(known.values(), now) else tx.polling.paces.demand()

    def _most_polls(self, since: datetime | None, now: datetime) -> int:
        """Return how many polls may start now without exceeding the limit per minute."""
        since = max(since or now - FIRST_TICK, now - LONGEST_CATCH_UP)
        # Whole polls since the epoch at both instants; the difference never loses a fraction between ticks.
        begun, now_begun = (
            math.floor(moment.timestamp() / 60 * self.settings.polls_per_minute) for moment in (since, now)
        )
        return max(now_begun - begun, 0)

    def give_back(self, batch: Batch) -> None:
        """Release the leases of a batch that could not be sent."""
        with self.store.writing() as tx:
            tx.polling.schedule.release(batch.ids, batch.token)

    def release(self, ids: Sequence[int], token: str, *, ended: bool) -> None:
        """Release the leases of a poll that stored nothing.

        Args:
            ids: its sources.
            token: of their leases.
            ended: whether the poll ended normally. If not, its process died, and each source is polled alone next.
        """
        with self.store.writing() as tx:
            tx.polling.schedule.release(ids, token, begun=ended)
        if not ended:
            log.warning("worker lost; polling its sources one by one", sources=len(ids))


def _level_paces(tx: Transaction, demands: Mapping[str, Demand], now: datetime) -> None:
    """Update the average poll demand of each kind of source."""
    known = tx.polling.paces.all() if demands else {}
    for kind, demand in demands.items():
        former = known.get(kind)
        since = max(now - former.since, timedelta()) if former else timedelta()
        level = levelled(former.level if former else None, since, demand.total)
        tx.polling.paces.put(kind, Measured(level, demand.sources, now))


def _batches(claimed: Sequence[Claimed], token: str) -> Iterator[Batch]:
    """Split by kind and group by host, since hosts are rate-limited; suspects are polled alone."""
    for name, kind in kinds().items():
        for source in claimed:
            if source.kind == name and source.suspect:
                yield Batch(kind.queue, [source.id], token)
        ids = [
            source.id
            for source in sorted(claimed, key=lambda source: source.host)
            if source.kind == name and not source.suspect
        ]
        for start in range(0, len(ids), BATCH):
            yield Batch(kind.queue, ids[start : start + BATCH], token)


def _correct_clock(tx: Transaction, since: datetime | None, now: datetime) -> bool:
    """Correct times stored while the clock was ahead; `since` is the last tick. Checked once a minute."""
    ahead = since is not None and since > now + TOLERANCE
    same_minute = since is not None and int(since.timestamp()) // 60 == int(now.timestamp()) // 60
    if not ahead and (same_minute or not tx.polling.clock.is_behind(now)):
        return False
    log.warning("clock was set back", last_tick=since, now=now, sources=tx.polling.clock.set_back(now))
    return True
