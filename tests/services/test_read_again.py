"""Test that a newer version reads again what a former one could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.polling.results import UnreadEntry
from aggregator.domain.source import SourceState
from aggregator.services import read_again as module
from aggregator.services.read_again import read_again
from aggregator.source_api.kind import SourceKind
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.source import Source
    from storage.store import Store


class Kind(SourceKind):
    """A kind whose newer version reads entries that begin with "ok"."""

    name = "rss"

    def read_again(self, raw: bytes, source: Source) -> Sequence[NewActivity]:
        del source
        if raw == b"broken":
            raise ValueError("broken")
        return [an_activity(raw.decode().removeprefix("ok "), title="Read at last")] if raw.startswith(b"ok") else []


def keep(store: Store, source_id: int, *raws: bytes) -> None:
    entries = [UnreadEntry(raw.decode(), f"web:{number}", "odd", raw) for number, raw in enumerate(raws)]
    with store.writing() as tx:
        tx.stream.unread.keep(source_id, entries, "0.0.1", NOON)


def titles(store: Store) -> list[str | None]:
    from aggregator.domain.stream import Query

    with store.reading() as tx:
        return [item.content.title for item in tx.stream.activities.page(Query()).items]


def left(store: Store, version: str) -> list[bytes]:
    with store.reading() as tx:
        return [entry.raw for entry in tx.stream.unread.of_other_versions(version, 99)]


def test_what_can_be_read_now_joins_the_stream(store: Store) -> None:
    source = add_source(store)
    keep(store, source.id, b"ok 1", b"odd", b"broken")
    assert read_again(store, {"rss": Kind()}, NOON) == 1
    assert titles(store) == ["Read at last"]
    assert left(store, "another") == [b"odd", b"broken"]
    assert read_again(store, {"rss": Kind()}, NOON) == 0  # this version has tried them


def test_a_newer_version_tries_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    source = add_source(store)
    keep(store, source.id, b"odd")
    read_again(store, {"rss": Kind()}, NOON)
    monkeypatch.setattr(module, "product_version", lambda: "99")
    monkeypatch.setattr(Kind, "read_again", lambda *_: [an_activity("1", title="Understood")])
    assert read_again(store, {"rss": Kind()}, NOON) == 1
    assert titles(store) == ["Understood"]
    assert left(store, "another") == []


def test_what_came_again_since_is_not_replaced_by_its_old_form(store: Store) -> None:
    source = add_source(store)
    keep(store, source.id, b"ok 1")
    ingest_now(store, source, [an_activity("1", title="The newer form")])
    read_again(store, {"rss": Kind()}, NOON)
    assert titles(store) == ["The newer form"]
    assert left(store, "another") == []


def test_entries_of_removed_sources_are_dropped(store: Store) -> None:
    source = add_source(store)
    keep(store, source.id, b"ok 1")
    with store.writing() as tx:
        tx.polling.sources.set_state(source.id, SourceState.REMOVED, "", NOON)
    assert read_again(store, {"rss": Kind()}, NOON) == 0
    assert titles(store) == []
    assert left(store, "another") == []
