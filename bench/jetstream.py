"""Measure pushed events of many accounts in the whole stack: `make bench ARGS="jetstream"`.

    make bench ARGS="jetstream --accounts 10000 --rate 500 --minutes 10 --disconnect 20"

The listener, a Celery worker, the scheduler and a reader run as in production, on PostgreSQL and Redis, against a
Jetstream server and an AppView of our own on loopback (`bench.jetstream_farm`). All connections of the stream are cut
every DISCONNECT seconds. Afterwards, each post that was not deleted must be stored once, and no other. A deletion takes
from its event until the reader's change feed has it, which all outputs follow. Accounts have no spacing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen

from sqlalchemy import insert, text

from aggregator.domain.polling.pushes import stream_names
from bench.cost import cpu_of_tree, memory_of_tree
from bench.jetstream_farm import did_of
from storage.store import Store
from storage.tables.polling import source
from tests import servers
from tests.processes import ROOT, Processes, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 2000  # per statement
_PROGRAMS = ("listener", "worker", "reader")
_STORED = text("SELECT native_id FROM activity WHERE gone IS NULL")
_GONE = text("SELECT id, native_id FROM activity WHERE gone IS NOT NULL")
_ASKED = text("SELECT count(*) FROM source WHERE asked IS NOT NULL")


@dataclass(slots=True)
class Load:
    """What happens: numbers of accounts, events a second, and seconds."""

    accounts: int = 10_000
    rate: float = 500.0
    seconds: float = 600.0
    disconnect: float = 20.0
    processes: int = 2  # of the worker
    drain: float = 1800.0  # after the load, until all announced posts must be stored


@dataclass(slots=True)
class Result:
    """What happened."""

    events: int = 0
    cuts: int = 0
    requests: int = 0  # to the AppView
    late: float = 0.0  # seconds by which the load was behind at most
    kept: int = 0  # posts and reposts that were not deleted
    missing: int = 0
    doubled: int = 0
    surplus: int = 0  # stored, although they were deleted or never existed
    deletions: int = 0
    delays: list[float] = field(default_factory=list)  # seconds, of deletions of stored posts, in ascending order
    drained: float = 0.0  # seconds after the load until all was stored
    cpu: dict[str, float] = field(default_factory=dict)  # seconds, by program
    memory: dict[str, float] = field(default_factory=dict)  # MB at the most, by program

    def delay(self, share: float) -> float:
        """Return the delay that this share of deletions does not exceed."""
        return self.delays[min(int(share * len(self.delays)), len(self.delays) - 1)] if self.delays else 0.0


class _Removals:
    """Follows the reader's change feed, and notes when each removal is seen first."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/changes"
        self.seen: dict[int, float] = {}
        self._stop = threading.Event()
        self._after = 0
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.wait(0.1):
            with suppress(HTTPError):  # the reader is busy, and is asked again
                while self._read():
                    pass

    def _read(self) -> bool:
        with urlopen(f"{self._url}?after={self._after}&limit=1000", timeout=60) as answer:
            page = json.load(answer)
        now = time.time()
        for change in page["changes"]:
            if change["type"] == "gone":
                self.seen.setdefault(int(change["id"]), now)
        self._after = page["next"]
        return bool(page["more"])


def measure(load: Load, folder: Path, url: str, redis: str) -> Result:
    """Run the stack under a load, and return what happened."""
    with _farm(load) as address:
        environ = {
            "AGGREGATOR_DATABASE_URL": url,
            "AGGREGATOR_BROKER_URL": redis,
            "AGGREGATOR_SECRET_KEY": "k" * 43,
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
            "AGGREGATOR_HOST_CONCURRENCY": "64",
            "AGGREGATOR_POLLS_PER_MINUTE": "100000",
            "AGGREGATOR_LOG_LEVEL": "warning",
            "AGGREGATOR_RATE_LIMIT": "off",
            "AGGREGATOR_BLUESKY_API": f"http://{address}",
            "AGGREGATOR_BLUESKY_JETSTREAM": f"ws://{address}",
        }
        with Processes(folder, environ) as processes:
            processes.aggregator("migrate")
            store = Store.open(url)
            try:
                _add_accounts(store, load.accounts, f"127.0.0.1:{address.rpartition(':')[2]}")
                return _run(load, address, processes, store)
            finally:
                store.close()


def _run(load: Load, address: str, processes: Processes, store: Store) -> Result:
    processes.worker("worker", "-c", str(load.processes))
    processes.scheduler()
    processes.reader()
    processes.start("listener", sys.executable, "-m", "aggregator", "listen")
    eventually("the stream is connected", lambda: _state(address)["connections"] == 1)
    pids = {
        name: pid for name in _PROGRAMS if (pid := processes.pid(name) if name != "worker" or load.processes else None)
    }
    before = {name: cpu_of_tree(pid) for name, pid in pids.items()}
    removals, result = _Removals(processes.port), Result()
    removals.start()
    _get(f"http://{address}/begin")
    began = time.monotonic()
    while not (state := _state(address))["done"]:
        _note_memory(pids, result)
        time.sleep(1.0)  # between two looks
    result.cpu = {name: cpu_of_tree(pid) - before[name] for name, pid in pids.items()}
    wall = time.monotonic() - began
    result.cpu["wall"] = wall
    result.events, result.cuts, result.late = state["events"], state["cuts"], state["lag"]
    expected = _get(f"http://{address}/result")
    result.drained = _drain(store, set(expected["kept"]), load.drain)
    _note_memory(pids, result)
    removals.stop()
    result.requests = _state(address)["requests"]
    _compare(store, expected, removals.seen, result)
    return result


