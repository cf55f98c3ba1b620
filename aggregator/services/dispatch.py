"""Claim due sources and cut them into batches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.domain.polling.pace import Measured
from aggregator.domain.polling.schedule import levelled
from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aggregator.config.settings import Settings
    from aggregator.domain.polling.results import PollRecord
    from aggregator.domain.source import Source
    from storage.polling.schedule import Claimed
    from storage.store import Transaction


BATCH = 50  # sources of a poll task: one task per source would cost more than an unchanged source does
LONGEST_CATCH_UP = timedelta(seconds=30)  # without ticks, whose worth of polls may begin with the next one
FIRST_TICK = timedelta(seconds=5)  # what the first tick ever may begin
PACE_KEPT = timedelta(minutes=1)  # after which it is measured again
HARD_LIMIT = 120.0  # seconds of a poll task at the most
_TYPICAL_REQUEST = 5.0  # seconds that a request to a slow host takes
Added = tuple["Source", "PollRecord | None"]


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


@dataclass(frozen=True, slots=True)
class Batch:
    """Sources of one kind to be polled by one task, under one lease token."""

    queue: str
    ids: list[int]
    token: str


def measure_paces(tx: Transaction, now: datetime) -> None:
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


def batches(claimed: Sequence[Claimed], token: str) -> Iterator[Batch]:
    """Cut by kind, sources of one host together: they wait for each other anyway. Suspects are polled alone."""
    for name, kind in kinds().items():
        for one in claimed:
            if one.kind == name and one.suspect:
                yield Batch(kind.queue, [one.id], token)
        ids = [one.id for one in sorted(claimed, key=lambda one: one.host) if one.kind == name and not one.suspect]
        for start in range(0, len(ids), BATCH):
            yield Batch(kind.queue, ids[start : start + BATCH], token)
