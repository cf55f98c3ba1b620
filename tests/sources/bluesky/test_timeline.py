"""Test edits, removals and gaps of timelines, over real HTTP and on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import ActivityKind
from aggregator.domain.stream import Query
from aggregator.sources.bluesky.plugin import MOST_KNOWN
from tests.sources.bluesky.adding import added
from tests.sources.bluesky.server import BOB, AppView
from tests.sources.polled import count, items, later, poll, stored, texts

if TYPE_CHECKING:
    from aggregator.container import Container


def test_counts_change_nothing_and_edits_change_in_place(container: Container, server: AppView) -> None:
    view = server.post("Frist")
    source = added(container)
    view["likeCount"] = 3
    report = poll(container, source)
    assert (report.new, report.changed, report.unchanged) == (0, 0, 1)
    view["record"]["text"] = "First"
    assert poll(container, source).changed == 1
    assert texts(container) == ["First"]


def test_a_deleted_post_is_gone_and_stays_so(container: Container, server: AppView) -> None:
    views = [server.post(str(number)) for number in range(4)]
    source = added(container)
    before = list(server.items)
    server.delete(views[1]["uri"])
    poll(container, source)
    assert texts(container) == ["0", "2", "3"]
    server.items = before  # as a cache that is late may show it
    poll(container, source)
    assert texts(container) == ["0", "2", "3"]


def test_a_post_that_only_the_page_lacks_stays(container: Container, server: AppView) -> None:
    views = [server.post(str(number)) for number in range(3)]
    source = added(container)
    server.lookups[views[1]["uri"]] = views[1]
    server.delete(views[1]["uri"])
    poll(container, source)
    assert texts(container) == ["0", "1", "2"]
    assert server.hit("app.bsky.feed.getPosts") == 1


def test_nothing_is_removed_while_posts_cannot_be_looked_up(container: Container, server: AppView) -> None:
    views = [server.post(str(number)) for number in range(3)]
    source = added(container)
    server.delete(views[1]["uri"])
    server.broken = {"app.bsky.feed.getPosts"}
    assert poll(container, source).error is None
    assert texts(container) == ["0", "1", "2"]
    server.broken = set()
    poll(container, source)
    assert texts(container) == ["0", "2"]


def test_a_repost_shows_both_authors_and_can_be_taken_back(container: Container, server: AppView) -> None:
    server.post("Mine")
    repost = server.repost(server.view("Reposted", BOB))
    server.post("Newer")
    source = added(container)
    [item] = [item for item in items(container) if item.content.kind is ActivityKind.REPOST]
    assert item.object is not None
    assert item.object.content.text == "Reposted"
    server.delete(repost["reason"]["uri"])
    poll(container, source)
    assert texts(container) == ["Mine", "Newer"]


def test_all_posts_can_be_deleted_at_once(container: Container, server: AppView) -> None:
    original = server.view("Reposted", BOB)
    server.lookups[original["uri"]] = original
    for number in range(40):
        server.post(str(number))
    server.repost(original)
    source = added(container)
    server.items.clear()
    poll(container, source)
    [item] = items(container)  # that a repost was taken back is not seen without a page, but its post can be looked up
    assert item.content.kind is ActivityKind.REPOST
    del server.lookups[original["uri"]]
    later(container)
    poll(container, source)
    assert items(container) == []


def test_more_missing_posts_than_a_poll_looks_up_are_looked_up_by_the_next(
    container: Container, server: AppView
) -> None:
    server.post("start")
    source = added(container)
    for number in range(150):
        server.post(str(number))
    poll(container, source)
    server.items = server.items[:1]
    server.items[0] = {"post": server.view("new", record={"createdAt": "2026-11-01T09:00:00Z"})}
    for _ in range(3):
        poll(container, source)
    assert texts(container) == ["new"]


def test_a_post_that_left_the_first_page_is_looked_up_by_its_id(container: Container, server: AppView) -> None:
    old, edited = server.post("Old"), server.post("Edited")
    source = added(container)
    for number in range(60):
        server.post(str(number))
    poll(container, source)
    assert count(container) == 62
    assert server.hit("app.bsky.feed.getPosts") == 0
    server.delete(old["uri"])
    edited["record"]["text"] = "Corrected"
    later(container)
    poll(container, source)
    with container.store.reading() as tx:
        found = [item.content.text for item in tx.stream.activities.page(Query(limit=100)).items]
    assert "Old" not in found
    assert "Corrected" in found
    assert server.hit("app.bsky.feed.getPosts") == 1
    assert len(stored(container, source).poll.fetch_state["known"]) == 61 <= MOST_KNOWN


def test_a_gap_is_filled(container: Container, server: AppView) -> None:
    server.post("start")
    source = added(container)
    for number in range(180):
        server.post(str(number))
    assert poll(container, source).new == 180
    assert count(container) == 181


def test_a_gap_is_filled_behind_reposts_that_are_left_out(container: Container, server: AppView) -> None:
    server.post("start")
    source = added(container, exclude=["reposts"])
    server.post("Missed")
    original = server.view("Original", BOB)
    for _ in range(120):
        server.repost(original)
    poll(container, source)
    assert texts(container) == ["Missed", "start"]
    poll(container, source)
    assert server.hit("app.bsky.feed.getPosts") == 0  # that the page has none of them says nothing


def test_a_server_whose_pages_lead_in_a_circle_ends_no_poll(container: Container, server: AppView) -> None:
    server.post("start")
    source = added(container)
    server.same_cursor = True
    for number in range(180):
        server.post(str(number))
    before = server.hit("app.bsky.feed.getAuthorFeed")
    assert poll(container, source).new == 50
    assert server.hit("app.bsky.feed.getAuthorFeed") - before <= 3


@pytest.mark.parametrize("value", ["!hide", "!takedown", "!no-unauthenticated"])
def test_a_post_that_is_hidden_later_is_gone(container: Container, server: AppView, value: str) -> None:
    view = server.post("Hidden later")
    server.post("Other")
    source = added(container)
    view["labels"] = [{"src": "did:plc:moderator", "uri": view["uri"], "val": value}]
    poll(container, source)
    assert texts(container) == ["Other"]
    assert "left out" in (stored(container, source).poll.document_note or "")
    view["labels"] = []
    poll(container, source)
    assert texts(container) == ["Other"]
