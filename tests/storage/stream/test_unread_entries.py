"""Test that entries that can't be read are kept, counted, bounded, and removed with the content that they mention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import Upstream
from aggregator.domain.polling.results import UnreadEntry
from storage.stream import unread_entries
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.store import Store, Transaction


def entry(native_id: str, raw: bytes = b"{}") -> UnreadEntry:
    return UnreadEntry(native_id, f"x:{native_id}", "TypeError: odd", raw)


def keep(store: Store, source_id: int, *entries: UnreadEntry, version: str = "1") -> None:
    with store.writing() as tx:
        tx.stream.unread.keep(source_id, entries, version, NOON)


def counts(store: Store) -> dict[int, int]:
    with store.reading() as tx:
        return tx.stream.unread.counts()


def test_an_entry_is_kept_once_with_its_newest_form(store: Store) -> None:
    source = add_source(store)
    keep(store, source.id, entry("1", b"old"), entry("2"))
    keep(store, source.id, entry("1", b"new"), version="2")
    assert counts(store) == {source.id: 2}
    with store.reading() as tx:
        assert [(kept.native_id, kept.raw) for kept in tx.stream.unread.of_other_versions("1", 9)] == [("1", b"new")]
        assert [kept.native_id for kept in tx.stream.unread.of_other_versions("3", 9)] == ["1", "2"]


def test_entries_that_were_delivered_again_do_not_count(store: Store) -> None:
    source = add_source(store)
    keep(store, source.id, entry("1"), entry("2"))
    ingest_now(store, source, [an_activity("1")])
    assert counts(store) == {source.id: 1}


def test_the_number_per_source_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread_entries, "MOST_PER_SOURCE", 3)
    source, other = add_source(store), add_source(store, "other")
    keep(store, other.id, entry("1"))
    for number in range(5):
        keep(store, source.id, entry(str(number)))
    assert counts(store) == {other.id: 1, source.id: 3}
    with store.reading() as tx:
        assert [kept.native_id for kept in tx.stream.unread.of_other_versions("2", 9)] == ["1", "2", "3", "4"]


REMOVALS: dict[str, Callable[[Transaction], object]] = {
    "itself": lambda tx: tx.compliance.withdraw({"x:1": "deleted"}, Upstream.GONE, NOON),
    "a-post-in-it": lambda tx: tx.compliance.withdraw({"x:77": "deleted"}, Upstream.GONE, NOON),
    "a-person-in-it": lambda tx: tx.compliance.withdraw_person("x", "88", "deleted", NOON),
    "the-network": lambda tx: tx.compliance.withdraw_network("x", "ended", NOON),
    "the-source": lambda tx: tx.stream.activities.withdraw_all(1, "removed", NOON),
}


@pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS)
def test_removed_content_stays_in_no_entry(store: Store, remove: Callable[[Transaction], object]) -> None:
    source = add_source(store)
    assert source.id == 1
    keep(store, source.id, entry("1", b'{"id":"1","quoted":"77","author_id":"88"}'))
    with store.writing() as tx:
        tx.compliance.withdraw({"x:7": "another"}, Upstream.GONE, NOON)
    assert counts(store) == {source.id: 1}
    with store.writing() as tx:
        remove(tx)
    assert counts(store) == {}
