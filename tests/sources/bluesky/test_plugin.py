"""Test accounts, feeds, lists and hashtags as sources, over real HTTP and on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container, utc_now
from aggregator.domain.activity import ActivityKind, Upstream
from aggregator.domain.errors import BadRequestError, MissingAccountError, NotAllowedError, SourceError
from aggregator.domain.polling.results import PollStatus
from aggregator.domain.stream import Query
from aggregator.services.subscribe import Subscription
from aggregator.sources.bluesky.plugin import CHECK_EVERY, KIND, MOST_KNOWN
from tests.sources.bluesky.server import ADA, BOB, AppView, app_view

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.domain.activity import Activity
    from aggregator.domain.source import Source
    from storage.store import Store

FEED = f"at://{BOB}/app.bsky.feed.generator/science"
LIST = f"at://{BOB}/app.bsky.graph.list/3kfriends"


@pytest.fixture
def server() -> Iterator[AppView]:
    with app_view() as server:
        yield server


@pytest.fixture
def container(store: Store, server: AppView, tmp_path: Path) -> Iterator[Container]:
    container = Container(
        Settings.from_environment(
            {
                "AGGREGATOR_DATA_DIR": str(tmp_path),
                "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
                "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
                "AGGREGATOR_HOST_SPACING": "0",
                "AGGREGATOR_BLUESKY_API": server.address,
            }
        )
    )
    yield container
    container.close()


def _items(container: Container) -> list[Activity]:
    with container.store.reading() as tx:
        return list(tx.stream.activities.page(Query(limit=100)).items)


def _texts(container: Container) -> list[str]:
    return sorted(item.content.text for item in _items(container))


def _count(container: Container) -> int:
    with container.store.reading() as tx:
        return sum(tx.stream.activities.facets(Query(), {}).counts["kind"].values())


def _added(container: Container, address: str = "@ada.example", **options: Any) -> Source:
    source, _ = container.subscribe(address, Subscription(options=options))
    return source


def _poll(container: Container, source: Source) -> Any:
    [report] = container.polling.poll_now([source.id])
    return report


def _later(container: Container) -> None:
    """Let the time pass after which older posts are looked up again."""
    later = container.clock() + 2 * CHECK_EVERY
    container.clock = lambda: later


def _source(container: Container, source: Source) -> Source:
    with container.store.reading() as tx:
        found = tx.polling.sources.get(source.slug)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "address", ["@ada.example", "@Ada.Example", ADA, "https://bsky.app/profile/ada.example", f"at://{ADA}"]
)
def test_a_handle_is_looked_up_and_its_posts_are_followed(container: Container, server: AppView, address: str) -> None:
    server.post("First")
    server.post("Other", BOB)
    source = _added(container, address)
    assert (source.kind, source.name, source.address, source.slug) == ("bluesky", "Ada", "@ada.example", "ada")
    assert source.options == {"user_id": ADA}
    assert KIND.web_page(source) == f"https://bsky.app/profile/{ADA}"
    assert _texts(container) == ["First"]
    server.post("Second")
    assert (_poll(container, source).new, _texts(container)) == (1, ["First", "Second"])
    assert _poll(container, source).outcome is PollStatus.UNCHANGED
    assert f"/xrpc/app.bsky.feed.getAuthorFeed?actor={ADA}&filter=posts_with_replies&limit=50" in server.queries


def test_counts_change_nothing_and_edits_change_in_place(container: Container, server: AppView) -> None:
    view = server.post("Frist")
    source = _added(container)
    view["likeCount"] = 3
    report = _poll(container, source)
    assert (report.new, report.changed, report.unchanged) == (0, 0, 1)
    view["record"]["text"] = "First"
    assert _poll(container, source).changed == 1
    assert _texts(container) == ["First"]


def test_a_deleted_post_is_gone_and_stays_so(container: Container, server: AppView) -> None:
    views = [server.post(str(number)) for number in range(4)]
    source = _added(container)
    before = list(server.items)
    server.delete(views[1]["uri"])
    _poll(container, source)
    assert _texts(container) == ["0", "2", "3"]
    server.items = before  # as a cache that is late may show it
    _poll(container, source)
    assert _texts(container) == ["0", "2", "3"]


def test_a_post_that_only_the_page_lacks_stays(container: Container, server: AppView) -> None:
    views = [server.post(str(number)) for number in range(3)]
    source = _added(container)
    server.lookups[views[1]["uri"]] = views[1]
    server.delete(views[1]["uri"])
    _poll(container, source)
    assert _texts(container) == ["0", "1", "2"]
    assert server.hits["app.bsky.feed.getPosts"] == 1


def test_nothing_is_removed_while_posts_cannot_be_looked_up(container: Container, server: AppView) -> None:
    views = [server.post(str(number)) for number in range(3)]
    source = _added(container)
    server.delete(views[1]["uri"])
    server.broken = {"app.bsky.feed.getPosts"}
    assert _poll(container, source).error is None
    assert _texts(container) == ["0", "1", "2"]
    server.broken = set()
    _poll(container, source)
    assert _texts(container) == ["0", "2"]


def test_a_repost_shows_both_authors_and_can_be_taken_back(container: Container, server: AppView) -> None:
    server.post("Mine")
    repost = server.repost(server.view("Reposted", BOB))
    server.post("Newer")
    source = _added(container)
    [item] = [item for item in _items(container) if item.content.kind is ActivityKind.REPOST]
    assert item.object is not None
    assert item.object.content.text == "Reposted"
    server.delete(repost["reason"]["uri"])
    _poll(container, source)
    assert _texts(container) == ["Mine", "Newer"]


def test_all_posts_can_be_deleted_at_once(container: Container, server: AppView) -> None:
    original = server.view("Reposted", BOB)
    server.lookups[original["uri"]] = original
    for number in range(40):
        server.post(str(number))
    server.repost(original)
    source = _added(container)
    server.items.clear()
    _poll(container, source)
    [item] = _items(container)  # that a repost was taken back is not seen without a page, but its post can be looked up
    assert item.content.kind is ActivityKind.REPOST
    del server.lookups[original["uri"]]
    _later(container)
    _poll(container, source)
    assert _items(container) == []


def test_more_missing_posts_than_a_poll_looks_up_are_looked_up_by_the_next(
    container: Container, server: AppView
) -> None:
    server.post("start")
    source = _added(container)
    for number in range(150):
        server.post(str(number))
    _poll(container, source)
    server.items = server.items[:1]
    server.items[0] = {"post": server.view("new", record={"createdAt": "2026-11-01T09:00:00Z"})}
    for _ in range(3):
        _poll(container, source)
    assert _texts(container) == ["new"]


def test_a_post_that_left_the_first_page_is_looked_up_by_its_id(container: Container, server: AppView) -> None:
    old, edited = server.post("Old"), server.post("Edited")
    source = _added(container)
    for number in range(60):
        server.post(str(number))
    _poll(container, source)
    assert _count(container) == 62
    assert server.hits["app.bsky.feed.getPosts"] == 0
    server.delete(old["uri"])
    edited["record"]["text"] = "Corrected"
    _later(container)
    _poll(container, source)
    with container.store.reading() as tx:
        found = [item.content.text for item in tx.stream.activities.page(Query(limit=100)).items]
    assert "Old" not in found
    assert "Corrected" in found
    assert server.hits["app.bsky.feed.getPosts"] == 1
    assert len(_source(container, source).poll.fetch_state["known"]) == 61 <= MOST_KNOWN


def test_a_gap_is_filled(container: Container, server: AppView) -> None:
    server.post("start")
    source = _added(container)
    for number in range(180):
        server.post(str(number))
    assert _poll(container, source).new == 180
    assert _count(container) == 181


def test_a_gap_is_filled_behind_reposts_that_are_left_out(container: Container, server: AppView) -> None:
    server.post("start")
    source = _added(container, exclude=["reposts"])
    server.post("Missed")
    original = server.view("Original", BOB)
    for _ in range(120):
        server.repost(original)
    _poll(container, source)
    assert _texts(container) == ["Missed", "start"]
    _poll(container, source)
    assert server.hits["app.bsky.feed.getPosts"] == 0  # that the page has none of them says nothing


def test_a_server_whose_pages_lead_in_a_circle_ends_no_poll(container: Container, server: AppView) -> None:
    server.post("start")
    source = _added(container)
    server.same_cursor = True
    for number in range(180):
        server.post(str(number))
    before = server.hits["app.bsky.feed.getAuthorFeed"]
    assert _poll(container, source).new == 50
    assert server.hits["app.bsky.feed.getAuthorFeed"] - before <= 3


def test_replies_and_reposts_can_be_left_out(container: Container, server: AppView) -> None:
    first = server.post("Post")
    other = server.view("Other", BOB)
    for words, parent in (("Reply", other), ("Thread", first)):
        server.post(words, record={"reply": {"root": {"uri": parent["uri"]}, "parent": {"uri": parent["uri"]}}})
    server.repost(other)
    source = _added(container, exclude=["reposts", "replies"])
    assert _texts(container) == ["Post", "Thread"]
    assert len({item.thread for item in _items(container)}) == 1
    assert _source(container, source).options["exclude"] == ["replies", "reposts"]


def test_a_renamed_account_stays_the_same_source(container: Container, server: AppView) -> None:
    server.post("First")
    source = _added(container)
    server.accounts[ADA]["handle"] = "lovelace.example"
    server.accounts[ADA]["displayName"] = "Lovelace"
    server.account("did:plc:other", "ada.example")  # the handle is another's now
    server.post("Not hers", "did:plc:other")
    server.post("Second")
    _poll(container, source)
    assert _texts(container) == ["First", "Second"]
    assert _source(container, source).address == "@lovelace.example"
    again, _ = container.subscribe("@ada.example")
    assert again.id != source.id
    assert again.options["user_id"] == "did:plc:other"


@pytest.mark.parametrize("value", ["!hide", "!takedown", "!no-unauthenticated"])
def test_a_post_that_is_hidden_later_is_gone(container: Container, server: AppView, value: str) -> None:
    view = server.post("Hidden later")
    server.post("Other")
    source = _added(container)
    view["labels"] = [{"src": "did:plc:moderator", "uri": view["uri"], "val": value}]
    _poll(container, source)
    assert _texts(container) == ["Other"]
    assert "left out" in (_source(container, source).poll.document_note or "")
    view["labels"] = []
    _poll(container, source)
    assert _texts(container) == ["Other"]


def test_posts_of_an_account_for_signed_in_readers_are_not_stored(container: Container, server: AppView) -> None:
    label = {"src": ADA, "uri": f"at://{ADA}/app.bsky.actor.profile/self", "val": "!no-unauthenticated"}
    server.account(labels=[label])
    server.post("For signed-in readers")
    server.repost(server.view("Reposted", BOB))
    server.repost(server.view("Reposted by Bob"), BOB)
    assert "signed-out" in " ".join(container.preview("@ada.example").notes)
    source = _added(container)
    _added(container, "@bob.example")
    assert _items(container) == []
    assert "signed-out" in (_source(container, source).poll.document_note or "")


def test_an_account_that_was_taken_down_leaves_nothing(container: Container, server: AppView) -> None:
    for number in range(30):
        server.post(str(number))
    server.repost(server.view("Reposted", BOB))
    source, bob = _added(container), _added(container, "@bob.example")
    server.repost(server.items[0]["post"], BOB)
    _poll(container, bob)
    assert len(_items(container)) == 31  # a post and a repost of it are shown once
    server.absent.add(ADA)
    _poll(container, source)
    assert "deactivated or taken down" in (_source(container, source).poll.document_note or "")
    assert [item.content.actor.name for item in _items(container) if item.content.actor] == ["Bob"]
    _poll(container, bob)
    assert _items(container) == []
    assert "does not have this account" in (_poll(container, source).error or "")
    server.absent.clear()
    server.post("Back")
    _poll(container, source)
    assert _texts(container) == ["Back"]


def test_an_account_that_cannot_be_read_for_now_keeps_its_posts(container: Container, server: AppView) -> None:
    server.post("First")
    source = _added(container)
    server.absent.add(ADA)
    server.broken = {"app.bsky.actor.getProfiles"}
    assert _poll(container, source).error is not None
    assert _texts(container) == ["First"]
    server.broken, server.answers = set(), {"app.bsky.actor.getProfiles": {"profiles": [server.accounts[ADA]]}}
    assert _poll(container, source).error is not None  # it exists, so the service refuses something else
    assert [item.upstream for item in _items(container)] == [Upstream.LIVE]


@pytest.mark.parametrize(
    ("uri", "address", "name"),
    [
        (FEED, "https://bsky.app/profile/did:plc:bob/feed/science", "Science"),
        (LIST, "https://bsky.app/profile/did:plc:bob/lists/3kfriends", "Friends"),
    ],
)
def test_feeds_and_lists_are_followed(container: Container, server: AppView, uri: str, address: str, name: str) -> None:
    first = server.post("First")
    server.feeds[uri] = [{"post": first}, server.repost(server.post("Second", BOB))]
    source = _added(container, address.replace(BOB, "bob.example"))
    assert (source.address, source.name, source.options) == (address, name, {"uri": uri})
    assert KIND.web_page(source) == address
    with pytest.raises(BadRequestError, match="already exists"):
        container.subscribe(uri)
    assert len(_items(container)) == 2
    server.feeds[uri] = server.feeds[uri][1:]  # it left the feed, and still exists
    _later(container)
    _poll(container, source)
    assert len(_items(container)) == 2
    server.delete(first["uri"])
    _later(container)
    _poll(container, source)
    assert len(_items(container)) == 1


def test_a_hashtag_is_followed_where_the_service_answers_searches(container: Container, server: AppView) -> None:
    server.post("Hello #open")
    server.post("Hello #other")
    source = _added(container, "hashtag:open")
    _added(container)
    assert (source.name, KIND.web_page(source)) == ("#open on Bluesky", "https://bsky.app/hashtag/open")
    assert _texts(container) == ["Hello #open", "Hello #other"]  # the first only once, although both have it
    for number in range(60):
        server.post(f"{number} #open")
    assert _poll(container, source).error is None  # there is no second page for signed-out readers
    server.no_search = True
    assert "signed-in clients only" in (_poll(container, source).error or "")
    with pytest.raises(NotAllowedError):
        container.subscribe("hashtag:other")


def test_a_missing_account_is_named(container: Container) -> None:
    with pytest.raises(MissingAccountError, match=r"nobody\.example"):
        container.subscribe("@nobody.example")
    with pytest.raises(BadRequestError, match="single post"):
        container.subscribe("https://bsky.app/profile/ada.example/post/3k")


def test_rate_limits_are_kept(container: Container, server: AppView) -> None:
    server.post()
    source = _added(container)
    until = utc_now().replace(microsecond=0) + timedelta(hours=3)
    server.remaining, server.reset = "0", str(int(until.timestamp()))
    server.post()
    _poll(container, source)
    due = _source(container, source).poll.due
    assert due is not None
    assert due >= until - timedelta(seconds=5)
    server.remaining, server.busy = None, 1
    later = until + timedelta(hours=1)
    container.clock = lambda: later
    assert _poll(container, source).error is not None
    assert len(_items(container)) == 2


def test_what_is_known_of_an_account(container: Container, server: AppView) -> None:
    server.account("did:plc:odd", "handle.invalid", displayName=7, labels=[{"val": "!hide"}])
    preview = container.preview("did:plc:odd")
    text = " ".join(preview.notes)
    assert "not confirmed" in text
    assert "Moderators hide" in text


_HOSTILE: list[Any] = [
    b"<html>",
    b"",
    {},
    [],
    None,
    {"feed": None},
    {"feed": [{"post": {"uri": "at://x"}}] * 1000, "cursor": {"a": 1}},
]


@pytest.mark.parametrize("answer", _HOSTILE, ids=range(len(_HOSTILE)))
def test_a_server_that_answers_something_else_removes_nothing(
    container: Container, server: AppView, answer: Any
) -> None:
    server.post("First")
    source = _added(container)
    methods = ("app.bsky.feed.getAuthorFeed", "app.bsky.feed.getPosts", "app.bsky.actor.getProfiles")
    server.answers = dict.fromkeys(methods, answer)
    _later(container)
    _poll(container, source)
    assert _texts(container) == ["First"]
    server.answers = {"app.bsky.actor.getProfile": answer}
    with pytest.raises(SourceError):
        container.subscribe("@bob.example")


def test_purging_finds_posts_and_accounts(container: Container, server: AppView) -> None:
    view = server.post("First")
    server.post("Second")
    _added(container)
    post_id = KIND.post_id(view["uri"])
    assert post_id is not None
    container.purge.post("bluesky", post_id)
    assert _texts(container) == ["Second"]
    assert container.purge.id_of("bluesky", "ada.example") == ADA
    container.purge.account("bluesky", ADA)
    assert _items(container) == []
