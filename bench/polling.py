"""Measure polling on PostgreSQL with a Celery worker, and on SQLite with one process."""

from __future__ import annotations

import platform
import sqlite3
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from sqlalchemy import text

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.polling.results import Discovery
from aggregator.domain.polling.schedule import PRIVATE_FLOOR
from aggregator.domain.source import Policy
from aggregator.domain.stream import Query
from bench.cost import Cost, cpu_of_tree, measured, memory_of_tree
from bench.farm import switch
from bench.programs import celery_worker, one_process, worker_command
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine

    from bench.programs import Program

READS = 200
CALIBRATED_BY = 10  # feedparser reads every tenth document
_POSTGRESQL_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")
_FETCHED = text(
    "SELECT count(*) AS polls, sum(new) AS new, count(error_code) AS failed FROM fetch_log WHERE id > :after"
)


def measure(database: str, address: str, documents: Sequence[Path], rounds: int) -> None:
    """Print a table for a database.

    Args:
        database: "postgresql" or "sqlite".
        address: of the feeds.
        documents: the feeds.
        rounds: how often feeds grow; also the number of the other cheap steps, whose median is printed.
    """
    with tempfile.TemporaryDirectory() as folder, _environment(database, Path(folder)) as environ:
        container = Container(Settings.from_environment(environ))
        container.migrate()
        print(f"\n{_settings(container.store.engine)}")
        ids = follow(container, address, [path.stem for path in documents])
        with _program(database, container, environ, Path(folder)) as program:
            print(f"CPU until it is ready {cpu_of_tree(program.pid):.2f} s")
            _measure_steps(_Steps(container, program, ids, feedparser_cpu(documents)), address, rounds)
            print(f"  memory of the program {memory_of_tree(program.pid):.0f} MB")
        _measure_reading(container)
        container.close()


class _Steps:
    """Measures polls of all sources, and prints a line for each step."""

    def __init__(self, container: Container, program: Program, ids: Sequence[int], feedparser: float) -> None:
        self._container = container
        self._program = program
        self._ids = ids
        self._feedparser = feedparser
        head = ("wall s", "program CPU", "+ database", "= in all", "ms a feed", "feedparser", "ratio", "new entries")
        print(f"  {'':<28}" + "".join(f"{word:>12}" for word in head))

    def poll(self) -> tuple[Cost, int]:
        """Poll all sources; return the cost and the number of new entries."""
        engine = self._container.store.engine
        with engine.connect() as connection:
            after = connection.execute(text("SELECT coalesce(max(id), 0) FROM fetch_log")).scalar_one()
        self._program.request(self._ids)
        cost = measured(lambda: self._program.poll(self._ids), engine, self._program.pid)
        with engine.connect() as connection:
            fetched = connection.execute(_FETCHED, {"after": after}).one()
        if fetched.polls != len(self._ids) or fetched.failed:
            raise RuntimeError(f"{fetched.polls} of {len(self._ids)} polled, {fetched.failed} failed")
        return cost, int(fetched.new)

    def show(self, name: str, polls: Sequence[tuple[Cost, int]]) -> None:
        """Print the medians of some polls."""
        costs = [cost for cost, _ in polls]
        wall, program, database, cpu = (
            median(getattr(cost, name) for cost in costs) for name in ("wall", "program", "database", "cpu")
        )
        numbers = (wall, program, database, cpu, 1000 * cpu / len(self._ids), self._feedparser, cpu / self._feedparser)
        print(f"  {name:<28}" + "".join(f"{number:>12.3f}" for number in numbers) + f"{polls[-1][1]:>12,}", flush=True)


def _measure_steps(steps: _Steps, address: str, rounds: int) -> None:
    times = f"median of {rounds}"
    steps.show("cold, all new", [steps.poll()])
    steps.show(f"unchanged, 304, {times}", [steps.poll() for _ in range(rounds)])
    switch(address, "plain")
    steps.show(f"full bodies, {times}", [steps.poll() for _ in range(rounds)])
    switch(address, "conditional")
    steps.poll()  # to learn the validators again

    def grown() -> tuple[Cost, int]:
        switch(address, "grow")
        return steps.poll()

    steps.show(f"5 % grew, {times}", [grown() for _ in range(rounds)])
    switch(address, "grow")  # the first documents, for the next database


