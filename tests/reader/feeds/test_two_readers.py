"""Check that two independent parsers read the same from RSS and Atom as the source data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.reader.feeds import atom, rss
from aggregator.reader.feeds.entries import entry_of
from aggregator.reader.visibility import EVERYTHING, PUBLIC
from tests.reader.feeds.building import a_feed, hostile, specimens
from tests.reader.feeds.readings import Reading, by_fastfeedparser, by_feedparser, meant

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from aggregator.domain.activity import Activity
    from aggregator.reader.visibility import Audience

FORMATS = [rss, atom]
READERS = [by_feedparser, by_fastfeedparser]
ITEMS = {"specimens": specimens(), "hostile": hostile()}


@pytest.mark.parametrize("audience", [PUBLIC, EVERYTHING], ids=["public", "everything"])
@pytest.mark.parametrize("items", ITEMS.values(), ids=ITEMS)
@pytest.mark.parametrize("written", FORMATS, ids=lambda written: written.__name__.rpartition(".")[2])
@pytest.mark.parametrize("read", READERS)
def test_a_reader_finds_what_was_meant(
    read: Callable[[bytes], list[Reading]], written: ModuleType, items: list[Activity], audience: Audience
) -> None:
    feed = a_feed(items, audience)
    found = read(written.render(feed))
    assert found == [meant(entry_of(item, feed.terms), written) for item in items]
