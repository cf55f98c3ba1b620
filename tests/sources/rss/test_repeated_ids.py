"""Check that different entries with one id are kept apart, also later. After miniflux/v2#4197, brief-rss/brief#428."""

import json
from collections.abc import Callable, Sequence

import pytest

from aggregator.sources.rss.parse import ParsedFeed, normalise
from aggregator.sources.rss.seen_entries import Seen

URL = "https://forum.example/feed"
SHARED = "https://forum.example/"
Entry = tuple[str, str | None, str]  # id, link and title


def rss(entries: Sequence[Entry], more: str = "") -> bytes:
    links = {link: f"<link>{link}</link>" if link else "" for _, link, _ in entries}
    items = "".join(
        f"<item><guid isPermaLink='false'>{own}</guid><title>{title}</title>{links[link]}{more}</item>"
        for own, link, title in entries
    )
    return f"<rss version='2.0'><channel><title>T</title>{items}</channel></rss>".encode()


def broken(entries: Sequence[Entry]) -> bytes:
    return rss(entries, "<description>a <b>b</description>")


def jsonfeed(entries: Sequence[Entry]) -> bytes:
    items = [{"id": own, "url": link, "title": title} for own, link, title in entries]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items}).encode()


WRITERS = [rss, broken, jsonfeed]


def read(body: bytes, seen: str = "") -> ParsedFeed:
    return normalise(body, "", URL, seen)


def ids(feed: ParsedFeed) -> set[str]:
    return {activity.native_id for activity in feed.activities}


def link(number: int) -> str:
    return f"https://forum.example/t/{number}"


@pytest.mark.parametrize("write", WRITERS)
def test_entries_that_share_an_id_are_known_by_their_links(write: Callable[[Sequence[Entry]], bytes]) -> None:
    feed = read(write([(SHARED, link(number), f"Topic {number}") for number in range(4)] + [("own", link(9), "Other")]))
    assert ids(feed) == {*map(link, range(4)), "own"}
    assert feed.note is not None
    assert "same id (https://forum.example/)" in feed.note


@pytest.mark.parametrize("write", WRITERS)
def test_their_identity_stays_when_others_come_and_go(write: Callable[[Sequence[Entry]], bytes]) -> None:
    seen = read(write([(SHARED, link(number), f"Topic {number}") for number in (1, 2)])).seen
    same = read(write([(SHARED, link(number), f"Topic {number}") for number in (1, 2)]), seen)
    assert (same.activities, set(same.present)) == ((), {link(1), link(2)})
    alone = read(write([(SHARED, link(3), "Topic 3")]), same.seen)
    assert ids(alone) == {link(3)}
    edited = read(write([(SHARED, link(3), "Topic 3, edited"), (SHARED, link(2), "Topic 2")]), alone.seen)
    assert ids(edited) >= {link(3)}


@pytest.mark.parametrize("write", WRITERS)
def test_an_entry_that_was_alone_with_its_id_is_read_again(write: Callable[[Sequence[Entry]], bytes]) -> None:
    first = read(write([(SHARED, link(1), "Topic 1")]))
    assert ids(first) == {SHARED}
    later = read(write([(SHARED, link(1), "Topic 1"), (SHARED, link(2), "Topic 2")]), first.seen)
    assert ids(later) == {link(1), link(2)}
    assert read(write([(SHARED, link(1), "Topic 1"), (SHARED, link(2), "Topic 2")]), later.seen).activities == ()


SAME = {
    "equal": [(SHARED, link(1), "Topic"), (SHARED, link(1), "Topic")],
    "one-title": [(SHARED, link(1), "Topic"), (SHARED, link(2), "Topic")],
    "one-link": [(SHARED, link(1), "Topic"), (SHARED, link(1), "Topic, edited")],
    "tracking": [(SHARED, link(1), "Topic"), (SHARED, f"{link(1)}?utm_source=x", "Topic, edited")],
    "without-links": [(SHARED, None, "Topic"), (SHARED, None, "Other")],
}


@pytest.mark.parametrize("entries", SAME.values(), ids=SAME)
def test_versions_of_one_entry_stay_one(entries: Sequence[Entry]) -> None:
    feed = read(rss(entries))
    assert ids(feed) == {SHARED}
    assert feed.note == "Entries skipped because a newer one has the same id: 1."


def test_the_repeated_ids_are_remembered_in_few_bytes() -> None:
    entries = [(f"id-{number // 2}", link(number), f"Topic {number}") for number in range(400)]
    seen = Seen.of(read(rss(entries)).seen)
    assert len(seen.repeated) == 100
    assert Seen.of(seen.line()) == seen
    assert Seen.of(f"{seen.line()}x") == Seen("", {})