def follow(container: Container, address: str, names: Sequence[str]) -> list[int]:
    """Add feeds as sources."""
    ids = []
    with container.store.writing() as tx:
        for name in names:
            found = Discovery(
                kind="rss",
                address=f"{address}/{name}.xml",
                host=address.removeprefix("http://"),
                name=f"Feed {name}",
                slug=f"feed-{name}",
                every=None,
                floor=PRIVATE_FLOOR,
            )
            ids.append(tx.polling.sources.add(found, slug=found.slug, policy=Policy.AUTO, now=container.clock()).id)
    return ids


def feedparser_cpu(documents: Sequence[Path]) -> float:
    """Return the CPU seconds of feedparser at its defaults for all documents, estimated from some of them."""
    import feedparser

    bodies = [path.read_bytes() for path in documents[::CALIBRATED_BY]]
    began = time.process_time()
    for body in bodies:
        feedparser.parse(body)
    return (time.process_time() - began) * len(documents) / len(bodies)


@contextmanager
def container_on(database: str) -> Iterator[Container]:
    """Give a container on a new database."""
    with tempfile.TemporaryDirectory() as folder, _environment(database, Path(folder)) as environ:
        container = Container(Settings.from_environment(environ))
        container.migrate()
        yield container
        container.close()


@contextmanager
def _environment(database: str, folder: Path) -> Iterator[dict[str, str]]:
    """Give the settings of an installation on a new database, and on a new Redis if that is PostgreSQL."""
    environ = {
        "AGGREGATOR_DATA_DIR": str(folder),
        "AGGREGATOR_DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_HOST_CONCURRENCY": "64",
        "AGGREGATOR_LEASE": "3600",
        "AGGREGATOR_POLLS_PER_MINUTE": "100000",
    }
    with ExitStack() as stack:
        if database == "postgresql":
            environ["AGGREGATOR_DATABASE_URL"], _ = stack.enter_context(servers.postgresql(durable=True))
            environ["AGGREGATOR_BROKER_URL"], _ = stack.enter_context(servers.redis())
        yield environ


@contextmanager
def _program(database: str, container: Container, environ: dict[str, str], folder: Path) -> Iterator[Program]:
    if database == "postgresql":
        print(f"{' '.join(worker_command())}, Redis")
        with celery_worker(container, environ, folder) as worker:
            yield worker
    else:
        print("one process")
        with one_process(environ) as process:
            yield process


def _settings(engine: Engine) -> str:
    """Return the versions and the database's settings for durability and memory."""
    python = f"Python {platform.python_version()}"
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            values = {name: connection.execute(text(f"SHOW {name}")).scalar() for name in _POSTGRESQL_SETTINGS}
            version = f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar()}"
        else:
            names = ("journal_mode", "synchronous")
            values = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in names}
            version = f"SQLite {sqlite3.sqlite_version}"
    return f"{version}, {', '.join(f'{name} {value}' for name, value in values.items())}; {python}"


def _measure_reading(container: Container) -> None:
    with container.store.reading() as tx:
        page = tx.stream.activities.page(Query(limit=50))
        deep = page
        for _ in range(20):
            deep = tx.stream.activities.page(Query(limit=100, after=deep.next)) if deep.next else deep
    for name, query in (("newest 50", Query(limit=50)), ("50 at depth 2,000", Query(limit=50, after=deep.next))):
        times = sorted(_timed(container, query) for _ in range(READS))
        print(f"  read {name:<23}{1000 * times[READS // 2]:>8.2f} ms median,{1000 * times[-3]:>7.2f} ms p99")


def _timed(container: Container, query: Query) -> float:
    began = time.perf_counter()
    with container.store.reading() as tx:
        tx.stream.activities.page(query)
    return time.perf_counter() - began
