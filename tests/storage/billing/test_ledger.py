"""Test the ledger and the budget on both databases: no double billing or reservation, also with eight threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.billing.budget import DOLLAR, Cycle, Metered, Prices, Terms
from aggregator.domain.billing.metering import Call, Purpose, Returned
from aggregator.domain.errors import BudgetError, CapReachedError
from aggregator.services.billing_ledger import HOLD, StoreSpending
from storage.store import Store
from tests.building import NOON, add_source

if TYPE_CHECKING:
    from datetime import datetime

PRICES = Prices(post=5_000, user=10_000)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def spending(
    store: Store, budget: float | None = None, *, reserve: float = 0.0, clock: Clock | None = None
) -> StoreSpending:
    terms = Terms(PRICES, None if budget is None else round(budget * DOLLAR), reserve, 1)
    return StoreSpending(store, clock or Clock(), {"x": Metered("x", "X", "twitter", terms)})


def call(posts: int = 10, users: int = 0, *, purpose: Purpose = Purpose.POLL, source_id: int = 1) -> Call:
    return Call("x", "/2/users/:id/tweets", purpose, posts, users, source_id)


def read(port: StoreSpending, posts: list[str], users: list[str] | None = None, **requests: int) -> float:
    async def work() -> float:
        token = await port.reserve(call(len(posts), len(users or []), **requests))  # type: ignore[arg-type]
        return await port.settle(token, Returned(posts, users or []))

    return asyncio.run(work())


def spent(store: Store, day: str = "2000-01-01") -> tuple[int, int, int, int]:
    with store.reading() as tx:
        lines = tx.billing.ledger.ledger("x", day)
    return (
        sum(line.requests for line in lines),
        sum(line.posts for line in lines),
        sum(line.users for line in lines),
        sum(line.micros for line in lines),
    )


def promised(store: Store) -> int:
    with store.reading() as tx:
        return tx.billing.ledger.standing("x", Cycle.at(NOON, 1)).reserved


def test_each_thing_is_billed_once_a_day(store: Store) -> None:
    clock = Clock()
    port = spending(store, clock=clock)
    assert read(port, ["1", "2"], ["9"]) == pytest.approx(0.02)
    assert read(port, ["2", "3"], ["9"], source_id=2) == pytest.approx(0.005)
    assert spent(store) == (2, 3, 1, 25_000)
    clock.now += timedelta(days=1)
    assert read(port, ["2"]) == pytest.approx(0.005)
    assert spent(store) == (3, 4, 1, 30_000)
    with store.reading() as tx:
        assert [day[1:] for day in tx.billing.ledger.days("x", "2000-01-01")] == [(2, 3, 1, 25_000), (1, 1, 0, 5_000)]
    clock.now += timedelta(days=3)
    with store.writing() as tx:
        assert tx.billing.ledger.forget_billed(clock.now) == 5


def test_an_answer_without_anything_costs_nothing_but_is_counted(store: Store) -> None:
    assert read(spending(store), []) == 0
    assert spent(store) == (1, 0, 0, 0)
    assert promised(store) == 0


def test_what_would_pass_the_budget_is_refused_before_it_is_sent(store: Store) -> None:
    port = spending(store, 0.1)
    read(port, [str(n) for n in range(15)])
    with pytest.raises(BudgetError, match=r"\$0\.0250 is left until .*this may cost \$0\.0500"):
        read(port, [str(n) for n in range(20, 30)])
    read(port, [str(n) for n in range(20, 25)])
    with pytest.raises(BudgetError, match=r"\$0\.00 is left"):
        read(port, ["99"])
    assert spent(store)[1:] == (20, 0, 100_000)


def test_what_is_kept_for_compliance_can_be_spent_on_nothing_else(store: Store) -> None:
    port = spending(store, 0.1, reserve=0.5)
    read(port, [str(n) for n in range(10)])
    with pytest.raises(BudgetError):
        read(port, ["99"])
    asyncio.run(port.reserve(call(10, purpose=Purpose.COMPLIANCE)))
    with pytest.raises(BudgetError):
        asyncio.run(port.reserve(call(1, purpose=Purpose.COMPLIANCE)))


def test_compliance_gets_its_part_day_by_day(store: Store) -> None:
    clock = Clock()
    port = spending(store, 31.0, reserve=0.5, clock=clock)
    clock.now = NOON.replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    async def work() -> None:
        first = await port.room("x", Purpose.COMPLIANCE)
        assert first == pytest.approx(0.5 / 0.005, abs=2)
        token = await port.reserve(call(60, purpose=Purpose.COMPLIANCE))
        await port.settle(token, Returned([str(n) for n in range(60)]))
        assert await port.room("x", Purpose.COMPLIANCE) == pytest.approx(40, abs=3)

    asyncio.run(work())
    assert asyncio.run(spending(store).room("x", Purpose.COMPLIANCE)) is None


def test_a_cap_stops_every_call_until_the_next_cycle_or_until_somebody_says_so(store: Store) -> None:
    clock = Clock()
    port = spending(store, clock=clock)
    until = asyncio.run(port.block("x", "X's usage cap is reached."))
    assert (until.day, until.hour) == (1, 0)
    with pytest.raises(CapReachedError, match="usage cap is reached") as refused:
        read(port, ["1"])
    assert refused.value.until == NOON + timedelta(hours=1)  # our own refusals cost nothing
    clock.now = until
    read(port, ["1"])
    asyncio.run(port.block("x", "again"))
    with store.writing() as tx:
        tx.billing.ledger.block("x", None, None)
    read(port, ["2"])


def test_what_a_dead_worker_promised_is_free_when_somebody_reads_the_same_again(store: Store) -> None:
    clock = Clock()
    port = spending(store, 0.1, clock=clock)
    asyncio.run(port.reserve(call(15)))  # and dies
    with pytest.raises(BudgetError):
        read(port, [str(n) for n in range(10)])
    clock.now += HOLD
    with pytest.raises(BudgetError):  # another source's reading is no evidence: X may have billed this one
        read(port, [str(n) for n in range(10)], source_id=2)
    read(port, [str(n) for n in range(15)])
    assert (promised(store), spent(store)[3]) == (0, 75_000)


def test_what_a_dead_worker_promised_on_another_day_is_entered_as_lost(store: Store) -> None:
    clock = Clock()
    port = spending(store, 0.2, clock=clock)
    asyncio.run(port.reserve(call(15)))
    clock.now += timedelta(days=1)
    read(port, ["1"])
    with store.reading() as tx:
        assert {line.purpose: line.micros for line in tx.billing.ledger.ledger("x", "2000-01-01", by=("purpose",))} == {
            "poll": 5_000,
            "lost": 75_000,
        }
    assert promised(store) == 0


def test_a_token_is_settled_once(store: Store) -> None:
    port = spending(store)
    token = asyncio.run(port.reserve(call()))
    asyncio.run(port.settle(token, Returned(["1"])))
    assert asyncio.run(port.settle(token, Returned(["2"]))) == 0
    assert spent(store)[1] == 1


@pytest.mark.slow
@pytest.mark.parametrize("settling", [False, True])
def test_eight_at_once_never_promise_more_than_there_is(database_url: str, settling: bool) -> None:
    opened = Store.open(database_url)
    opened.migrate(authority="test.invalid", today=NOON.date())
    budget, each = 2.0, 10 * 5_000
    refused: list[int] = []

    def own() -> Store:
        """Workers are processes of their own; on SQLite they are threads of one."""
        return opened if database_url.startswith("sqlite") else Store.open(database_url)

    async def calls(port: StoreSpending, number: int) -> None:
        for turn in range(25):
            try:
                token = await port.reserve(call(10, source_id=number))
            except BudgetError:
                refused.append(number)
                continue
            if settling:
                await port.settle(token, Returned([f"{number}{turn:03}{n}" for n in range(turn % 11)]))

    def work(number: int) -> None:
        store = own()
        asyncio.run(calls(spending(store, budget), number))
        if store is not opened:
            store.close()

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(work, range(8)))
    total = spent(opened)[3] + promised(opened)
    assert budget * DOLLAR - each < total <= budget * DOLLAR  # all of it, and not a cent more
    assert promised(opened) == (0 if settling else budget * DOLLAR)
    assert refused
    opened.close()


def test_the_ration_shares_what_is_left_among_those_that_want_more(store: Store) -> None:
    clock = Clock()
    clock.now = NOON.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert asyncio.run(spending(store, clock=clock).ration("x")) is None
    wants = {add_source(store, f"s{n}", "twitter").id: want for n, want in enumerate((0.01, 1.0, 2.0))}
    with store.writing() as tx:
        for id_, want in wants.items():
            tx.polling.sources.change(id_, appetite=want)
    days = 31 if clock.now.month in {1, 3, 5, 7, 8, 10, 12} else 30
    ration = asyncio.run(spending(store, days * 1.01, clock=clock).ration("x"))
    assert ration is not None
    assert ration.dollars == pytest.approx(0.5)
    assert ration.posts == pytest.approx(100)
    assert asyncio.run(spending(store, 1000.0, clock=clock).ration("x")).dollars is None  # type: ignore[union-attr]
