"""Test the stack through a real PgBouncer in transaction mode, under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pgbouncer import HOW, pgbouncer, program
from tests.processes import Processes, eventually
from tests.stack.load import load
from tests.upstream import Entry, Publisher

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.stack,
    pytest.mark.xdist_group("stack"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(program() is None, reason=HOW),
]

FEEDS = 10
REQUESTS, POLLS = 600, 100  # at least


@pytest.mark.parametrize("ignored", ["extra_float_digits", "extra_float_digits, options"], ids=["refused", "ignored"])
@pytest.mark.parametrize("direct", [False, True], ids=["polled", "notified"])
def test_worker_and_reader_share_few_sessions_without_an_error(
    tmp_path: Path, postgresql_url: str, redis_url: str, ignored: str, direct: bool
) -> None:
    with (
        pgbouncer(postgresql_url, size=6, ignored=ignored) as url,
        Publisher(feeds=FEEDS, entries=4) as publisher,
        Processes(tmp_path, _environ(url, redis_url, postgresql_url if direct else "")) as stack,
    ):
        stack.aggregator("migrate")
        feeds = [publisher.url(f"/good/{number}.xml") for number in range(1, FEEDS + 1)]
        stack.aggregator("source", "add", "--every", "1", *feeds)
        stack.worker()
        stack.scheduler()
        stack.reader()
        eventually("the worker polls", lambda: publisher.hits.total() > 2 * FEEDS)  # its start takes both processors
        before = publisher.hits.total()
        with load(stack) as answers:
            for number in range(1, 4):
                publisher.feeds["1"].entries.insert(0, Entry(f"fresh-{number}", f"Fresh {number}", "News."))
                title = f"Fresh {number}"
                eventually("it is shown", lambda: title in {item["title"] for item in stack.items()})  # noqa: B023
            eventually("enough requests", lambda: answers.statuses.total() >= REQUESTS, patience=120)
            eventually("enough polls", lambda: publisher.hits.total() - before >= POLLS, patience=120)
        print(f"{answers.statuses.total()} requests {dict(answers.statuses)}, {publisher.hits.total() - before} polls")
        assert answers.errors == 0, answers.statuses
        assert {source["last_error"] for source in stack.sources().values()} == {None}
        for name in ("worker", "scheduler", "reader"):
            for word in ("Traceback", "prepared statement", "[error", "database away"):
                assert word not in stack.log(name), (name, word)
        assert "database-" not in stack.aggregator("doctor", "--json", code=None).stdout
        assert "Database: PostgreSQL" in stack.aggregator("status", code=None).stdout


def _environ(url: str, redis_url: str, direct: str) -> dict[str, str]:
    return {
        "AGGREGATOR_DATABASE_URL": url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_HOST_CONCURRENCY": "4",
        "AGGREGATOR_RATE_LIMIT": "off",
        **({"AGGREGATOR_DIRECT_DATABASE_URL": direct} if direct else {}),
    }
