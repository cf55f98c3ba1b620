"""Implement the `Spending` port on the store: reserve money before each paid request, and record the cost after it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from aggregator.domain.billing import budget
from aggregator.domain.billing.budget import DOLLAR, Cycle, dollars
from aggregator.domain.billing.metering import Purpose, Ration
from aggregator.domain.errors import BudgetError, CapReachedError
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from aggregator.domain.billing.budget import Metered
    from aggregator.domain.billing.metering import Call, Returned
    from aggregator.domain.billing.quota import Quota
    from aggregator.domain.clock import Clock
    from storage.store import Store, Transaction

HOLD = timedelta(seconds=60)  # longer than any request takes; a worker that holds one longer is dead
ASK_AGAIN = timedelta(hours=1)  # our own refusal costs nothing, and the budget may have been raised meanwhile
FIRST_READING = 0.1  # share of the remaining budget for the first polls of all sources together
SPARE_A_DAY = 10  # posts that are looked up without a reason, however little was spent
_RATION_KEPT = timedelta(minutes=1)


class StoreSpending:
    """Spending of one process; the database coordinates the reservations of all processes."""

    def __init__(self, store: Store, clock: Clock, metered: Mapping[str, Metered]) -> None:
        self._store = store
        self._clock = clock
        self._metered = metered
        self._rations: dict[str, tuple[datetime, Ration | None]] = {}  # by service: computed when, and the value

    async def reserve(self, call: Call) -> str:
        """Reserve the money for a call.

        Raises:
            BudgetError: the rest of the budget is too small; nothing was sent.
            CapReachedError: the service reported a cap, which hasn't been lifted since.
        """
        return await in_database_thread(self._reserve, call, self._clock())

    async def settle(self, token: str, returned: Returned) -> float:
        """Record what a call returned; return the cost in dollars."""
        return await in_database_thread(self._settle, token, returned, self._clock())

    async def take_unit(self, quota: Quota, endpoint: str, source_id: int = 0) -> None:
        """Count a call against a daily quota.

        Raises:
            BudgetError: the quota is used up; nothing was sent.
            CapReachedError: the service reported that it is, which hasn't been lifted since.
        """
        await in_database_thread(self._take_unit, quota, endpoint, source_id, self._clock())

    async def block(self, service: str, reason: str, until: datetime | None = None) -> datetime:
        """Block a service until its next cycle or until an operator lifts the block; return when the block ends."""
        until = until or self._cycle(service, self._clock()).ends()
        await in_database_thread(self._written, lambda tx: tx.billing.ledger.block(service, until, reason))
        return until

    async def ration(self, service: str) -> Ration | None:
        """Return the ration of a source; None: there is no budget."""
        now, known = self._clock(), self._rations.get(service)
        if known is None or now - known[0] > _RATION_KEPT:
            known = (now, await in_database_thread(self._ration, service, now))
            self._rations[service] = known
        return known[1]

    async def room(self, service: str, purpose: Purpose) -> int | None:
        """Return how many posts may be read now: today's share of the remaining budget, if there is one."""
        return await in_database_thread(self._room, service, purpose, self._clock())

    async def spare(self, service: str) -> int | None:
        """Return how many posts may be read now to see whether they changed.

        With a budget, that is today's share of the reserve. Without one, it is the reserve's part of the costs of the
        cycle so far, but some posts on each day.
        """
        now = self._clock()
        terms = self._metered[service].terms
        if terms.budget is not None or not terms.prices.post:
            return await self.room(service, Purpose.COMPLIANCE)
        return await in_database_thread(self._spare, service, now)

    def _spare(self, service: str, now: datetime) -> int:
        terms = self._metered[service].terms
        with self._store.reading() as tx:
            standing = tx.billing.ledger.standing(service, self._cycle(service, now))
            today = tx.billing.ledger.spent_today(service, Purpose.COMPLIANCE, now)
        least = SPARE_A_DAY * terms.prices.post - today if terms.reserve else 0
        part = round((standing.spent - standing.compliance) * terms.reserve) - standing.compliance
        return max(least, part, 0) // terms.prices.post

    def _reserve(self, call: Call, now: datetime) -> str:
        terms, cycle = self._metered[call.service].terms, self._cycle(call.service, now)
        most = terms.prices.of(call.posts, call.users, call.owned)
        token = uuid4().hex
        with self._store.writing(lock_stream=False) as tx:
            block = tx.billing.ledger.lock(call.service)
            if block is not None and block.until > now:
                raise CapReachedError(block.reason, until=min(block.until, now + ASK_AGAIN))
            tx.billing.ledger.reclaim(call, now)
            free = tx.billing.ledger.standing(call.service, cycle).free(
                terms, compliance=call.purpose is Purpose.COMPLIANCE
            )
            if free is not None and most > free:
                label = self._metered[call.service].label
                raise BudgetError(
                    f"The budget for {label} is used up: {dollars(free)} is left until {cycle.end}, and this "
                    f"may cost {dollars(most)}. Nothing was sent; see 'aggregator budget'.",
                    until=min(cycle.ends(), now + ASK_AGAIN),
                )
            tx.billing.ledger.reserve(token, call, most, now, now + HOLD)
        return token

    def _take_unit(self, quota: Quota, endpoint: str, source_id: int, now: datetime) -> None:
        day = quota.day(now)
        with self._store.writing(lock_stream=False) as tx:
            block = tx.billing.ledger.lock(quota.service)
            if block is not None and block.until > now:
                raise CapReachedError(block.reason, until=block.until)
            if tx.billing.ledger.units_taken(quota.service, day) >= quota.units:
                raise BudgetError(
                    f"The daily quota for {quota.label} is used up: {quota.units} units. Nothing was sent.",
                    until=quota.ends(now),
                )
            tx.billing.ledger.take_unit(quota.service, day, endpoint, source_id)

    def _settle(self, token: str, returned: Returned, now: datetime) -> float:
        prices = {service: metered.terms.prices for service, metered in self._metered.items()}
        with self._store.writing(lock_stream=False) as tx:
            return tx.billing.ledger.settle(token, returned, prices, now) / DOLLAR

    def _written(self, work: Callable[[Transaction], None]) -> None:
        with self._store.writing(lock_stream=False) as tx:
            work(tx)

    def _ration(self, service: str, now: datetime) -> Ration | None:
        metered, cycle = self._metered[service], self._cycle(service, now)
        with self._store.reading() as tx:
            free = tx.billing.ledger.standing(service, cycle).free(metered.terms, compliance=False)
            appetites = tx.billing.ledger.appetites(metered.kind)
            owned = tx.api.credentials.owned_sources(service, metered.kind, now)
        if free is None:
            return None
        per_day = budget.ration(budget.presumed(appetites, metered.terms, owned), free, cycle.left(now))
        price = metered.terms.prices.post
        if not price:
            return None
        first = int(free * FIRST_READING / max(len(appetites), 1) / price)
        return Ration(first, free // price, per_day, None if per_day is None else per_day * DOLLAR / price)

    def _room(self, service: str, purpose: Purpose, now: datetime) -> int | None:
        terms, cycle = self._metered[service].terms, self._cycle(service, now)
        if terms.budget is None or not terms.prices.post:
            return None
        compliance = purpose is Purpose.COMPLIANCE
        with self._store.reading() as tx:
            standing = tx.billing.ledger.standing(service, cycle)
            today = tx.billing.ledger.spent_today(service, purpose, now)
        left = standing.free(terms, compliance=compliance) or 0
        if compliance:  # limited to the reserve for compliance; the rest is for new posts
            left = min(left, max(round(terms.budget * terms.reserve) - standing.compliance, 0))
        for_today = (left + today) * (budget.DAY / max(cycle.left(now), budget.DAY)) - today
        return max(int(for_today // terms.prices.post), 0)

    def _cycle(self, service: str, now: datetime) -> Cycle:
        return Cycle.at(now, self._metered[service].terms.cycle_day)
