"""Determine the health of sources and of this installation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.reader.public_sources import OVERDUE, error_code, sentence_of, service_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from aggregator.domain.source_health import StaleSource
    from storage.store import Transaction

MOST_STALE = 1000  # sources that responses name
_MOST_AWAY = 5  # services that pages name
_SILENCE = timedelta(seconds=60)  # without ticks, after which polling seems to have stopped


@dataclass(frozen=True, slots=True)
class Stale:
    """A source whose items may be out of date."""

    slug: str
    name: str
    last_success: datetime | None
    age: int | None  # seconds since then, in whole minutes; None: never succeeded
    code: str
    reason: str  # contains addresses and internal names: not public

    @property
    def plain(self) -> str:
        """The public reason."""
        return sentence_of(self.code)


@dataclass(frozen=True, slots=True)
class Health:
    """The stale sources, and the services that don't answer. Equal values look the same to readers."""

    stale: tuple[Stale, ...] = ()
    away: tuple[str, ...] = ()  # public names of services

    def of(self, slugs: Collection[str]) -> tuple[Stale, ...]:
        """Return the stale sources among some slugs; an empty collection means all."""
        return tuple(source for source in self.stale if not slugs or source.slug in slugs)


def read_health(tx: Transaction, now: datetime) -> Health:
    """Return the stale sources with age and reason, the first ones by slug."""
    stale = tuple(_stale(source, now) for source in tx.polling.sources.stale(now, MOST_STALE))
    away = {service_of(host): None for host in sorted(tx.polling.outages.held_hosts())}
    return Health(stale, tuple(away)[:_MOST_AWAY])


def _stale(source: StaleSource, now: datetime) -> Stale:
    success = source.last_success
    age = None if success is None else int((now - success).total_seconds()) // 60 * 60
    reason = source.last_error or source.state_reason or "It has not been polled for a long time."
    code = error_code(source.state, source.last_error_code) or OVERDUE
    return Stale(source.slug, source.name, success, age, code, reason)


def worker_warning(last_tick: datetime | None, now: datetime) -> str | None:
    """Return a warning if no scheduler seems to run, else None."""
    if last_tick is None:
        return "The scheduler has not run yet. Start a scheduler and a worker to collect new items."
    age = now - last_tick
    if age <= _SILENCE:
        return None
    return (
        f"The scheduler last ran {age.total_seconds():.0f} s ago: it or the control worker seems to be down, "
        "and no new items are collected until it runs again."
    )
