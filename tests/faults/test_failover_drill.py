"""Run a drill on the whole stack: the database is refused, hung, half-open, read-only, crashed and failed over.

A client asks the reader five times a second all the while. Visible items stay visible, every response is in time, and
polling goes on without a restart once the database is back.
"""

from __future__ import annotations

import signal
import statistics
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests import servers
from tests.faults.tcp_proxy import TcpProxy
from tests.processes import Processes, eventually
from tests.upstream import Entry, Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

PAUSE = 0.2  # seconds between two rounds of requests
OUTAGE = 12.0  # seconds of each fault
CACHED = ("/", "/api/v1/activities", "/feed.rss", "/feed.json")
# The goals are 50 ms and 1 s on an idle machine; the limits here leave room for a busy one.
CACHED_LIMIT, OTHER_LIMIT = 1.0, 3.0  # seconds


@dataclass
class Answers:
    """The client's responses during one fault."""

    cached: list[tuple[int, float]] = field(default_factory=list)  # status and seconds
    others: list[tuple[int, float]] = field(default_factory=list)

    def line(self, fault: str, resumed: float) -> str:
        return f"{fault:14} {_figures(self.cached)} | {_figures(self.others)} | polling after {resumed:4.1f} s"


def test_readers_and_polls_outlive_every_trouble_of_the_database(tmp_path: Path, redis_url: str) -> None:
    with servers.postgresql_node() as (primary, _), Publisher(feeds=4, entries=3) as publisher:
        primary.stop()
        standby = primary.copy_as_standby(servers.free_port())
        primary.start()
        try:
            with TcpProxy.before("127.0.0.1", primary.port) as proxy:
                url = make_url(primary.url).set(port=proxy.port).render_as_string()
                with _running(tmp_path, url, redis_url, publisher) as stack:
                    _drill(Drill(stack, proxy, primary, standby, publisher))
        finally:
            standby.stop()


@dataclass
class Drill:
    stack: Processes
    proxy: TcpProxy
    primary: servers.PostgresNode
    standby: servers.PostgresNode
    publisher: Publisher
    lines: list[str] = field(default_factory=list)
    rounds: int = 0

    def during(self, name: str, begin: Callable[[], object], end: Callable[[], object]) -> None:
        """Send requests during a fault, end it, and wait until a new item is polled and shown."""
        shown = len(self.stack.items())
        answers = Answers()
        begin()
        until = time.monotonic() + OUTAGE
        while time.monotonic() < until:
            self._ask(answers)
            time.sleep(PAUSE)
        end()
        start = time.monotonic()
        self.publisher.feeds["1"].entries.insert(0, Entry(f"after-{name}", f"After {name}", "News."))
        eventually(f"polling goes on after {name}", lambda: len(self.stack.items()) > shown)
        resumed = time.monotonic() - start
        self.lines.append(answers.line(name, resumed))
        print(self.lines[-1])
        assert {status for status, _ in answers.cached} == {200}, self.lines
        assert {status for status, _ in answers.others} <= {200, 503}, self.lines
        assert max(seconds for _, seconds in answers.cached) < CACHED_LIMIT, self.lines
        assert max(seconds for _, seconds in answers.others) < OTHER_LIMIT, self.lines
        assert resumed < 30, self.lines

    def _ask(self, answers: Answers) -> None:
        """Send all requests at once, as independent clients do."""
        self.rounds += 1
        others = (f"/api/v1/activities?q=word{self.rounds}", f"/activities/{self.rounds}", "/readyz")
        threads = [
            *(threading.Thread(target=_get, args=(self.stack, path, answers.cached)) for path in CACHED),
            *(threading.Thread(target=_get, args=(self.stack, path, answers.others)) for path in others),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _get(stack: Processes, path: str, into: list[tuple[int, float]]) -> None:
    start = time.perf_counter()
    try:
        with urlopen(f"http://127.0.0.1:{stack.port}{path}", timeout=60) as answer:
            answer.read()
            status = answer.status
    except HTTPError as error:
        status = 200 if error.code == 404 else error.code  # an item that does not exist is an answer
        error.close()
    except (URLError, OSError):
        status = 0
    into.append((status, time.perf_counter() - start))


def _drill(drill: Drill) -> None:
    proxy, primary, standby = drill.proxy, drill.primary, drill.standby
    standby.start()
    drill.during("refused", proxy.refuse, proxy.restore)
    drill.during("hung", proxy.hang, proxy.restore)
    drill.during("half-open", proxy.forget, proxy.restore)
    with _locked(primary) as (lock, unlock):
        drill.during("pool full", lock, unlock)
    drill.during("crashed", lambda: primary.stop(signal.SIGQUIT), primary.start)

    def to_the_standby() -> None:
        eventually("the standby has it all", lambda: _newest(standby) == _newest(primary))
        proxy.target = ("127.0.0.1", standby.port)
        primary.stop()

    drill.during("read-only", to_the_standby, standby.promote)
    assert drill.stack.terminate("reader") == 0
    for name in ("worker", "scheduler"):
        drill.stack.terminate(name)


@contextmanager
def _running(folder: Path, url: str, redis_url: str, publisher: Publisher) -> Iterator[Processes]:
    environ = {
        "AGGREGATOR_DATABASE_URL": url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_HOST_CONCURRENCY": "4",
        "AGGREGATOR_RATE_LIMIT": "off",
    }
    with Processes(folder, environ) as stack:
        stack.aggregator("migrate")
        stack.aggregator("source", "add", "--every", "1", *(publisher.url(f"/good/{n}.xml") for n in range(1, 5)))
        stack.worker()
        stack.scheduler()
        stack.reader()
        eventually("all is shown", lambda: len(stack.items()) == 12)
        answers = Answers()
        for path in CACHED:
            _get(stack, path, answers.cached)
        assert {status for status, _ in answers.cached} == {200}
        yield stack


@contextmanager
def _locked(node: servers.PostgresNode) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """Lock a table that every request reads, so that requests pile up until no connection is left."""
    with psycopg.connect(node.url.replace("+psycopg", "")) as connection:

        def lock() -> None:
            while True:
                try:
                    connection.execute("LOCK TABLE activity, source IN ACCESS EXCLUSIVE MODE")
                except psycopg.errors.DeadlockDetected:  # a poll holds one of the tables and needs the other
                    connection.rollback()
                else:
                    return

        yield lock, connection.rollback


def _newest(node: servers.PostgresNode) -> int | None:
    with suppress(psycopg.Error), psycopg.connect(node.url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT max(id) FROM activity").fetchone()
        return int(row[0]) if row else None
    return None


def _figures(answers: list[tuple[int, float]]) -> str:
    by_status: dict[int, int] = {}
    for status, _ in answers:
        by_status[status] = by_status.get(status, 0) + 1
    seconds = sorted(seconds for _, seconds in answers)
    p99 = seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
    statuses = " ".join(f"{count}x{status}" for status, count in sorted(by_status.items()))
    return f"{statuses:14} p50 {statistics.median(seconds) * 1000:6.1f} ms p99 {p99 * 1000:6.1f} ms"
