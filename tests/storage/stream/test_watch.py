"""Test following the stream: revisions, and whether they edited or removed items."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

from aggregator.domain.activity import Review
from tests.building import add_source, an_activity, decide, ingest_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.stream import StreamNews
    from storage.store import Store


def test_a_revision_comes_with_whether_items_were_edited_or_removed(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("first")])
    with closing(store.watch(threading.Event())) as watching:  # type: ignore[type-var]  # a generator
        begin = _newer(watching, -1)
        ingest_now(store, source, [an_activity("first"), an_activity("second")])
        added = _newer(watching, begin.revision)
        decide(store, [1], Review.HIDDEN)
        hidden = _newer(watching, added.revision)
        ingest_now(store, source, [an_activity("third")])
        later = _newer(watching, hidden.revision)

    assert begin.altered is None
    assert added.altered == begin.revision
    assert hidden.altered == hidden.revision
    assert later.altered == hidden.revision


def _newer(watching: Iterator[StreamNews | None], revision: int) -> StreamNews:
    return next(news for news in watching if news is not None and news.revision > revision)
