"""Read the state of the system for metrics and `status`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.domain.billing.budget import Cycle
from aggregator.domain.monitoring.system_facts import BudgetFacts
from aggregator.services.broker_probe import queue_lengths
from aggregator.services.push_state import push_states
from aggregator.services.queues import QUEUES
from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aggregator.config.settings import Settings
    from aggregator.domain.clock import Clock
    from aggregator.domain.monitoring.system_facts import BrokerFacts, SystemFacts
    from storage.store import Store, Transaction


class SystemFactsReader:
    """Reads the state of the system again and again, for metrics."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._installation = ""  # unknown before the database has answered once

    def system(self) -> SystemFacts:
        """Return the state of the system.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """
        with self._store.reading() as tx:
            self._installation = tx.stream.state.instance()
            return read_system_facts(tx, self._settings, self._clock())

    def broker(self) -> BrokerFacts | None:
        """Return the state of the broker; None: it has no queues that others can see, or their names are unknown."""
        if self._settings.embedded_broker or not self._installation:
            return None
        return queue_lengths(self._settings.broker_url, self._installation, QUEUES)


def read_system_facts(tx: Transaction, settings: Settings, now: datetime) -> SystemFacts:
    """Return the state of the system, with the budgets of metered services and the streams of pushed events."""
    pushes = push_states(tx, settings.kinds, now)
    return replace(tx.monitoring.facts.read(now), budgets=list(_budgets(tx, settings, now)), pushes=pushes)


def _budgets(tx: Transaction, settings: Settings, now: datetime) -> Iterator[BudgetFacts]:
    for kind in kinds().values():
        metered = kind.metered(settings.kinds)
        if metered is None:
            continue
        standing = tx.billing.ledger.standing(metered.service, Cycle.at(now, metered.terms.cycle_day))
        balance = tx.billing.ledger.balance(metered.service, now)
        block = tx.billing.ledger.blocked(metered.service)
        yield BudgetFacts(
            service=metered.service,
            label=metered.label,
            spent=standing.spent,
            reserved=standing.reserved,
            budget=metered.terms.budget,
            balance=None if balance is None else balance.micros,
            balance_days=None if balance is None else balance.days,
            blocked_until=block.until if block is not None and block.until > now else None,
        )
