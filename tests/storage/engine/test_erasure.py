"""Check that removed content can't be read in any file of the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from aggregator.domain.activity import Upstream
from aggregator.domain.stream import Query
from aggregator.services.purge import PurgeService
from storage.engine import erasure
from storage.store import Store
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from collections.abc import Callable

# The index stores a word as its difference from the one before it; the first letters differ from all others here.
WORDS = ["qqhippopotamus", "xxrhinoceros", "zzcrocodile"]


def _purge(store: Store) -> None:
    PurgeService(store, lambda: NOON, {"web": {"rss"}}).network("web")


def _withdraw(store: Store) -> None:
    with store.writing() as tx:
        tx.compliance.withdraw({"web:1": "deleted"}, Upstream.GONE, NOON)


def _vanish(store: Store) -> None:
    with store.writing() as tx:
        source = tx.polling.sources.page(1)[0]
        tx.stream.activities.withdraw(source.id, ["web:1"], "gone at the source", NOON)


@pytest.mark.parametrize("removal", [_purge, _withdraw, _vanish])
def test_removed_words_are_in_no_file(sqlite_store: Store, removal: Callable[[Store], None]) -> None:
    store = sqlite_store
    source = add_source(store)
    ingest_now(store, source, [an_activity(str(n), text=f"Kept words {n}.") for n in range(2, 60)])
    ingest_now(store, source, [an_activity("1", text=f"{' '.join(WORDS)}.", title="", html="", digest="first")])
    ingest_now(store, source, [an_activity("1", text=f"{' '.join(WORDS)} again.", title="", html="", digest="second")])
    with store.engine.connect() as reader:  # keeps the log from being deleted with the last connection
        reader.execute(text("SELECT 1"))
        reader.rollback()
        assert _words_in_files(store) == set(WORDS)
        removal(store)
        assert _words_in_files(store) == set()


def test_a_reader_that_keeps_the_log_in_use_delays_the_erasure_to_the_next_write(sqlite_store: Store) -> None:
    store = sqlite_store
    source = add_source(store)
    ingest_now(store, source, [an_activity("1", text=f"{' '.join(WORDS)}.", title="", html="", digest="third")])
    with store.reading() as tx:
        assert tx.stream.activities.page(Query(limit=1)).items
        _withdraw(store)
        assert _words_in_files(store) != set()
    other = Store.open(str(store.engine.url))  # as the process that purged may have ended
    add_source(other, "other")
    other.close()
    assert _words_in_files(store) == set()
    assert store.erase(1.0)


def test_an_erasure_that_ends_does_not_hide_a_later_removal(sqlite_store: Store) -> None:
    """Another process removes something between the checkpoint of this one and the end of its erasure."""
    with sqlite_store.engine.begin() as marking:
        erasure.mark(marking)
        erasure.mark(marking)
    connection = sqlite_store.engine.raw_connection()
    driver: Any = connection.driver_connection
    erasure._clear_mark(driver, 1)
    assert erasure._pending(driver) == 2
    erasure._clear_mark(driver, 2)
    assert erasure._pending(driver) == 0
    connection.close()


def _words_in_files(store: Store) -> set[str]:
    database = Path(str(store.engine.url.database))
    files = [path.read_bytes() for path in database.parent.glob(f"{database.name}*")]
    # Of a term that follows a similar one only the end is stored.
    return {word for word in WORDS if any(word[1:].encode() in content for content in files)}
