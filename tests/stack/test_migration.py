"""Test a migration and its backfill beside a running stack, whose readers and workers are of the version before."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import insert, text

from storage import schema
from storage.store import Store
from storage.tables.migrations import background_migration
from tests.processes import Processes, eventually
from tests.stack.versions import BACKFILL
from tests.upstream import Entry, Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(3600)]

ROWS = int(os.environ.get("MIGRATION_ROWS", "100000"))
LONGEST = 1.0  # seconds of a request
PATIENCE = 600.0 + ROWS / 500
_AT_ONCE = 20_000
_FILL = text(
    "WITH added AS (INSERT INTO activity (source_id, native_id, key, kind, network, url, title, text, html, lang, "
    "published, detail, search_text, first_seen, entry_digest, fingerprint, position, revision, upstream, review, "
    "review_by, review_reason, visible) "
    "SELECT 1, n::text, 'web:' || n, 'article', 'web', 'https://news.example/' || n, "
    "'Number ' || n, 'Words of ' || n, '<p>Words of ' || n || '</p>', 'en', moment, '{}', 'number ' || n, moment, "
    "'d' || n, 'f' || n, moment, n, 'live', 'published', 'policy', '', true "
    "FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n, "
    "LATERAL (SELECT TIMESTAMPTZ '2024-01-01 00:00Z' + n * INTERVAL '1 second' AS moment) AS placed "
    "RETURNING id, first_seen) "
    "INSERT INTO raw_payload (activity_id, payload, stored) "
    "SELECT id, decode(repeat('00', 200), 'hex'), first_seen FROM added"
)


@pytest.fixture
def stack(tmp_path: Path, postgresql_url: str, redis_url: str) -> Iterator[Processes]:
    environ = {
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
    }
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        yield stack


@pytest.fixture
def store(stack: Processes) -> Iterator[Store]:
    store = Store.open(stack.environ["AGGREGATOR_DATABASE_URL"])
    yield store
    store.close()


@dataclass
class Requests:
    """Requests that are sent again and again, and their times in seconds."""

    stack: Processes
    times: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        """Send them until the test ends: cached pages, pages that no cache has, and the health check."""
        while not self.stopping.wait(0.05):
            other = f"/api/v1/activities?limit={1 + len(self.times) % 100}"
            for path in ("/readyz", "/api/v1/activities", other, "/?kind=post"):
                began = time.monotonic()
                try:
                    with urlopen(f"http://127.0.0.1:{self.stack.port}{path}", timeout=30) as response:
                        response.read()
                except HTTPError as error:
                    self.refused.append(f"{path}: {error.code} {error.read().decode()[:200]}")
                self.times.append(time.monotonic() - began)


@contextmanager
def _requests(stack: Processes) -> Iterator[Requests]:
    requests = Requests(stack)
    thread = threading.Thread(target=requests.ask)
    thread.start()
    try:
        yield requests
    finally:
        requests.stopping.set()
        thread.join()


def _fill(store: Store) -> None:
    for first in range(1, ROWS + 1, _AT_ONCE):
        with store.engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(_FILL, {"first": first, "last": min(first + _AT_ONCE - 1, ROWS)})
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE stream SET revision = :rows + 1"), {"rows": ROWS})
        connection.execute(text("ANALYZE"))


def _become_former(store: Store) -> None:
    """Mark the schema as that of the version before; what this code reads, which plays that version, stays there."""
    configuration = schema.configuration(store.engine)
    newest = ScriptDirectory.from_config(configuration).get_revision("head")
    assert newest is not None
    command.stamp(configuration, str(newest.down_revision))


def _start(stack: Processes, version: str, name: str, *words: str) -> None:
    stack.start(name, sys.executable, "-m", "tests.stack.versions", version, *words)


def _worker(stack: Processes, version: str, name: str, queues: str = "feeds,api,control") -> None:
    options = ("-Q", queues, "-c", "2", "-n", f"{name}@test")
    _start(stack, version, name, "celery", "-A", "worker", "worker", *options)


def _count(store: Store, statement: str) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(text(statement)).scalar_one())


def _position(store: Store) -> int:
    return _count(store, "SELECT position FROM background_migration")


@pytest.mark.slow
def test_the_stack_polls_and_serves_during_a_migration(stack: Processes, store: Store) -> None:
    with Publisher(feeds=1) as publisher:
        stack.aggregator("source", "add", "--every", "1", publisher.url("/good/1.xml"))
        _fill(store)
        _become_former(store)
        _worker(stack, "former", "old-worker")
        _start(stack, "former", "scheduler", "celery", "-A", "scheduler", "beat")
        _start(stack, "former", "reader", "aggregator", "serve")
        eventually("the reader answers", lambda: stack.get("/readyz"))

        def polled_again(what: str) -> None:
            """Check that a new entry arrives."""
            publisher.feeds["1"].entries.insert(0, Entry(what, f"News {what}"))
            found = f"SELECT count(*) FROM activity WHERE native_id = '{what}'"  # our own words
            eventually(f"{what} arrives", lambda: _count(store, found), patience=240)  # also while the machine is busy

        # Polls begin with the migration: this code, which plays the former version, needs the table that it adds.
        with _requests(stack) as requests:
            eventually("requests are answered", lambda: len(requests.times) > 100)
            usual = max(requests.times)
            began = time.monotonic()
            applied = stack.aggregator("migrate").stdout
            migrated = time.monotonic()
            with store.engine.begin() as connection:
                connection.execute(insert(background_migration).values(name=BACKFILL.name, created=datetime.now(UTC)))
            polled_again("migrated")
            _worker(stack, "next", "new-worker", "control")
            eventually("the backfill runs", lambda: _position(store) > ROWS // 10, PATIENCE)
            stack.kill("new-worker")
            reached = _position(store)
            polled_again("killed")
            assert _position(store) == reached  # the former version leaves it alone
            _worker(stack, "next", "newer-worker", "control")
            finished = "SELECT count(finished) FROM background_migration"
            eventually("the backfill ends", lambda: _count(store, finished), PATIENCE)
            polled_again("filled")
        print(
            f"{ROWS:,} rows: migrated in {migrated - began:.1f} s, filled after {time.monotonic() - migrated:.1f} s; "
            f"{len(requests.times):,} requests, the longest {max(requests.times):.3f} s, before {usual:.3f} s"
        )
    assert applied.startswith(f"Applied {schema.newest()}.")
    assert requests.refused == []
    assert max(requests.times) < max(LONGEST, 3 * usual)  # a busy machine is slow before, too
    assert _count(store, "SELECT count(*) FROM activity WHERE thread IS NULL") <= 1  # "filled", which came later
    assert reached >= ROWS // 10
