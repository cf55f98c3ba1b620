"""Measure the cost of many sources for the reader, the desk and commands: `make bench ARGS="sources"`.

    make bench ARGS="sources --count 20000 --database sqlite"

One source in a thousand fails. `aggregator serve` runs as in production; its idle CPU is that of its process and of the
database server. Each page is requested several times, and the median counts. Commands are measured with the start of
Python, which `settings` needs, too; `source list` and `source list --json` until their first line.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

from sqlalchemy import insert, text

from aggregator.config import passwords
from aggregator.domain.access.accounts import Role
from bench.cost import cpu_of_children, cpu_of_process, measured
from storage.store import Store
from storage.tables.polling import source
from tests import servers
from tests.review.conftest import Visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

COUNT = 100_000
IDLE = 20.0  # seconds
TIMES = 5
ROWS = 5_000  # per statement
PASSWORD = "a password for the bench"
READER = ("/api/v1/sources?limit=100", "/api/v1/sources", "/api/v1/activities", "/")
DESK = ("", "/sources", "/sources?q=number+99", "/sources/s000007", "/freezes", "/rules", "/rules/new", "/history")
COMMANDS = (("settings",), ("status",), ("source", "list"), ("source", "list", "--json"))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    given = parser.parse_args(arguments)
    for database in given.database or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory() as folder, servers.postgresql() as (address, _):
            url = address if database == "postgresql" else f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
            _measure(url, folder, given.count)


def _measure(url: str, folder: str, count: int) -> None:
    store = Store.open(url)
    store.migrate(authority="bench.invalid", today=datetime.now(UTC).date())
    seconds = _timed(lambda: _fill(store, count))
    print(f"\n{count:,} sources on {store.engine.dialect.name}, stored in {seconds:.0f} s")
    listen = f"127.0.0.1:{servers.free_port()}"
    environ = {**os.environ, "AGGREGATOR_DATA_DIR": folder, "AGGREGATOR_DATABASE_URL": url, "AGGREGATOR_LISTEN": listen}
    print(f"  {'':<36}{'wall':>11}{'CPU':>11}")
    with _serving(environ, f"http://{listen}") as reader:
        before = cpu_of_process(reader)
        idle = measured(lambda: time.sleep(IDLE), store.engine)
        share = (cpu_of_process(reader) - before + idle.database) / IDLE
        print(f"  idle reader {100 * share:.2f} % of a core, of that the database {100 * idle.database / IDLE:.2f} %")
        for path in READER:
            _measure_step(store, path, partial(_read, f"http://{listen}{path}"), lambda: cpu_of_process(reader))
        desk = Visitor(f"http://{listen}")
        desk.sign_in("ana", PASSWORD)
        for path in DESK:
            _measure_step(store, f"/review{path}", partial(_page, desk, path), lambda: cpu_of_process(reader))
    for words in COMMANDS:
        _measure_step(store, " ".join(words), partial(_first_line, words, environ), cpu_of_children)
    store.close()


def _measure_step(store: Store, name: str, work: Callable[[], None], cpu: Callable[[], float]) -> None:
    """Run work several times and print its median time, and its average CPU including the database's."""
    before = cpu()
    costs = [measured(work, store.engine) for _ in range(TIMES)]
    used = (cpu() - before + sum(cost.database for cost in costs)) / TIMES
    print(f"  {name:<36}{1000 * median(cost.wall for cost in costs):>8.0f} ms{1000 * used:>8.0f} ms", flush=True)


def _fill(store: Store, count: int) -> None:
    now = datetime.now(UTC)
    with store.writing() as tx:
        tx.access.accounts.add("ana", Role.ADMIN, passwords.hashed(PASSWORD), now)
    for first in range(0, count, ROWS):
        with store.engine.begin() as connection:
            connection.execute(insert(source), [_row(n, now) for n in range(first, min(first + ROWS, count))])
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _row(number: int, now: datetime) -> dict[str, Any]:
    failing = number % 1000 == 0
    return {
        "slug": f"s{number:06}",
        "kind": "rss" if number % 10 else "twitter",
        "name": f"Source number {number}",
        "address": f"https://host{number % 5000}.example/feed/{number}" if number % 10 else f"@account{number}",
        "host": f"host{number % 5000}.example:443",
        "options": {"user_id": str(number)} if number % 10 == 0 else {},
        "policy": "auto",
        "state": "active",
        "state_reason": "",
        "floor": 900,
        "interval": 3600,
        "due": now + timedelta(seconds=3600 + number % 3600),
        "due_reason": "adaptive",
        "failures": 5 if failing else 0,
        "fetch_state": {"etag": f'"{number}"', "seen": [f"entry-{number}-{entry}" for entry in range(20)]},
        "created": now - timedelta(days=100),
        "last_success": now - timedelta(hours=9 if failing else 1),
        "last_error": "The server answered with status 500." if failing else None,
        "last_error_code": "http-status" if failing else None,
        "revision": number,
    }


@contextmanager
def _serving(environ: Mapping[str, str], address: str) -> Iterator[int]:
    """Run the reader with its desk; yield the id of its process."""
    with subprocess.Popen([sys.executable, "-m", "aggregator", "serve"], env=environ) as process:
        try:
            for _ in range(300):
                try:
                    _read(f"{address}/healthz")
                    break
                except URLError:
                    time.sleep(0.1)
            time.sleep(2)
            yield process.pid
        finally:
            process.terminate()


def _read(address: str) -> None:
    with urlopen(address, timeout=60) as response:
        response.read()


def _page(desk: Visitor, path: str) -> None:
    answer = desk.get(f"/review{path}")
    if answer.status != 200:
        raise RuntimeError(f"/review{path} answered {answer.status}")


def _first_line(words: tuple[str, ...], environ: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "aggregator", *words]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        if process.stdout is not None:
            process.stdout.readline()
        if words[0] == "source":
            process.kill()
        else:
            process.communicate()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
