"""Test the conversion of posts: each kind of post, and odd ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import ActivityKind, NewActivity, storable
from aggregator.domain.errors import UnreadableError
from aggregator.sources.bluesky.labels import Hidden
from aggregator.sources.bluesky.normalise import Reading, read_again, read_page, read_posts
from tests.sources.bluesky.server import ADA, BOB, AppView
from tests.sources.bluesky.test_embeds import CARD, IMAGES
from tests.sources.bluesky.test_richtext import facet

if TYPE_CHECKING:
    from collections.abc import Sequence

SITE = "https://bsky.app"


@pytest.fixture
def server() -> AppView:
    server = AppView()
    server.account()
    server.account(BOB, "bob.example", displayName="Bob B.")
    return server


def _read(*items: dict[str, Any], no_reposts: bool = False) -> Reading:
    feed = [item if "post" in item else {"post": item} for item in items]
    return read_page(json.dumps({"feed": feed, "cursor": "c"}).encode(), no_reposts)


def _single(item: dict[str, Any]) -> NewActivity:
    [activity] = _read(item).activities
    return activity


def _quote(view: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return an embed that quotes a post."""
    quoted = {
        "$type": "app.bsky.embed.record#viewRecord",
        **{name: view[name] for name in ("uri", "cid", "author", "labels", "indexedAt")},
        "value": view["record"],
        "embeds": [view["embed"]] if "embed" in view else [],
        **changes,
    }
    return {"$type": "app.bsky.embed.record#view", "record": quoted}


