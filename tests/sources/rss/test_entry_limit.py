"""Check that of a very long feed the newest entries are read in any order."""

import json
import time
from datetime import date, timedelta

import pytest

from aggregator.sources.rss.entry_limit import newest, shortened
from aggregator.sources.rss.limits import MOST_ENTRIES
from aggregator.sources.rss.parse import ParsedFeed, normalise
from tests.cpu_time import cpu_limit
from tests.variants import mostly_slow

COUNT = MOST_ENTRIES + 150
DAYS = [date(2001, 1, 1) + timedelta(days=number) for number in range(COUNT)]


def rss(days: list[str | None]) -> bytes:
    items = "".join(
        f"<item><guid isPermaLink='false'>{number}</guid><title>Part {number}</title>"
        + (f"<pubDate>{day}</pubDate>" if day else "")
        + "</item>"
        for number, day in enumerate(days)
    )
    return f"<rss version='2.0'><channel><title>T</title>{items}<ttl>90</ttl></channel></rss>".encode()


def atom(days: list[str | None]) -> bytes:
    entries = "".join(
        f"<entry><id>{number}</id><title>Part {number}</title><updated>2020-01-01T00:00:00Z</updated>"
        f"<published><![CDATA[{day}]]></published></entry>"
        for number, day in enumerate(days)
    )
    return f"<feed xmlns='http://www.w3.org/2005/Atom'><title>T</title>{entries}</feed>".encode()


def jsonfeed(days: list[str | None]) -> bytes:
    items = [{"id": str(number), "content_text": "x", "date_published": day} for number, day in enumerate(days)]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": items}).encode()


def read(body: bytes) -> ParsedFeed:
    return normalise(body, "", "https://news.example/feed")


def ids(feed: ParsedFeed) -> set[int]:
    return {int(activity.native_id) for activity in feed.activities}


WRITERS = {
    "rss": rss,
    "atom": atom,
    "json": jsonfeed,
    "broken": lambda days: rss(days).replace(b"Part 3<", b"<b>Part 3<"),
}
ORDERS = {
    "ascending": (list(range(COUNT)), set(range(150, COUNT))),
    "descending": (list(reversed(range(COUNT))), set(range(MOST_ENTRIES))),
    "mixed": ([(number * 7) % COUNT for number in range(COUNT)], {n for n in range(COUNT) if n * 7 % COUNT >= 150}),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(("order", "kept"), ORDERS.values(), ids=ORDERS)
def test_the_newest_entries_are_read(write: object, order: list[int], kept: set[int]) -> None:
    assert callable(write)
    feed = read(write([f"{DAYS[number]:%d %b %Y} 10:00:00 +0200" for number in order]))
    assert ids(feed) == kept
    assert feed.note is not None
    assert f"The feed has {COUNT} entries; the newest {MOST_ENTRIES} were read." in feed.note


def test_entries_with_a_few_dates_that_ascend_are_read_from_the_end() -> None:
    feed = read(rss([f"{DAYS[number]}" if number % 3 == 0 else None for number in range(COUNT)]))
    assert ids(feed) == set(range(150, COUNT))
    assert feed.note == f"The feed has {COUNT} entries; the last {MOST_ENTRIES} were read."


@pytest.mark.parametrize("day", [None, "soon", "2020-01-01"], ids=["none", "unreadable", "equal"])
def test_entries_without_an_order_are_read_from_the_start(day: str | None) -> None:
    assert ids(read(rss([day] * COUNT))) == set(range(MOST_ENTRIES))


def test_what_is_around_the_entries_stays() -> None:
    feed = read(rss([str(day) for day in DAYS]))
    assert (feed.title, feed.announced.ttl) == ("T", "90")


def test_capital_letters_and_prefixes_are_entries_too() -> None:
    for tag in ("ITEM", "rss:item", "atom:entry"):
        body = f"<x>{f'<{tag}><date>2020-01-01</date></{tag}>' * COUNT}</x>".encode()
        text, notes = shortened(body)
        assert text.count(f"<{tag}>".encode()) == MOST_ENTRIES
        assert notes
        assert text.endswith(f"</{tag}></x>".encode())


def test_a_feed_within_the_limit_is_not_touched() -> None:
    body = rss([str(day) for day in DAYS[:MOST_ENTRIES]])
    assert shortened(body) == (body, ())
    assert newest([None] * MOST_ENTRIES) == (range(MOST_ENTRIES), ())


@pytest.mark.parametrize(
    "body",
    mostly_slow(
        [
            b"<item/>" * 400_000,
            b"<item><date>" * 200_000,
            b"<item>" * 501 + b"<pubDate " * 200_000,
            b"<entry" * 300_000,
        ],
        quick=1,
    ),
    ids=["empty", "open", "attributes", "unfinished"],
)
def test_a_mountain_of_entries_costs_no_time(body: bytes) -> None:
    began = time.process_time()
    shortened(body)
    assert time.process_time() - began < cpu_limit(2)
