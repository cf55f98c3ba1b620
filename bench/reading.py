"""Measure the reader on PostgreSQL with 20,000 and with 1,000,000 activities: `make bench ARGS="reading"`.

    make bench ARGS="reading --rows 20000"

`wrk` (Debian and Ubuntu: apt-get install wrk) requests one reader process over loopback. "bare" is the same server with
an app that only returns as many bytes, headers and body: the limit. It runs just before and after each measurement,
since machines are noisy. Cold pages are read from the store directly.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from statistics import median
from typing import TYPE_CHECKING
from urllib.request import urlopen

from sqlalchemy import text

from aggregator.domain.activity import ActivityKind
from aggregator.domain.search_query import Search
from aggregator.domain.stream import Query
from bench.cost import measured
from storage.store import Store
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aggregator.domain.stream import Cursor, Page

SIZES = (20_000, 1_000_000)
PATHS = ("/api/v1/activities?limit=50", "/feed.rss", "/feed.atom", "/feed.json", "/feed.as2", "/")
SECONDS = 4  # of each run of wrk
AT_ONCE = 10_000  # rows per statement
DAY = datetime(2026, 11, 1, tzinfo=UTC)
ASKED = 200  # reads of each cold page

FILL = """
INSERT INTO activity (source_id, native_id, key, kind, network, actor_id, url, title, text, html, lang, published,
                      detail, search_text, first_seen, entry_digest, fingerprint, position, revision, upstream, review,
                      review_by, review_reason, visible)
SELECT CASE WHEN n % 20000 = 7 THEN 200 ELSE 1 + n % 199 END, n::text, 'web:' || n,
       CASE WHEN n % 2 = 0 THEN 'article' ELSE 'post' END, CASE WHEN n % 2 = 0 THEN 'web' ELSE 'x' END, 1 + n % 50,
       'https://news.example/' || n, 'Number ' || n || ' about ' || said.start, said.words,
       '<p>' || said.words || '</p>', CASE n % 5 WHEN 0 THEN 'fr' WHEN 1 THEN 'es' ELSE 'en' END, moment,
       '{"hashtags": ["open"]}', 'number ' || n || ' about ' || said.words, moment, 'd' || n, 'f' || n, moment, n,
       'live', 'published', 'policy', 'the source publishes at once', true
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n,
     LATERAL (SELECT TIMESTAMPTZ '2024-01-01 00:00Z' + n * INTERVAL '1 minute' AS moment) AS placed,
     LATERAL (SELECT string_agg('w' || floor(20000 * random() ^ 3), ' ')
                     || CASE WHEN n % 2 = 0 THEN ' budget' ELSE ' treaty' END
                     || CASE WHEN n % 100 = 3 THEN ' harbour' ELSE '' END AS words,
                     min('w' || floor(20000 * random())) AS start
              FROM generate_series(1, 60) WHERE n > 0) AS said