def _drain(store: Store, kept: set[str], longest: float) -> float:
    """Wait until all posts are stored that should be; return how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < longest:
        with store.engine.connect() as connection:
            stored = set(connection.execute(_STORED).scalars())
            requested = connection.execute(_ASKED).scalar_one()
        if kept <= stored and not requested:
            break
        time.sleep(1.0)  # between two looks
    return time.monotonic() - began


def _compare(store: Store, expected: dict[str, Any], seen: dict[int, float], result: Result) -> None:
    with store.engine.connect() as connection:
        stored = list(connection.execute(_STORED).scalars())
        gone = {row.id: row.native_id for row in connection.execute(_GONE)}
    kept, unique = set(expected["kept"]), set(stored)
    result.kept, result.deletions = len(kept), len(expected["deleted"])
    result.missing, result.surplus, result.doubled = len(kept - unique), len(unique - kept), len(stored) - len(unique)
    deleted: dict[str, float] = expected["deleted"]
    result.delays = sorted(
        seen.get(id_, float("inf")) - deleted[native_id] for id_, native_id in gone.items() if native_id in deleted
    )


def _add_accounts(store: Store, count: int, host: str) -> None:
    now = datetime.now(UTC)
    for first in range(0, count, ROWS):
        with store.engine.begin() as connection:
            numbers = range(first, min(first + ROWS, count))
            connection.execute(insert(source), [_row(number, host, now) for number in numbers])
    with store.writing() as tx:  # so that the first connection does not make all accounts due
        tx.polling.pushes.put_times({stream_names("bluesky").position: now})
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _row(number: int, host: str, now: datetime) -> dict[str, Any]:
    did = did_of(number)
    return {
        "slug": f"account{number:08}",
        "kind": "bluesky",
        "name": f"Account number {number}",
        "address": f"@{did[-15:]}.example",
        "own_host": host,
        "host": host,
        "options": {"user_id": did},
        "policy": "auto",
        "state": "active",
        "state_reason": "",
        "floor": 60,
        "interval": 3600,
        "due": now + timedelta(hours=2),
        "due_reason": "adaptive",
        "last_polled": now,
        "last_success": now,
        "fetch_state": {},
        "created": now,
        "revision": 0,
        "failures": 0,
    }


def _note_memory(pids: dict[str, int], result: Result) -> None:
    for name, pid in pids.items():
        result.memory[name] = max(result.memory.get(name, 0.0), memory_of_tree(pid))


def _state(address: str) -> dict[str, Any]:
    return _get(f"http://{address}/state")


def _get(url: str) -> dict[str, Any]:
    with urlopen(url, timeout=120) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def _farm(load: Load) -> Iterator[str]:
    """Run the servers in a process of their own; yield their address."""
    numbers = [str(load.accounts), str(load.rate), str(load.seconds), str(load.disconnect)]
    command = [sys.executable, "-m", "bench.jetstream_farm", *numbers]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def show(load: Load, result: Result) -> None:
    """Print a result."""
    wall = result.cpu["wall"]
    print(f"{load.accounts:,} accounts, {result.events:,} events in {wall:.0f} s, {result.cuts} disconnections")
    print(f"  the load was behind by {result.late:.1f} s at most; {result.requests:,} requests to the AppView")
    print(f"  {result.kept:,} posts and reposts: {result.missing} missing, {result.doubled} doubled", end="")
    print(f", {result.surplus} that should be gone; all were stored {result.drained:.0f} s after the load")
    shares = "  ".join(f"p{100 * share:g} {result.delay(share):.2f} s" for share in (0.5, 0.99, 0.999, 1.0))
    print(f"  {result.deletions:,} deletions, {len(result.delays):,} of them of stored posts: {shares}")
    for name in result.memory:
        share = 100 * result.cpu[name] / wall
        print(f"  {name:<10}{share:6.1f} % of a core  {result.memory[name]:6.0f} MB")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--disconnect", type=float, default=20.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--drain", type=float, default=30.0, help="minutes")
    given = parser.parse_args(arguments)
    seconds, drain = 60 * given.minutes, 60 * given.drain
    load = Load(given.accounts, given.rate, seconds, given.disconnect, given.processes, drain)
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.postgresql(durable=True) as (url, _),
        servers.redis() as (redis, _),
    ):
        show(load, measure(load, Path(folder), url, redis))
