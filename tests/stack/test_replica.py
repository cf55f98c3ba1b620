"""Test the stack with a reader on a real streaming replica, under load."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psycopg
import pytest

from tests import servers
from tests.processes import Processes, eventually
from tests.review.conftest import Visitor
from tests.stack.load import load
from tests.upstream import Entry, Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import PostgresNode

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]

REQUESTS = 600  # at least


@contextmanager
def replicated() -> Iterator[tuple[PostgresNode, PostgresNode]]:
    with servers.postgresql_node() as (primary, _):
        primary.stop()
        standby = primary.copy_as_standby(servers.free_port())
        primary.start()
        standby.start()
        try:
            yield primary, standby
        finally:
            standby.stop()


@contextmanager
def running(folder: Path, primary: PostgresNode, standby: PostgresNode, redis_url: str) -> Iterator[Processes]:
    environ = {
        "AGGREGATOR_DATABASE_URL": primary.url,
        "AGGREGATOR_REPLICA_URL": standby.url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_HOST_CONCURRENCY": "4",
        "AGGREGATOR_RATE_LIMIT": "off",
    }
    with Processes(folder, environ) as stack:
        stack.aggregator("migrate")
        yield stack


def test_a_reader_on_a_replica_shows_news_and_nothing_removed(tmp_path: Path, redis_url: str) -> None:
    with (
        replicated() as (primary, standby),
        running(tmp_path, primary, standby, redis_url) as stack,
        Publisher(feeds=4, entries=4) as publisher,
    ):
        feeds = [publisher.url(f"/good/{number}.xml") for number in range(1, 5)]
        stack.aggregator("source", "add", "--every", "1", *feeds)
        stack.worker()
        stack.scheduler()
        stack.reader()
        with load(stack) as answers:
            publisher.feeds["1"].entries.insert(0, Entry("fresh", "Fresh news", "Just in."))
            eventually("it is shown", lambda: "Fresh news" in _titles(stack))
            [id_] = [item["id"] for item in stack.items() if item["title"] == "Fresh news"]
            with lagging(standby):
                stack.aggregator("review", "hide", id_, "--reason", "test")
                eventually("it is hidden", lambda: "Fresh news" not in _titles(stack), patience=5)
                for _ in range(50):
                    assert "Fresh news" not in _titles(stack)
                eventually("the lag is seen", lambda: _metric(stack, "replica_lag_revisions") > 0)
            eventually("enough requests", lambda: answers.statuses.total() >= REQUESTS, patience=120)
        reads = {name: _metric(stack, f'replica_reads_total{{database="{name}"}}') for name in ("replica", "primary")}
        print(f"{answers.statuses.total()} requests {dict(answers.statuses)}, reads {reads}")
        assert answers.errors == 0, answers.statuses
        assert reads["replica"] > reads["primary"]
        status = stack.aggregator("status", code=None).stdout
        assert re.search(r"^Replica: \d+\.\d s behind", status, re.MULTILINE)
        assert "Traceback" not in stack.log("reader")


def test_a_reader_outlives_its_primary_and_says_what_is_not_possible(tmp_path: Path, redis_url: str) -> None:
    with (
        replicated() as (primary, standby),
        running(tmp_path, primary, standby, redis_url) as stack,
        Publisher(feeds=1, entries=4) as publisher,
    ):
        stack.aggregator("source", "add", publisher.url("/good/1.xml"))
        stack.reader()
        eventually("the replica has it all", lambda: len(stack.items()) == 4)
        primary.stop()
        eventually("the primary's absence is known", lambda: stack.get("/readyz")["replica_lag"] is not None)
        with load(stack) as answers:
            eventually("enough requests", lambda: answers.statuses.total() >= REQUESTS, patience=120)
        print(f"without the primary: {answers.statuses.total()} requests {dict(answers.statuses)}")
        assert answers.errors == 0, answers.statuses
        assert len(stack.items("limit=3")) == 4
        assert stack.get("/readyz")["status"] == "ready"
        refused = Visitor(f"http://127.0.0.1:{stack.port}").sign_in("ana")  # it needs the primary
        assert refused.status == 503
        assert "The database is unavailable" in refused.text
        stack.kill("reader")
        stack.reader()  # starts on the replica alone
        assert len(stack.items("limit=2")) == 4


def test_a_replica_in_place_of_the_database_is_named(tmp_path: Path, redis_url: str) -> None:
    with replicated() as (primary, standby), running(tmp_path, primary, standby, redis_url) as stack:
        stack.environ = {**stack.environ, "AGGREGATOR_DATABASE_URL": standby.url, "AGGREGATOR_REPLICA_URL": ""}
        found = stack.aggregator("doctor", "--json", code=1).stdout
        assert "database-read-only" in found
        assert "AGGREGATOR_REPLICA_URL" in found


@contextmanager
def lagging(standby: PostgresNode) -> Iterator[None]:
    with psycopg.connect(standby.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_pause()")
        state = "SELECT pg_get_wal_replay_pause_state()"
        eventually("it is paused", lambda: connection.execute(state).fetchone() == ("paused",))
        yield
        connection.execute("SELECT pg_wal_replay_resume()")


def _titles(stack: Processes) -> set[str]:
    return {item["title"] for item in stack.items()}


def _metric(stack: Processes, name: str) -> float:
    with urlopen(f"http://127.0.0.1:{stack.port}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"aggregator_{name}")), 0.0)
