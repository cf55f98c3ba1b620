"""Test accounts, feeds, lists and hashtags as sources, over real HTTP and on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.container import utc_now
from aggregator.domain.activity import Upstream
from aggregator.domain.errors import BadRequestError, MissingAccountError, NotAllowedError, SourceError
from aggregator.domain.polling.results import PollStatus
from aggregator.sources.bluesky import plugin
from aggregator.sources.bluesky.plugin import KIND
from tests.sources.bluesky.adding import added
from tests.sources.bluesky.server import ADA, BOB, AppView
from tests.sources.polled import items, later, poll, stored, texts

if TYPE_CHECKING:
    from aggregator.container import Container


FEED = f"at://{BOB}/app.bsky.feed.generator/science"
LIST = f"at://{BOB}/app.bsky.graph.list/3kfriends"


@pytest.mark.parametrize(
    "address", ["@ada.example", "@Ada.Example", ADA, "https://bsky.app/profile/ada.example", f"at://{ADA}"]
)
def test_a_handle_is_looked_up_and_its_posts_are_followed(container: Container, server: AppView, address: str) -> None:
    server.post("First")
    server.post("Other", BOB)
    source = added(container, address)
    assert (source.kind, source.name, source.address, source.slug) == ("bluesky", "Ada", "@ada.example", "ada")
    assert source.options == {"user_id": ADA}
    assert KIND.web_page(source) == f"https://bsky.app/profile/{ADA}"
    assert texts(container) == ["First"]
    server.post("Second")
    assert (poll(container, source).new, texts(container)) == (1, ["First", "Second"])
    assert poll(container, source).outcome is PollStatus.UNCHANGED
    assert f"/xrpc/app.bsky.feed.getAuthorFeed?actor={ADA}&filter=posts_with_replies&limit=50" in server.queries


def test_replies_and_reposts_can_be_left_out(container: Container, server: AppView) -> None:
    first = server.post("Post")
    other = server.view("Other", BOB)
    for words, parent in (("Reply", other), ("Thread", first)):
        server.post(words, record={"reply": {"root": {"uri": parent["uri"]}, "parent": {"uri": parent["uri"]}}})
    server.repost(other)
    source = added(container, exclude=["reposts", "replies"])
    assert texts(container) == ["Post", "Thread"]
    assert len({item.thread for item in items(container)}) == 1
    assert stored(container, source).options["exclude"] == ["replies", "reposts"]


def test_a_renamed_account_stays_the_same_source(container: Container, server: AppView) -> None:
    server.post("First")
    source = added(container)
    server.accounts[ADA]["handle"] = "lovelace.example"
    server.accounts[ADA]["displayName"] = "Lovelace"
    server.account("did:plc:other", "ada.example")  # the handle is another's now
    server.post("Not hers", "did:plc:other")
    server.post("Second")
    poll(container, source)
    assert texts(container) == ["First", "Second"]
    assert stored(container, source).address == "@lovelace.example"
    again, _ = container.subscribe("@ada.example")
    assert again.id != source.id
    assert again.options["user_id"] == "did:plc:other"


def test_posts_of_an_account_for_signed_in_readers_are_not_stored(container: Container, server: AppView) -> None:
    label = {"src": ADA, "uri": f"at://{ADA}/app.bsky.actor.profile/self", "val": "!no-unauthenticated"}
    server.account(labels=[label])
    server.post("For signed-in readers")
    server.repost(server.view("Reposted", BOB))
    server.repost(server.view("Reposted by Bob"), BOB)
    assert "signed-out" in " ".join(container.preview("@ada.example").notes)
    source = added(container)
    added(container, "@bob.example")
    assert items(container) == []
    assert "signed-out" in (stored(container, source).poll.document_note or "")


def test_an_account_that_was_taken_down_leaves_nothing(container: Container, server: AppView) -> None:
    for number in range(30):
        server.post(str(number))
    server.repost(server.view("Reposted", BOB))
    source, bob = added(container), added(container, "@bob.example")
    server.repost(server.items[0]["post"], BOB)
    poll(container, bob)
    assert len(items(container)) == 31  # a post and a repost of it are shown once
    server.absent.add(ADA)
    poll(container, source)
    assert "deactivated or taken down" in (stored(container, source).poll.document_note or "")
    assert [item.content.actor.name for item in items(container) if item.content.actor] == ["Bob"]
    poll(container, bob)
    assert items(container) == []
    assert "does not have this account" in (poll(container, source).error or "")
    server.absent.clear()
    server.post("Back")
    poll(container, source)
    assert texts(container) == ["Back"]


def test_an_account_that_was_taken_down_leaves_no_old_posts_either(
    container: Container, server: AppView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "MOST_KNOWN", 3)
    for number in range(10):
        server.post(str(number))
    source = added(container)
    assert len(stored(container, source).poll.fetch_state["known"]) == 3
    server.absent.add(ADA)
    assert poll(container, source).error is None
    assert items(container) == []


def test_an_account_without_a_profile_keeps_its_items_while_its_posts_exist(
    container: Container, server: AppView
) -> None:
    view = server.post("First")
    source = added(container)
    server.absent.add(ADA)
    server.lookups[view["uri"]] = view
    assert "does not have this account" in poll(container, source).error
    assert texts(container) == ["First"]


def test_an_account_that_cannot_be_read_for_now_keeps_its_posts(container: Container, server: AppView) -> None:
    server.post("First")
    source = added(container)
    server.absent.add(ADA)
    server.broken = {"app.bsky.actor.getProfiles"}
    assert poll(container, source).error is not None
    assert texts(container) == ["First"]
    server.broken, server.answers = set(), {"app.bsky.actor.getProfiles": {"profiles": [server.accounts[ADA]]}}
    assert poll(container, source).error is not None  # it exists, so the service refuses something else
    assert [item.upstream for item in items(container)] == [Upstream.LIVE]


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
    source = added(container, address.replace(BOB, "bob.example"))
    assert (source.address, source.name, source.options) == (address, name, {"uri": uri})
    assert KIND.web_page(source) == address
    with pytest.raises(BadRequestError, match="already exists"):
        container.subscribe(uri)
    assert len(items(container)) == 2
    server.feeds[uri] = server.feeds[uri][1:]  # it left the feed, and still exists
    later(container)
    poll(container, source)
    assert len(items(container)) == 2
    server.delete(first["uri"])
    later(container)
    poll(container, source)
    assert len(items(container)) == 1


def test_a_hashtag_is_followed_where_the_service_answers_searches(container: Container, server: AppView) -> None:
    server.post("Hello #open")
    server.post("Hello #other")
    source = added(container, "hashtag:open")
    added(container)
    assert (source.name, KIND.web_page(source)) == ("#open on Bluesky", "https://bsky.app/hashtag/open")
    assert texts(container) == ["Hello #open", "Hello #other"]  # the first only once, although both have it
    for number in range(60):
        server.post(f"{number} #open")
    assert poll(container, source).error is None  # there is no second page for signed-out readers
    server.no_search = True
    assert "signed-in clients only" in (poll(container, source).error or "")
    with pytest.raises(NotAllowedError):
        container.subscribe("hashtag:other")


def test_a_missing_account_is_named(container: Container) -> None:
    with pytest.raises(MissingAccountError, match=r"nobody\.example"):
        container.subscribe("@nobody.example")
    with pytest.raises(BadRequestError, match="single post"):
        container.subscribe("https://bsky.app/profile/ada.example/post/3k")


def test_rate_limits_are_kept(container: Container, server: AppView) -> None:
    server.post()
    source = added(container)
    until = utc_now().replace(microsecond=0) + timedelta(hours=3)
    server.remaining, server.reset = "0", str(int(until.timestamp()))
    server.post()
    poll(container, source)
    due = stored(container, source).poll.due
    assert due is not None
    assert due >= until - timedelta(seconds=5)
    server.remaining, server.busy = None, 1
    later = until + timedelta(hours=1)
    container.clock = lambda: later
    assert poll(container, source).error is not None
    assert len(items(container)) == 2


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
    source = added(container)
    methods = ("app.bsky.feed.getAuthorFeed", "app.bsky.feed.getPosts", "app.bsky.actor.getProfiles")
    server.answers = dict.fromkeys(methods, answer)
    later(container)
    poll(container, source)
    assert texts(container) == ["First"]
    server.answers = {"app.bsky.actor.getProfile": answer}
    with pytest.raises(SourceError):
        container.subscribe("@bob.example")


def test_purging_finds_posts_and_accounts(container: Container, server: AppView) -> None:
    view = server.post("First")
    server.post("Second")
    added(container)
    post_id = KIND.post_id(view["uri"])
    assert post_id is not None
    container.purge.post("bluesky", post_id)
    assert texts(container) == ["Second"]
    assert container.purge.id_of("bluesky", "ada.example") == ADA
    container.purge.account("bluesky", ADA)
    assert items(container) == []
