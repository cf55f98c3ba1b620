"""Test `aggregator run` and `serve` as processes: everything in one on SQLite, with other commands at the same time."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.processes import Processes, eventually
from tests.upstream import Entry, Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.stack


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(feeds=3, entries=3) as publisher:
        yield publisher


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Processes]:
    environ = {"AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1", "AGGREGATOR_HOST_SPACING": "0"}
    with Processes(tmp_path, environ) as embedded:
        yield embedded


def _run(embedded: Processes) -> None:
    embedded.start("run", sys.executable, "-m", "aggregator", "run")
    eventually("the reader answers", lambda: embedded.get("/healthz"))


@pytest.mark.slow
def test_a_feed_added_beside_it_is_followed_and_pulled_by_it(embedded: Processes, publisher: Publisher) -> None:
    _run(embedded)
    embedded.aggregator("source", "add", "--every", "600", publisher.url("/good/1.xml"))
    assert len(embedded.items()) == 3
    publisher.feeds["1"].entries.insert(0, Entry("fresh", "Fresh"))
    output = embedded.aggregator("pull", "feed-1").stdout  # the running one does it, this one waits
    assert output == "feed-1: new (1 new, 0 changed, 3 known)\n"
    eventually("the reader's cache follows", lambda: len(embedded.items()) == 4)
    assert "source polled" in embedded.log("run")
    assert "ticking" in embedded.aggregator("status").stdout
    assert embedded.get("/readyz")["worker"] is None
    assert (embedded.folder / "secret-key").exists()


@pytest.mark.slow
def test_a_pull_beside_it_is_told_of_a_host_that_wants_silence(embedded: Processes, publisher: Publisher) -> None:
    _run(embedded)
    embedded.aggregator("source", "add", "--every", "600", publisher.url("/good/1.xml"))
    embedded.aggregator("source", "add", publisher.url("/429"), code=1)
    output = embedded.aggregator("pull", "feed-1", code=1).stdout
    assert "feed-1: failed. 127.0.0.1:" in output
    assert "paused for another" in output
    assert publisher.hits["/good/1.xml"] == 1


@pytest.mark.slow
def test_what_is_approved_for_later_appears_by_itself(embedded: Processes, publisher: Publisher) -> None:
    _run(embedded)
    began = time.monotonic()
    embedded.aggregator("source", "add", "--policy", "hold", publisher.url("/good/1.xml"))
    assert embedded.items() == []
    ahead = 2 + 4 * (time.monotonic() - began)  # later than the next command can take on this machine
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + ahead))
    output = embedded.aggregator("review", "approve", "1", "--at", soon).stdout
    assert "approved from" in output
    assert embedded.items() == []
    eventually("it is shown", lambda: [item["id"] for item in embedded.items()] == ["1"])


@pytest.mark.slow
def test_it_ends_within_five_seconds_also_in_the_middle_of_a_poll(embedded: Processes, publisher: Publisher) -> None:
    _run(embedded)
    embedded.aggregator("source", "add", "--every", "600", publisher.url("/good/1.xml"))
    publisher.feeds["1"].entries.clear()
    _hang(publisher)
    with subprocess.Popen(
        [sys.executable, "-m", "aggregator", "pull", "feed-1"], env=embedded.environment, stdout=subprocess.DEVNULL
    ) as pull:
        hits = publisher.hits["/good/1.xml"]
        eventually("the poll is under way", lambda: publisher.hits["/good/1.xml"] > hits)
        group = embedded._running["run"].pid
        began = time.monotonic()
        assert embedded.terminate("run", signal.SIGINT, patience=60) == 0
        assert time.monotonic() - began < 15  # five on an idle machine
        pull.kill()
    assert subprocess.run(["pgrep", "-g", str(group)], check=False, capture_output=True).stdout == b""
    assert "Traceback" not in embedded.log("run")


def _hang(publisher: Publisher) -> None:
    """Make the feed's response never arrive."""
    publisher.hang.add("/good/1.xml")


@pytest.mark.slow
def test_a_second_writer_is_refused(embedded: Processes) -> None:
    _run(embedded)
    output = embedded.aggregator("run", code=1, AGGREGATOR_LISTEN="127.0.0.1:0").stderr
    assert "Another process already polls into this SQLite database" in output


@pytest.mark.slow
def test_a_taken_port_is_told_plainly(embedded: Processes) -> None:
    with socket.create_server(("127.0.0.1", embedded.port)):
        embedded.aggregator("migrate")
        for word in ("run", "serve"):
            output = embedded.aggregator(word, code=1).stderr
            assert f"can't listen on 127.0.0.1:{embedded.port}: Address already in use" in output
            assert "AGGREGATOR_LISTEN" in output


def test_the_reader_alone_serves_what_others_pulled(embedded: Processes, publisher: Publisher) -> None:
    embedded.aggregator("migrate")
    embedded.aggregator("source", "add", publisher.url("/good/1.xml"))
    embedded.reader()
    assert len(embedded.items()) == 3
    ready = embedded.get("/readyz")
    assert (ready["status"], ready["last_tick_at"]) == ("ready", None)
    assert "The scheduler has not run yet" in ready["worker"]
    assert embedded.terminate("reader") == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("worker", "worker"), "AGGREGATOR_BROKER_URL is memory://"),
        (("scheduler", "beat"), "AGGREGATOR_BROKER_URL is memory://"),
    ],
    ids=["worker", "scheduler"],
)
@pytest.mark.slow
def test_a_separate_process_on_memory_is_refused(embedded: Processes, words: tuple[str, str], reason: str) -> None:
    done = _celery(embedded, *words)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "aggregator run" in done.stderr


@pytest.mark.slow
def test_worker_processes_on_sqlite_are_refused(embedded: Processes, redis_url: str) -> None:
    embedded.aggregator("migrate")
    embedded.environ = {**embedded.environ, "AGGREGATOR_BROKER_URL": redis_url}
    done = _celery(embedded, "worker", "worker")
    assert done.returncode == 2
    assert "start this worker with '--pool threads'" in done.stderr
    embedded.start(
        "threads", sys.executable, "-m", "celery", "-A", "worker", "worker", "--pool", "threads", "-Q", "feeds,control"
    )
    eventually("one with threads is taken", lambda: "ready" in embedded.log("threads"))
    done = _celery(embedded, "worker", "worker", "--pool", "threads")
    assert done.returncode == 2
    assert "Another process already polls" in done.stderr


@pytest.mark.slow
def test_a_worker_refuses_a_schema_that_does_not_fit(embedded: Processes, redis_url: str) -> None:
    embedded.environ = {**embedded.environ, "AGGREGATOR_BROKER_URL": redis_url}
    done = _celery(embedded, "worker", "worker", "--pool", "threads")
    assert done.returncode == 2
    assert "run 'aggregator migrate'" in done.stderr


def _celery(embedded: Processes, app: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", app, *words],
        check=False,
        env=embedded.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