"""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="number of activities; may be repeated")
    parser.add_argument("--database", help="an empty PostgreSQL database instead of a temporary one")
    rows = parser.parse_args(arguments).rows or SIZES
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is not installed. On Debian or Ubuntu: apt-get install wrk")
    medians: dict[str, list[float]] = {}
    for count in rows:
        with servers.postgresql() as (url, version), _store(url) as store:
            began = time.perf_counter()
            _fill(store, count)
            print(f"\n{count:,} activities on PostgreSQL {version}, stored in {time.perf_counter() - began:.0f} s")
            for name, middle in _cold(store).items():
                medians.setdefault(name, []).append(middle)
            _hot(wrk, url)
            _fresh(store, url)
            _changes(store)
    if len(rows) > 1:
        print(f"\nmedian at {rows[-1]:,} activities against {rows[0]:,}")
        for name, found in medians.items():
            print(f"  {name:<44}{found[-1] / found[0]:>8.2f} x")


@contextmanager
def _store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    store.migrate(authority="bench.invalid", today=DAY.date())
    yield store
    store.close()


def _fill(store: Store, count: int) -> None:
    with store.engine.connect() as connection, connection.begin():
        connection.execute(
            text(
                "INSERT INTO source (slug, kind, name, address, host, options, policy, state, state_reason, floor, "
                "interval, due, due_reason, failures, fetch_state, created, last_success, revision) "
                "SELECT 's' || n, 'rss', 'Source ' || n, 'https://' || n, 'h', '{}', 'auto', 'active', '', 900, 86400, "
                "now() + INTERVAL '1 day', '', 0, '{}', now(), now(), n FROM generate_series(1, 200) AS n"
            )
        )
        connection.execute(
            text(
                "INSERT INTO actor (network, native_id, name, handle, revision) "
                "SELECT 'web', n::text, 'Author ' || n, 'author' || n, n FROM generate_series(1, 50) AS n"
            )
        )
    for first in range(1, count + 1, AT_ONCE):
        with store.engine.connect() as connection, connection.begin():
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            connection.execute(text(FILL), {"first": first, "last": min(first + AT_ONCE - 1, count)})
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text(f"UPDATE stream SET revision = {count + 1}"))  # our own number
        connection.execute(text("VACUUM ANALYZE"))


def _cold(store: Store) -> dict[str, float]:
    """Read pages of the store, each at another position, and print the times."""
    words = {name: Search.parse(name) for name in ("budget", "harbour", "w19990", "budget treaty", "budget w5 -w7")}
    article, on_x = frozenset({ActivityKind.ARTICLE}), frozenset({"x"})
    queries = {
        "newest 50": Query(limit=50),
        "page 10,000": Query(limit=50, after=_deep(store)),
        "newest 50 stories": Query(limit=50, by_story=True),
        "one kind": Query(limit=50, kinds=article),
        "one source, a kind and a language": Query(
            limit=50, sources=frozenset({"s7"}), kinds=article, languages=frozenset({"en"})
        ),
        "a rare source": Query(limit=50, sources=frozenset({"s200"}), languages=frozenset({"en"})),
        "two common filters that never meet": Query(limit=50, kinds=article, networks=on_x),
        "a word of every second": Query(limit=50, search=words["budget"]),
        "a word of every hundredth": Query(limit=50, search=words["harbour"]),
        "a rare word": Query(limit=50, search=words["w19990"]),
        "two frequent words that never meet": Query(limit=50, search=words["budget treaty"]),
        "words and not a word": Query(limit=50, search=words["budget w5 -w7"]),
        "a frequent word and a rare source": Query(limit=50, search=words["budget"], sources=frozenset({"s200"})),
        "a rare word and a common filter": Query(limit=50, search=words["w19990"], kinds=article),
        "a frequent word and what it never meets": Query(limit=50, search=words["budget"], networks=on_x),
    }
    print(f"  {'cold pages of the store':<44}{'median ms':>10}{'p99 ms':>9}{'items':>7}{'examined':>10}")
    found = {}
    for name, query in queries.items():
        times, page = _asked(store, query)
        found[name] = times[len(times) // 2]
        marks = f"{'  partial' if page.partial else ''}"
        print(f"  {name:<44}{found[name]:>10.2f}{times[-3]:>9.2f}{len(page.items):>7}{page.examined:>10,}{marks}")
    for name, query in {"facets": Query(), "facets of a kind": queries["one kind"]}.items():
        times = sorted(_timed(partial(_facets, store, query)) for _ in range(ASKED // 10))
        found[name] = times[len(times) // 2]
        print(f"  {name:<44}{found[name]:>10.2f}{times[-1]:>9.2f}")
    raw = sorted(_timed(lambda: _raw(store)) for _ in range(ASKED))
    print(f"  {'the raw SQL of the newest 50':<44}{median(raw):>10.2f}{raw[-3]:>9.2f}")
    print(f"  page 10,000 against page 1{found['page 10,000'] / found['newest 50']:>27.2f} x")
    return found


def _asked(store: Store, query: Query) -> tuple[list[float], Page]:
    page = _page(store, query)
    return sorted(_timed(lambda: _page(store, query)) for _ in range(ASKED)), page


def _facets(store: Store, query: Query) -> None:
    with store.reading() as tx:
        tx.stream.activities.facets(query, {})


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _page(store: Store, query: Query) -> Page:
    with store.reading() as tx:
        return tx.stream.activities.page(query)


def _raw(store: Store) -> None:
    with store.engine.connect() as connection:
        connection.execute(
            text(
                "SELECT activity.*, source.slug, source.name, actor.* FROM activity "
                "JOIN source ON source.id = source_id "
                "LEFT JOIN actor ON actor.id = actor_id WHERE visible ORDER BY position DESC, activity.id DESC LIMIT 50"
            )
        ).all()


def _deep(store: Store) -> Cursor:
    """Return the position at which page 10,000 begins, or the middle of a small stream."""
    from aggregator.domain.stream import Cursor as Place

    with store.engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT position, id FROM activity WHERE visible ORDER BY position DESC, id DESC "
                "OFFSET (SELECT least(500000, count(*) / 2) FROM activity) LIMIT 1"
            )
        ).one()
    return Place(row.position, row.id)


def _changes(store: Store) -> None:
    """Read the change feed from the beginning, as a mirror does, up to 50,000 rows."""
    began, revision, rows = time.perf_counter(), 0, 0
    while rows < 50_000:
        with store.reading() as tx:
            changes = tx.stream.activities.changes(revision, 1000)
        rows += len(changes.activities) + len(changes.sources) + len(changes.actors)
        revision = changes.upto
        if not changes.more:
            break
    print(f"  change feed from the start: {rows / (time.perf_counter() - began):,.0f} rows/s")


def _hot(wrk: str, url: str) -> None:
    """Request a reader process over HTTP, and the bare server with as many bytes."""
    with ExitStack() as stack:
        reader = stack.enter_context(_serving("reader", url))
        print(f"  {'over HTTP':<38}{'clients':>8}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'KB':>7}{'of bare':>9}")
        for path in PATHS:
            with urlopen(f"http://127.0.0.1:{reader}{path}", timeout=30) as answer:
                size = len(answer.read())
                headers = [pair for pair in answer.getheaders() if pair[0].lower() not in {"date", "connection"}]
            bare = stack.enter_context(_serving("bare", json.dumps({"size": size, "headers": headers})))
            for clients in (1, 16):
                before = _load(wrk, f"http://127.0.0.1:{bare}/", clients)
                ours = _load(wrk, f"http://127.0.0.1:{reader}{path}", clients)
                after = _load(wrk, f"http://127.0.0.1:{bare}/", clients)
                limit = (before[0] + after[0]) / 2
                print(
                    f"  {path:<38}{clients:>8}{ours[0]:>12,.0f}{ours[1]:>9.2f}{ours[2]:>9.2f}{size / 1000:>7.0f}"
                    f"{100 * ours[0] / limit:>8.0f}%"
                )
        with urlopen(f"http://127.0.0.1:{reader}/memory", timeout=30) as answer:
            print(f"  memory of the reader process: {json.load(answer)['mb']:.0f} MB")


def _fresh(store: Store, url: str) -> None:
    """Request the newest 50 at uncached addresses and at a cached one; print the CPU of each."""
    requests = 500
    fresh = [f"/api/v1/activities?limit=50&until=2026-12-01T00:00:{number / 10:09.6f}Z" for number in range(requests)]
    cached = ["/api/v1/activities?limit=50"] * requests
    with _process("reader", url) as (process, port):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)

        def ask(paths: list[str]) -> None:
            for path in paths:
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                if response.status != HTTPStatus.OK:
                    raise RuntimeError(f"{path}: {response.status}")

        ask([*cached[:20], *(path + "&stitch=yes" for path in fresh[:50])])
        print(f"  {'CPU of a request':<44}{'reader ms':>10}{'db ms':>9}{'p. request':>12}")
        for name, paths in {"newest 50, cached": cached, "newest 50, fresh": fresh}.items():
            cost = measured(partial(ask, paths), store.engine, process.pid)
            each = [1000 * seconds / requests for seconds in (cost.program, cost.database, cost.wall)]
            print(f"  {name:<44}{each[0]:>10.2f}{each[1]:>9.2f}{each[2]:>12.2f}")
        connection.close()


def _load(wrk: str, address: str, clients: int) -> tuple[float, float, float]:
    """Return requests per second, and the median and 99th percentile of their time in milliseconds."""
    command = [wrk, "-t1", f"-c{clients}", f"-d{SECONDS}s", "--latency", address]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise RuntimeError(output)
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    times = {
        share: float(number) * units[unit]
        for share, number, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\b", output)
    }
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    return float(rate[1]) if rate else 0.0, times["50"], times["99"]


@contextmanager
def _serving(what: str, argument: str) -> Iterator[int]:
    """Run a server process; yield its port."""
    with _process(what, argument) as (_, port):
        yield port


@contextmanager
def _process(what: str, argument: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a server process; yield it and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.served", what, argument], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        yield process, int(line)
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    main(sys.argv[1:])
