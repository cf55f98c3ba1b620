"""Measure what grows with the number of activities: pages, filters, tags, search, and storing new items."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from sqlalchemy import text

from aggregator.domain.activity import ActivityKind
from aggregator.domain.search_query import Search
from aggregator.domain.stream import Query
from bench.reading import DAY, _fill
from bench.scale.sources import shown, timed
from storage.store import Store
from tests import servers
from tests.building import an_activity, ingest_now

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = (20_000, 1_000_000)
TIMES = 100
WARM_UP = 20
NEW = 5  # items of a poll that finds news
_ARTICLES = frozenset({ActivityKind.ARTICLE})
QUERIES = {
    "newest 50": Query(limit=50),
    "one kind": Query(limit=50, kinds=_ARTICLES),
    "one source, kind and language": Query(
        limit=50, sources=frozenset({"s7"}), kinds=_ARTICLES, languages=frozenset({"en"})
    ),
    "a language": Query(limit=50, languages=frozenset({"fr"})),
    "a topic of every twentieth": Query(limit=50, topics=frozenset({"health"})),
    "search: a word of every second": Query(limit=50, search=Search.parse("budget")),
    "search: a word of every hundredth": Query(limit=50, search=Search.parse("harbour")),
    "search: a word and a source": Query(limit=50, search=Search.parse("budget"), sources=frozenset({"s8"})),
}


def measure(counts: Sequence[int] | None) -> None:
    """Print the costs at each number of activities, and the ratio of the last to the first."""
    found: dict[str, list[float]] = {}
    sizes = counts or SIZES
    for count in sizes:
        with servers.postgresql(durable=True) as (url, origin):
            store = Store.open(url)
            store.migrate(authority="bench.invalid", today=DAY.date())
            seconds = timed(partial(_fill, store, count)) / 1000
            print(f"\n{count:,} activities on PostgreSQL ({origin}), {shown(store)}; stored in {seconds:.0f} s")
            for name, middle in measure_store(store, count).items():
                found.setdefault(name, []).append(middle)
            store.close()
    if len(sizes) > 1:
        print(f"\nmedian at {sizes[-1]:,} activities against {sizes[0]:,}")
        for name, middles in found.items():
            print(f"  {name:<44}{middles[-1] / middles[0]:>10.2f} x")


def measure_store(store: Store, count: int) -> dict[str, float]:
    """Print the costs of a filled store; return the medians in milliseconds."""
    _tag(store, count)
    works = {name: partial(_page, store, query) for name, query in QUERIES.items()}
    works["store a poll with 5 new items"] = partial(_store, store, [0])
    print(f"  {'':<44}{'least ms':>10}{'median ms':>10}{'p97 ms':>10}")
    found = {}
    for name, work in works.items():
        for _ in range(WARM_UP):
            work()
        times = sorted(timed(work) for _ in range(TIMES))
        found[name] = median(times)
        print(f"  {name:<44}{times[0]:>10.2f}{found[name]:>10.2f}{times[-3]:>10.2f}", flush=True)
    return found


def _tag(store: Store, count: int) -> None:
    """Give a topic to every twentieth of the newest items; their trigger stores the tag."""
    with store.engine.connect() as connection, connection.begin():
        connection.execute(
            text("UPDATE activity SET topics = '[\"health\"]' WHERE id % 20 = 0 AND id > :after"),
            {"after": count - 20_000},
        )


def _page(store: Store, query: Query) -> None:
    with store.reading() as tx:
        tx.stream.activities.page(query)


def _store(store: Store, number: list[int]) -> None:
    """Store the new items of a poll and end it, as durably as production does."""
    number[0] += 1
    now = DAY + timedelta(seconds=number[0])
    with store.reading() as tx:
        [source] = tx.polling.sources.with_slugs([f"s{1 + number[0] % 199}"])
    ingest_now(store, source, [an_activity(f"{number[0]}-{item}") for item in range(NEW)], now=now)
