"""`make bench`: what polling and reading cost here, on SQLite and on PostgreSQL.

    make bench ARGS="--feeds 500 --entries 40 --database sqlite"

Each step is whole: claim, fetch over HTTP, parse, screen, store, reschedule. CPU is this process alone, without the
database server and the farm. The last column compares with what feedparser alone needs, in the same run, for the bytes
of all feeds: the part of a cold poll that is not ours.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from aggregator.logs import configure_logging
from aggregator.settings import Settings
from aggregator.source import Discovery, Policy
from aggregator.stream import Query
from aggregator.wiring import House
from bench.farm import farm
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=100)
    parser.add_argument("--entries", type=int, default=40)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    configure_logging("error", "text")
    with farm(arguments.feeds, arguments.entries) as address:
        floor = _parse_alone(address, arguments.feeds)
        print(f"{arguments.feeds} feeds of {arguments.entries} entries; feedparser alone: {floor:.2f} s CPU")
        for database in arguments.database or ["sqlite", "postgresql"]:
            with _house(database) as house:
                _measure(house, database, address, arguments.feeds, floor)


def _measure(house: House, database: str, address: str, feeds: int, floor: float) -> None:
    print(f"\n{database:<28}{'wall s':>9}{'CPU s':>9}{'ms CPU a feed':>15}{'x feedparser':>14}")

    def step(name: str, work: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"  {name:<26}{wall:>9.2f}{cpu:>9.2f}{1000 * cpu / feeds:>15.2f}{cpu / floor:>14.3f}")

    conditional = _add(house, address, "conditional", feeds)
    step("cold, all new", lambda: _poll(house, conditional))
    step("unchanged, 304", lambda: _poll(house, conditional))
    with urlopen(Request(f"{address}/grow/5", method="POST"), timeout=10):
        pass
    step("5 % grew by one entry", lambda: _poll(house, conditional))
    plain = _add(house, address, "plain", feeds)
    _poll(house, plain)
    step("unchanged, full bodies", lambda: _poll(house, plain))
    _measure_reading(house)


def _measure_reading(house: House) -> None:
    with house.store.reading() as tx:
        page = tx.activities.page(Query(limit=50))
        deep = page
        for _ in range(20):
            deep = tx.activities.page(Query(limit=100, after=deep.next)) if deep.next else deep
    for name, query in (("newest 50", Query(limit=50)), ("50 at depth 2,000", Query(limit=50, after=deep.next))):
        times = sorted(_timed(house, query) for _ in range(READS))
        print(f"  read {name:<21}{1000 * times[READS // 2]:>8.2f} ms median,{1000 * times[-3]:>7.2f} ms p99")


def _timed(house: House, query: Query) -> float:
    began = time.perf_counter()
    with house.store.reading() as tx:
        tx.activities.page(query)
    return time.perf_counter() - began


def _poll(house: House, ids: list[int]) -> None:
    reports = [report for start in range(0, len(ids), 50) for report in house.poll_now(ids[start : start + 50])]
    failed = [report for report in reports if report.error]
    if failed or len(reports) != len(ids):
        raise RuntimeError(f"{len(reports)} of {len(ids)} polled, {len(failed)} failed: {failed[:1]}")


def _add(house: House, address: str, how: str, feeds: int) -> list[int]:
    ids = []
    with house.store.writing() as tx:
        for number in range(feeds):
            found = Discovery(
                kind="rss",
                address=f"{address}/{how}/{number}.xml",
                host=address.removeprefix("http://"),
                name=f"{how} {number}",
                slug=f"{how}-{number}",
                every=timedelta(hours=1),
                floor=timedelta(seconds=1),
            )
            ids.append(tx.sources.add(found, slug=found.slug, policy=Policy.AUTO, now=house.clock()).id)
    return ids


def _parse_alone(address: str, feeds: int) -> float:
    import feedparser

    bodies = [urlopen(f"{address}/plain/{number}.xml", timeout=10).read() for number in range(feeds)]
    began = time.process_time()
    for body in bodies:
        feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
    return time.process_time() - began


@contextmanager
def _house(database: str) -> Iterator[House]:
    with tempfile.TemporaryDirectory() as folder, servers.postgresql() as (url, _):
        environ = {
            "AGGREGATOR_DATA_DIR": folder,
            "AGGREGATOR_DATABASE_URL": url
            if database == "postgresql"
            else f"sqlite:///{Path(folder) / 'bench.sqlite3'}",
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
            "AGGREGATOR_HOST_CONCURRENCY": "64",
            "AGGREGATOR_LEASE": "3600",
        }
        house = House(Settings.from_environment(environ))
        house.migrate()
        yield house
        house.close()


if __name__ == "__main__":
    main()
