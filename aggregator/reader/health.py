"""Health of sources, and of this installation, from facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.reader.public_sources import OVERDUE, error_code, sentence_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from aggregator.domain.source_health import StaleSource
    from storage.store import Transaction

MOST_STALE = 1000  # sources that responses name
_SILENCE = timedelta(seconds=60)  # between ticks, after which nobody seems to poll


@dataclass(frozen=True, slots=True)
class Stale:
    """A source whose last good items are shown although newer ones should be there."""

    slug: str
    name: str
    last_success: datetime | None
    age: int | None  # seconds since then, in whole minutes; None: it never answered
    code: str
    reason: str  # with addresses and internal names, not for the public

    @property
    def plain(self) -> str:
        """Return the reason for the public."""
        return sentence_of(self.code)


@dataclass(frozen=True, slots=True)
class Health:
    """Which sources are stale. Two of equal value look alike to readers."""

    stale: tuple[Stale, ...] = ()

    def of(self, slugs: Collection[str]) -> tuple[Stale, ...]:
        """Return the stale ones among some sources; an empty collection means all."""
        return tuple(one for one in self.stale if not slugs or one.slug in slugs)


def read_health(tx: Transaction, now: datetime) -> Health:
    """Return which sources are stale, the first ones by slug, how old their items are, and why."""
    return Health(tuple(_stale(source, now) for source in tx.polling.sources.stale(now, MOST_STALE)))


def _stale(source: StaleSource, now: datetime) -> Stale:
    success = source.last_success
    age = None if success is None else int((now - success).total_seconds()) // 60 * 60
    reason = source.last_error or source.state_reason or "It was not asked for a long time."
    code = error_code(source.state, source.last_error_code) or OVERDUE
    return Stale(source.slug, source.name, success, age, code, reason)


def worker_warning(last_tick: datetime | None, now: datetime) -> str | None:
    """Return a sentence where no scheduler seems to run, else None."""
    if last_tick is None:
        return "No tick has run yet: start a scheduler and a worker, or nothing new will arrive."
    age = now - last_tick
    if age <= _SILENCE:
        return None
    return (
        f"The last tick ran {age.total_seconds():.0f} s ago: the scheduler or the control worker seems to be down, "
        "and nothing new will arrive until it runs again."
    )
