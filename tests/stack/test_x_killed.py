"""Poll 200 accounts with a week of posts by two workers, of which one is killed every ten seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from aggregator.demo import SAMPLE_TOKEN
from storage.store import Store
from tests.processes import Processes, eventually
from tests.x.crowd import OUTSIDERS, Crowd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]

ACCOUNTS = 200
ANSWER = 0.03  # seconds that each answer takes
KILLED_EVERY = 10.0  # seconds


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    rates = [1 + number % 4 for number in range(ACCOUNTS)]  # a week's posts fit the first page of each
    with Crowd(_now, rates, delay=ANSWER) as crowd:
        crowd.live(_now() - timedelta(days=7), timedelta(days=7))
        yield crowd


def _ask(store: Store, statement: str) -> list[tuple[object, ...]]:
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


@pytest.mark.slow
def test_x_03_killed_workers_lose_nothing_repeat_nothing_and_pay_nothing_twice(
    tmp_path: Path, postgresql_url: str, redis_url: str, crowd: Crowd
) -> None:
    environ = {
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_X_BASE_URL": crowd.url,
        "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
        "AGGREGATOR_LEASE": "14",
    }
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        listed = tmp_path / "handles.txt"
        listed.write_text("\n".join(crowd.handles), encoding="utf-8")
        stack.aggregator("source", "add", "--from", str(listed), "--every", "3600")
        store = Store.open(stack.environ["AGGREGATOR_DATABASE_URL"])
        names = ["one", "two"]
        for name in names:
            stack.worker(name, "--concurrency", "1")
        stack.scheduler()
        expected = [(str(id_),) for id_ in crowd.followed()]
        began, kills = time.monotonic(), 0

        def is_done() -> bool:
            nonlocal kills
            if time.monotonic() - began > KILLED_EVERY * (kills + 1):
                name = names[kills % 2]
                stack.kill(name)
                stack.worker(name, "--concurrency", "1")
                kills += 1
            [(polled,)] = _ask(store, "SELECT count(*) FROM source WHERE last_success IS NOT NULL")
            return polled == ACCOUNTS

        eventually("every account was polled", is_done, patience=200)
        unknown = "SELECT count(*) FROM actor WHERE refresh_after IS NULL"
        eventually("everybody has a name", lambda: _ask(store, unknown) == [(0,)])
        stored = sorted(_ask(store, "SELECT native_id FROM activity"), key=lambda row: int(str(row[0])))
    # After polling has ended: the daily request for X's usage may come at any time.
    [(requests, posts, users)] = _ask(store, "SELECT sum(requests), sum(posts), sum(users) FROM spend")
    store.close()
    assert kills >= 2
    assert stored == expected
    needed = ACCOUNTS + 2 + -(-(ACCOUNTS + OUTSIDERS) // 100)  # timelines, lookups, people
    counts = ("/2/usage/tweets", "/2/usage/credits")  # looked at daily and hourly
    made = sum(crowd.bill.requests.values()) - sum(crowd.bill.requests[name] for name in counts)
    assert made <= needed * 1.05, dict(crowd.bill.requests)
    assert (posts, users) == (len(crowd.bill.posts), len(crowd.bill.users))
    # Reads reserved by a worker that died before it sent the request are counted as a request.
    assert 0 <= int(str(requests)) - sum(crowd.bill.requests.values()) <= kills