def _reply(root: dict[str, Any], parent: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the part of a record that makes it a reply."""
    parent = parent or root
    return {"reply": {"root": {"uri": root["uri"]}, "parent": {"uri": parent["uri"]}}}


def test_a_post(server: AppView) -> None:
    text = "Hello @bob.example #open news.example/a…"
    facets = [
        facet(text, "@bob.example", "mention", did=BOB),
        facet(text, "#open", "tag", tag="open"),
        facet(text, "news.example/a…", "link", uri="https://news.example/a"),
    ]
    view = server.view(text, record={"facets": facets, "langs": ["de", "en"], "tags": ["hidden", "open"]}, embed=CARD)
    found = _single(view)
    content = found.content
    assert found.native_id == f"at://{ADA}/app.bsky.feed.post/3k00000000000"
    assert found.key == f"bluesky:{found.native_id}"
    assert (content.kind, content.network, content.lang) == (ActivityKind.POST, "bluesky", "de")
    assert content.text == "Hello @bob.example #open https://news.example/a"
    assert content.url == f"{SITE}/profile/{ADA}/post/3k00000000000"
    assert content.published == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert (content.edited, content.updated, content.sensitive) == (False, None, False)
    assert content.hashtags == ("open", "hidden")
    assert [mention.native_id for mention in content.mentions] == [BOB]
    [link] = content.links  # the card and the link are the same page
    assert (link.title, link.text) == ("A title", "news.example/a…")
    assert content.actor is not None
    assert (content.actor.name, content.actor.handle, content.actor.native_id) == ("Ada", "ada.example", ADA)
    assert content.actor.avatar == f"https://cdn.example/{ADA}.jpg"


def test_no_post_is_later_than_it_was_seen(server: AppView) -> None:
    past, future = server.view(record={"createdAt": "2015-01-01T00:00:00Z"}), server.view()
    future["record"]["createdAt"] = "2999-01-01T00:00:00Z"
    assert _single(past).content.published == datetime(2015, 1, 1, tzinfo=UTC)
    assert _single(future).content.published == datetime(2026, 11, 1, 10, 1, 2, tzinfo=UTC)


def test_a_handle_that_is_not_confirmed_is_none(server: AppView) -> None:
    server.account(handle="handle.invalid", displayName="")
    actor = _single(server.view()).content.actor
    assert actor is not None
    assert (actor.name, actor.handle, actor.url) == (ADA, None, f"{SITE}/profile/{ADA}")


def test_a_repost_names_both_authors_and_times(server: AppView) -> None:
    original = server.view("Original", BOB, record={"langs": ["fr"], "labels": {"values": [{"val": "porn"}]}})
    found = _single(server.repost(original))
    assert found.native_id == f"at://{ADA}/app.bsky.feed.repost/3r00000000001"
    assert found.content.kind is ActivityKind.REPOST
    assert found.content.actor is not None
    assert found.content.actor.name == "Ada"
    assert (found.content.text, found.content.sensitive, found.content.lang) == ("", True, "fr")
    assert found.object is not None
    assert found.object.content.actor is not None
    assert found.object.content.actor.name == "Bob B."
    assert found.object_key == found.object.key == f"bluesky:{original['uri']}"
    assert found.object.content.published != found.content.published
    assert found.thread is None


def test_a_repost_without_an_address_is_named_by_who_reposted_what(server: AppView) -> None:
    original = server.view("Original", BOB)
    found = _single(server.repost(original, uri=None))
    assert found.native_id == f"{ADA} reposts {original['uri']}"


def test_reposts_can_be_left_out(server: AppView) -> None:
    repost = server.repost(server.view("Original", BOB))
    reading = _read(repost, server.view(), no_reposts=True)
    assert len(reading.activities) == len(reading.entries) == 1
    assert len(reading.ids) == 2


def test_a_pinned_post_is_read_where_it_belongs(server: AppView) -> None:
    post = server.view()
    pinned = {"post": post, "reason": {"$type": "app.bsky.feed.defs#reasonPin"}}
    assert _read(pinned).activities == []
    assert len(_read(pinned, post).activities) == 1


def test_a_quote_has_the_quoted_post(server: AppView) -> None:
    quoted = server.view("Quoted", BOB, embed=IMAGES)
    found = _single(server.view("My words", embed=_quote(quoted)))
    assert found.content.kind is ActivityKind.QUOTE
    assert found.content.quote_of == f"{SITE}/profile/{BOB}/post/3k00000000000"
    assert found.object is not None
    assert (found.object.content.text, len(found.object.content.media)) == ("Quoted", 2)
    assert found.object_key == f"bluesky:{quoted['uri']}"


def test_a_quote_with_media_has_both(server: AppView) -> None:
    view = {
        "$type": "app.bsky.embed.recordWithMedia#view",
        "record": {"record": _quote(server.view("Quoted", BOB))["record"]},
        "media": IMAGES,
    }
    found = _single(server.view(embed=view))
    assert found.object is not None
    assert (found.object.content.text, len(found.content.media)) == ("Quoted", 2)


def test_a_reposted_quote_has_the_quoted_post_within(server: AppView) -> None:
    quote = server.view("My words", BOB, embed=_quote(server.view("Quoted")))
    found = _single(server.repost(quote))
    assert found.object is not None
    assert found.object.object is not None
    assert (found.object.content.text, found.object.object.content.text) == ("My words", "Quoted")


@pytest.mark.parametrize("state", ["viewNotFound", "viewBlocked", "viewDetached"])
def test_nothing_is_shown_of_a_quoted_post_that_is_not_available(server: AppView, state: str) -> None:
    quoted = server.view("Quoted", BOB)
    found = _single(server.view(embed=_quote(quoted, **{"$type": f"app.bsky.embed.record#{state}"})))
    assert (found.content.kind, found.object, found.content.quote_of) == (ActivityKind.QUOTE, None, None)
    assert found.content.complete
    assert "Quoted" not in repr(found.content)


@pytest.mark.parametrize("value", ["!hide", "!takedown", "!no-unauthenticated"])
def test_nothing_is_shown_of_a_quoted_post_that_is_hidden(server: AppView, value: str) -> None:
    label = {"src": "did:plc:moderator", "uri": BOB, "val": value}
    quoted = server.view("Quoted", BOB)
    by_label = _single(server.view(embed=_quote(quoted, labels=[label])))
    by_author = _single(server.view(embed=_quote(quoted, author={**quoted["author"], "labels": [label]})))
    assert by_label.object is by_author.object is None


def test_replies_of_an_author_to_themselves_are_a_thread(server: AppView) -> None:
    first, other = server.view("1"), server.view("other", BOB)
    second = server.view("2", record=_reply(first))
    third = server.view("3", record=_reply(first, second))
    answer = server.view("4", record=_reply(other))
    aside = server.view("5", record=_reply(first, other))
    activities = _read(first, second, third, answer, aside).activities
    threads = [activity.thread for activity in activities]
    assert threads == [f"bluesky:{first['uri']}"] * 3 + [None, None]
    assert [activity.content.kind for activity in activities] == [ActivityKind.POST] + [ActivityKind.REPLY] * 4
    assert activities[2].content.in_reply_to == f"{SITE}/profile/{ADA}/post/3k00000000002"
    assert activities[3].content.in_reply_to == f"{SITE}/profile/{BOB}/post/3k00000000001"


def test_counts_and_viewers_are_no_edit(server: AppView) -> None:
    quoted = server.view("Quoted", BOB)
    view = server.view(embed=_quote(quoted, likeCount=0))
    before = _single(view)
    view |= {"likeCount": 7, "replyCount": 1, "viewer": {"like": "at://x"}, "threadgate": {"uri": "at://x"}}
    view["embed"]["record"]["likeCount"] = 9
    view["author"] = {**view["author"], "viewer": {"muted": True}}
    item = {"post": view, "reply": {"root": quoted, "parent": quoted}, "feedContext": "x"}
    assert _single(item).entry_digest == before.entry_digest
    assert b"feedContext" not in _single(item).raw
    view["record"]["text"] = "Corrected"
    assert _single(view).entry_digest != before.entry_digest


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("!hide", Hidden.MODERATED),
        ("!takedown", Hidden.MODERATED),
        ("!no-unauthenticated", Hidden.SIGNED_IN_ONLY),
        ("porn", None),
    ],
)
def test_labels_hide_posts(server: AppView, value: str, why: Hidden | None) -> None:
    labels = [{"src": "did:plc:moderator", "uri": ADA, "val": value}]
    post, repost = server.view(labels=labels), server.repost(server.view("Original", BOB, labels=labels))
    reading = _read(post, repost)
    ids = [post["uri"], repost["reason"]["uri"]]
    assert reading.ids == ids
    assert reading.hidden == ({} if why is None else dict.fromkeys(ids, why))
    assert len(reading.activities) == (2 if why is None else 0)
    assert all(activity.content.sensitive for activity in reading.activities)
    server.account(labels=labels)
    reposted = _read(server.repost(server.view("Original", BOB)))  # who reposts is hidden, too
    assert len(reposted.hidden) == (0 if why is None else 1)


def test_the_order_of_a_timeline_is_that_of_its_entries(server: AppView) -> None:
    items = [server.view(str(number)) for number in range(4)]
    items.reverse()
    items[0]["indexedAt"] = items[0]["record"]["createdAt"] = None
    items[2]["record"]["createdAt"] = items[2]["indexedAt"] = "2030-01-01T00:00:00Z"  # it would not be there
    places = [entry.placed for entry in _read(*items).entries.values()]
    assert places == sorted(places, reverse=True)
    assert places[1] == places[2]


def test_an_odd_post_costs_no_other_and_is_read_again(server: AppView) -> None:
    odd = server.view(record={"text": ["new", "form"]})
    reading = _read(odd, server.view())
    assert len(reading.activities) == 1
    [unread] = reading.unread
    assert (unread.native_id, unread.key) == (odd["uri"], f"bluesky:{odd['uri']}")
    assert read_again(unread.raw) == []
    odd["record"]["text"] = "Old form"
    assert [activity.native_id for activity in read_again(json.dumps({"post": odd}).encode())] == [odd["uri"]]


_WRONG: Sequence[object] = [None, 1, 1e400, True, "x", [], [1], {}, {"a": []}, "\ud800", "x" * 100_000, [{"val": 1}]]


def _variants(value: Any, wrong: object) -> list[Any]:
    """Return copies of a JSON value in which one value, at any depth, is another."""
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = [{**value, name: other} for name in value for other in _variants(value[name], wrong)]
    elif isinstance(value, list):
        inner = [
            [*value[:at], other, *value[at + 1 :]] for at in range(len(value)) for other in _variants(value[at], wrong)
        ]
    return [wrong, *inner]


@pytest.mark.parametrize("wrong", _WRONG, ids=range(len(_WRONG)))
def test_any_field_can_have_any_value(server: AppView, wrong: object) -> None:
    quoted = server.view("Quoted", BOB, embed=CARD)
    text = "Hello #open"
    whole = server.view(
        text,
        record={
            "facets": [facet(text, "#open", "tag", tag="open")],
            "tags": ["a"],
            "labels": {"values": [{"val": "porn"}]},
        }
        | _reply(quoted),
        embed={
            "$type": "app.bsky.embed.recordWithMedia#view",
            "record": {"record": _quote(quoted)["record"]},
            "media": IMAGES,
        },
        labels=[{"src": BOB, "uri": ADA, "val": "spam"}],
    )
    other = server.view("Other", BOB)
    for item in _variants(server.repost(whole), wrong) + [{"post": view} for view in _variants(whole, wrong)]:
        reading = read_page(json.dumps({"feed": [item, {"post": other}]}).encode())
        assert other["uri"] in reading.entries
        for activity in reading.activities:
            storable(activity)
            assert activity.key == f"bluesky:{activity.native_id}"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"error": "x"}', b"<html>", b"[" * 100_000, b"\xff\xfe", b"null", b'{"feed": {}}']
)
def test_what_is_no_page_of_posts_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_page(body)


def test_a_page_of_something_else_has_no_post() -> None:
    reading = read_page(b'{"feed": [1, null, {}, {"post": {"uri": "at://x/y/z"}}, []], "cursor": 7}')
    assert (reading.activities, reading.ids, reading.cursor) == ([], [], None)


def test_a_page_has_each_post_once(server: AppView) -> None:
    view = server.view()
    assert len(_read(view, view).activities) == 1
    many = [server.view(str(number)) for number in range(150)]
    for read, name in ((read_page, "feed"), (read_page, "posts"), (read_posts, "posts")):
        items = [{"post": view} for view in many] if name == "feed" else many
        assert len(read(json.dumps({name: items}).encode()).activities) == 100


@pytest.mark.parametrize("body", [b"", b"[]", b'{"feed": []}', b'{"posts": {}}', b'{"error": "x"}'])
def test_only_a_list_of_posts_answers_which_posts_exist(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_posts(body)
