"""Provide databases, Redis and stores to all tests, and report the servers that were used."""

from __future__ import annotations

import gc
import logging
import os
import shutil
from contextlib import contextmanager
from datetime import date
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import hypothesis
import psycopg
import pytest
import redis as redis_client
import structlog
from sqlalchemy.engine import make_url

from aggregator.source_api import parser_pool
from aggregator.sources import kinds
from aggregator.web import database_threads
from storage import store as store_module
from storage.store import Store
from tests import identifiers, servers
from tests.compiled_statements import make_sharing_engine
from tests.parser_processes import ReusedChild, StartedChild, end_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

kinds()  # registers the networks, as every process does with its settings

TODAY = date(2026, 3, 2)
SLOW_LIMIT = 900  # seconds for a test that is slow by its nature, on a busy machine
ROOT = Path(__file__).parent
QUICK = {"", "config", "domain", "source_api", "sources", "system", "text"}
WAITING = ("browser", "long", "stack")  # markers of tests that wait more than they compute
LAST_WAITING = 0.7  # the part of a run in which they begin
WATCHING = {"test_response_cache", "test_sse", "test_database_trouble", "test_outputs"}
_versions: list[str] = []  # of the servers really used, for the closing lines; from every process of a divided run


def plain_logging() -> None:
    """Print log events with plain tracebacks; structlog's own take seconds where `rich` is installed."""
    structlog.reset_defaults()
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])


plain_logging()
# A test dependency brings `rich`, whose import takes a third of a command's start: not in the product's processes.
os.environ["PYTHONPATH"] = str(ROOT / "as_installed")

# Whether generating inputs is slow depends on the machine, not on the code.
_BUSY: dict[str, Any] = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("quick", max_examples=30, **_BUSY)  # 'make test'
hypothesis.settings.register_profile("thorough", max_examples=500, **_BUSY)  # 'make test-long'
hypothesis.settings.load_profile("quick")


@pytest.fixture(autouse=True)
def unconfigured_logging() -> Iterator[None]:
    """Undo the logging setup of commands."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    plain_logging()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests wait: in tests, the writer and its readers share one process of a busy machine."""
    monkeypatch.setattr(database_threads, "PATIENCE", 30.0)


@pytest.fixture(scope="session", autouse=True)
def reused_parsers() -> Iterator[None]:
    """Reuse idle parser processes between tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser_pool, "_Child", ReusedChild)
        yield
    end_all()


@pytest.fixture(scope="session", autouse=True)
def shared_statements() -> Iterator[None]:
    """Compile each SQL statement once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "make_engine", make_sharing_engine)
        yield


@pytest.fixture
def own_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the parser processes of a test like the product."""
    monkeypatch.setattr(parser_pool, "_Child", StartedChild)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Give the URL of a real PostgreSQL's maintenance database."""
    with servers.postgresql() as (url, origin):
        with psycopg.connect(_plain(url)) as connection:
            version = connection.info.parameter_status("server_version")
        _versions.append(f"PostgreSQL {version} ({origin})")
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """Give the URL of an empty database on it."""
    with _database(postgresql_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[str]:
    """Give the name of a migrated database to copy, which is a hundred times as fast as migrating."""
    with _database(postgresql_server) as url:
        _migrate(url)
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "template.sqlite3"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """Give the URL of a real Redis."""
    with servers.redis() as (url, origin):
        with redis_client.Redis.from_url(url) as client:
            info = client.info("server")
        name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
        _versions.append(f"{name} {info.get('valkey_version', info['redis_version'])} ({origin})")
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """Give the URL of an empty Redis."""
    with redis_client.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'test.sqlite3'}"


@pytest.fixture
def sqlite_store(sqlite_url: str, sqlite_template: Path) -> Iterator[Store]:
    """Give an empty, migrated store on SQLite."""
    shutil.copy(sqlite_template, sqlite_url.removeprefix("sqlite:///"))
    store = Store.open(sqlite_url)
    yield store
    store.close()


@pytest.fixture
def postgresql_store(postgresql_server: str, postgresql_template: str) -> Iterator[Store]:
    """Give an empty, migrated store on PostgreSQL."""
    with _database(postgresql_server, postgresql_template) as url:
        store = Store.open(url)
        yield store
        store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    """Give an empty, migrated store on each kind of database in turn."""
    store: Store = request.getfixturevalue(f"{request.param}_store")
    return store


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, on each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@contextmanager
def _database(server: str, template: str = "template0") -> Iterator[str]:
    """Create a database for one test."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        # Copying files takes half of the time that logging pages does.
        how = "STRATEGY file_copy" if connection.info.server_version >= 150_000 else ""
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {how}'.encode())
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _migrate(url: str) -> None:
    store = Store.open(url)
    store.migrate(authority="test.invalid", today=TODAY)
    store.close()


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Give parametrized tests readable ids that are the same in every process."""
    return identifiers.identifier(val, argname)


def _is_for_the_long_run(item: pytest.Item) -> bool:
    """Return whether a test repeats on a second kind of database what it does on the first.

    The queries themselves run on both in `tests/storage`; what follows from watching the database does in WATCHING.
    Pages and outputs run on SQLite, which is quicker, and everything else on PostgreSQL.
    """
    kinds = getattr(getattr(item, "callspec", None), "id", "").split("-")
    package = _package(item.path)
    if package in {"reader", "review"}:
        return "postgresql" in kinds and item.path.stem not in WATCHING
    runs_on_both = package == "storage" and not item.get_closest_marker("one_database")
    return "sqlite" in kinds and not runs_on_both


@cache
def _package(path: Path) -> str:
    """Return the name of the folder below `tests` that a module lies in; "" for none."""
    return path.relative_to(ROOT).parts[0] if path.parent != ROOT else ""


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse unstable identifiers; run quick tests first, with those that wait among them in a divided run."""
    faults = [f"{item.nodeid}: {fault}" for item in items if (fault := identifiers.fault(item.nodeid))]
    if faults:
        raise pytest.UsageError("Identifiers of tests must be the same in every run:\n" + "\n".join(faults))
    for item in items:
        if _is_for_the_long_run(item):
            item.add_marker(pytest.mark.slow)
        if "browser" in getattr(item, "fixturenames", ()):  # one Chromium for all tests of a module
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_LIMIT))
    items.sort(key=_rank)
    if getattr(config.option, "loadgroup", False):
        items[:] = _spread(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to divide groups of tests, and keep thousands of collected tests out of every garbage collection."""
    if getattr(session.config.option, "loadgroup", False):
        divided = [item for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
        if divided:
            raise pytest.UsageError(f"This version of pytest-xdist ignores the groups of tests: {divided[0].nodeid}")
    gc.collect()
    gc.freeze()


def _rank(item: pytest.Item) -> int:
    return 0 if _package(item.path) in QUICK else 1


def _spread(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Begin a test that waits every now and then, so that the processors are busy and no late one delays the end."""
    waiting = [item for item in items if any(map(item.get_closest_marker, WAITING))]
    computing = [item for item in items if not any(map(item.get_closest_marker, WAITING))]
    distance = LAST_WAITING * len(computing) / max(len(waiting), 1)
    places = [(number * distance, item) for number, item in enumerate(waiting)]
    return [item for _, item in sorted([*places, *enumerate(computing)], key=itemgetter(0))]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the servers' versions from each process of a divided run to the main process."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["versions"] = _versions


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Receive them; a crashed process has none."""
    _versions.extend(getattr(node, "workeroutput", {}).get("versions", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the versions of the servers that were used."""
    for version in dict.fromkeys(_versions):
        terminalreporter.write_line(f"Really used: {version}")
