"""Measure polling and reading on SQLite and PostgreSQL: `make bench`.

    make bench ARGS="--feeds 500 --database postgresql"
    make bench ARGS="reading"                               # the reader, over HTTP and with a million activities
        make bench ARGS="sources"                               # the reader, the desk and commands with 100,000 sources
        make bench ARGS="--documents FOLDER --grown FOLDER"     # your own feeds: *.xml, and later versions of them

Each step is complete: claim, fetch over HTTP from a loopback server, parse, screen, store, reschedule. Requests have no
spacing here, and 64 run on the one host at a time; a publisher's host gets one every 2 s. CPU is measured separately
for this process and the database server. The last column compares with feedparser alone at its defaults, in the same
run, for the same documents (every fifth one), to calibrate the machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from aggregator.config.logging import configure_logging
from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.polling.results import Discovery
from aggregator.domain.polling.schedule import PRIVATE_FLOOR
from aggregator.domain.source import Policy
from aggregator.domain.stream import Query
from aggregator.services.dispatch import BATCH
from bench import reading, sources
from bench.cost import measured, peak_memory
from bench.farm import farm, write
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

READS = 200


def main() -> None:
    parts = {"reading": reading.main, "sources": sources.main}
    if sys.argv[1:] and sys.argv[1] in parts:
        parts[sys.argv[1]](sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=100)
    parser.add_argument("--entries", type=int, default=40)
    parser.add_argument("--documents", type=Path)
    parser.add_argument("--grown", type=Path)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    configure_logging("error", "text")
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        documents, grown = arguments.documents or Path(folder, "first"), arguments.grown or Path(folder, "grown")
        if not arguments.documents:
            write(documents, arguments.feeds, arguments.entries)
            write(grown, arguments.feeds, arguments.entries, grown=True)
        paths = sorted(documents.glob("*.xml"))[: arguments.feeds]
        size = sum(path.stat().st_size for path in paths)
        with farm(documents, grown) as address:
            alone = 5 * _parse_alone(paths[::5])
            bare = 5 * _parse_alone(paths[::5], sanitize_html=False, resolve_relative_uris=False)
            print(f"{len(paths)} feeds, {size / 1e6:.1f} MB; CPU of start-up {started:.2f} s")
            print(f"feedparser alone {alone:.2f} s, without its sanitiser and resolver {bare:.2f} s")
            for database in arguments.database or ["sqlite", "postgresql"]:
                with house_on(database) as container:
                    _measure(container, database, address, [path.stem for path in paths], alone)
            print(f"\npeak memory {peak_memory():.0f} MB")


def _measure(container: Container, database: str, address: str, names: Sequence[str], alone: float) -> None:
    head = ("wall s", "CPU s", "+ database", "= in all", "ms a feed", "x feedparser")
    print(f"\n{database:<26}" + "".join(f"{word:>13}" for word in head))

    def step(name: str, work: Callable[[], object]) -> None:
        cost = measured(work, container.store.engine)
        each = 1000 * cost.cpu / len(names)
        numbers = (cost.wall, cost.program, cost.database, cost.cpu, each, cost.cpu / alone)
        print(f"  {name:<24}" + "".join(f"{number:>13.3f}" for number in numbers))

    conditional = follow(container, address, "conditional", names)
    step("cold, all new", lambda: poll(container, conditional))
    step("unchanged, 304", lambda: poll(container, conditional))
    step("unchanged, 304 again", lambda: poll(container, conditional))
    plain = follow(container, address, "plain", names)
    poll(container, plain)
    step("unchanged, full bodies", lambda: poll(container, plain))
    with urlopen(Request(f"{address}/grow", method="POST"), timeout=10):
        pass
    step("5 % grew by one entry", lambda: poll(container, conditional))
    _measure_reading(container)


def _measure_reading(container: Container) -> None:
    with container.store.reading() as tx:
        page = tx.stream.activities.page(Query(limit=50))
        deep = page
        for _ in range(20):
            deep = tx.stream.activities.page(Query(limit=100, after=deep.next)) if deep.next else deep
    for name, query in (("newest 50", Query(limit=50)), ("50 at depth 2,000", Query(limit=50, after=deep.next))):
        times = sorted(_timed(container, query) for _ in range(READS))
        print(f"  read {name:<21}{1000 * times[READS // 2]:>8.2f} ms median,{1000 * times[-3]:>7.2f} ms p99")


def _timed(container: Container, query: Query) -> float:
    began = time.perf_counter()
    with container.store.reading() as tx:
        tx.stream.activities.page(query)
    return time.perf_counter() - began


def poll(container: Container, ids: Sequence[int]) -> None:
    """Poll in batches of a worker task's size."""
    reports = [
        report
        for start in range(0, len(ids), BATCH)
        for report in container.polling.poll_now(ids[start : start + BATCH])
    ]
    failed = [report for report in reports if report.error]
    if failed or len(reports) != len(ids):
        raise RuntimeError(f"{len(reports)} of {len(ids)} polled, {len(failed)} failed: {failed[:1]}")


def follow(container: Container, address: str, how: str, names: Sequence[str]) -> list[int]:
    ids = []
    with container.store.writing() as tx:
        for name in names:
            found = Discovery(
                kind="rss",
                address=f"{address}/{how}/{name}.xml",
                host=address.removeprefix("http://"),
                name=f"{how} {name}",
                slug=f"{how}-{name}",
                every=None,
                floor=PRIVATE_FLOOR,
            )
            ids.append(tx.polling.sources.add(found, slug=found.slug, policy=Policy.AUTO, now=container.clock()).id)
    return ids


def _parse_alone(paths: Sequence[Path], **options: bool) -> float:
    import feedparser

    bodies = [path.read_bytes() for path in paths]
    began = time.process_time()
    for body in bodies:
        feedparser.parse(body, **options)
    return time.process_time() - began


@contextmanager
def house_on(database: str) -> Iterator[Container]:
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
        container = Container(Settings.from_environment(environ))
        container.migrate()
        yield container
        container.close()


if __name__ == "__main__":
    main()
