"""Test the conversion of statuses: each kind of post, and odd ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import ActivityKind, NewActivity
from aggregator.domain.errors import UnreadableError
from aggregator.sources.mastodon.normalise import Reading, read_again, read_statuses
from tests.sources.mastodon.server import Mastodon

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE = "https://social.example"


@pytest.fixture
def server() -> Mastodon:
    server = Mastodon(BASE)
    server.account()
    server.account("bob", display_name="Bob B.")
    return server


def _read(*statuses: dict[str, Any], unlisted: bool = False) -> Reading:
    return read_statuses(json.dumps(statuses).encode(), BASE, unlisted)


def _one(status: dict[str, Any]) -> NewActivity:
    [activity] = _read(status).activities
    return activity


def test_a_post(server: Mastodon) -> None:
    found = _one(
        server.post(
            '<p>Hello <a href="https://social.example/tags/open" class="mention hashtag">#<span>open</span></a> '
            '<span class="h-card"><a href="https://social.example/@bob" class="u-url">@<span>bob</span></a></span> '
            '<a href="https://news.example/a"><span class="invisible">https://</span><span>news.example/a</span></a></p>'
            "<script>alert(1)</script>",
            tags=[{"name": "open", "url": f"{BASE}/tags/open"}],
            mentions=[{"id": "1001", "username": "bob", "acct": "bob", "url": f"{BASE}/@bob"}],
            language="de",
        )
    )
    content = found.content
    assert found.native_id == f"{BASE}/users/ada/statuses/110000000000000000"
    assert found.key == f"mastodon:{found.native_id}"
    assert (content.kind, content.network, content.lang) == (ActivityKind.POST, "mastodon", "de")
    assert content.text == "Hello #open @bob https://news.example/a"
    assert "script" not in content.html
    assert content.url == f"{BASE}/@ada/110000000000000000"
    assert content.published == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert (content.edited, content.updated, content.sensitive) == (False, None, False)
    assert content.hashtags == ("open",)
    assert [mention.handle for mention in content.mentions] == ["bob"]
    assert content.actor is not None
    assert (content.actor.name, content.actor.handle) == ("Ada", "ada@social.example")
    assert content.actor.native_id == f"{BASE}/users/ada"
    assert content.actor.avatar == f"{BASE}/avatars/ada.png"  # the one that does not move


def test_a_boost_names_both_authors_and_times(server: Mastodon) -> None:
    original = server.post("<p>Original</p>", "bob", sensitive=True, language="fr")
    found = _one(server.post("<p>Original</p>", reblog=original, url=None))
    assert found.content.kind is ActivityKind.REPOST
    assert found.content.actor is not None
    assert found.content.actor.name == "Ada"
    assert (found.content.text, found.content.sensitive, found.content.lang) == ("", True, "fr")
    assert found.object is not None
    assert found.object.content.actor is not None
    assert found.object.content.actor.name == "Bob B."
    assert found.object_key == found.object.key == f"mastodon:{original['uri']}"
    assert found.object.content.published != found.content.published


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("accepted", True),
        ("pending", False),
        ("revoked", False),
        ("rejected", False),
        ("deleted", False),
        ("unauthorized", False),
        ("blocked_account", False),
        ("blocked_domain", False),
        ("muted_account", False),
        ("anything new", False),
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_a_quote_shows_what_its_author_accepted(server: Mastodon, state: str, *, shown: bool, given: bool) -> None:
    quoted = server.post("<p>Quoted</p>", "bob")
    found = _one(server.post(quote={"state": state, "quoted_status": quoted if given else None}))
    assert found.content.kind is ActivityKind.QUOTE
    assert (found.object is not None) is (shown and given)
    assert ("Quoted" in repr(found.content)) is False
    assert found.content.quote_of == (quoted["url"] if shown and given else None)
    if found.object is not None:
        assert found.object.content.text == "Quoted"


def test_a_quote_of_a_private_post_shows_nothing_of_it(server: Mastodon) -> None:
    quoted = server.post("<p>For followers</p>", "bob", visibility="private")
    found = _one(server.post(quote={"state": "accepted", "quoted_status": quoted}))
    assert found.object is None


def test_replies_of_an_author_to_themselves_are_one_thread(server: Mastodon) -> None:
    first = server.post("<p>1</p>")
    second = server.post("<p>2</p>", in_reply_to_id=first["id"], in_reply_to_account_id="1000")
    third = server.post("<p>3</p>", in_reply_to_id=second["id"], in_reply_to_account_id="1000")
    other = server.post(
        "<p>4</p>",
        in_reply_to_id="7",
        in_reply_to_account_id="1001",
        mentions=[{"id": "1001", "acct": "bob", "url": f"{BASE}/@bob"}],
    )
    activities = _read(other, third, second, first).activities
    assert [activity.content.text for activity in activities] == ["1", "2", "3", "4"]
    threads = [activity.thread for activity in activities]
    assert threads[0] is not None
    assert threads == [threads[0]] * 3 + [None]
    assert [activity.content.kind for activity in activities] == [ActivityKind.POST] + [ActivityKind.REPLY] * 3
    assert activities[1].content.in_reply_to == f"{BASE}/@ada/{first['id']}"
    assert activities[3].content.in_reply_to == f"{BASE}/@bob/7"


def test_replies_in_a_circle_end(server: Mastodon) -> None:
    first = server.post("<p>1</p>", in_reply_to_id=None, in_reply_to_account_id="1000")
    second = server.post("<p>2</p>", in_reply_to_id=first["id"], in_reply_to_account_id="1000")
    first["in_reply_to_id"] = second["id"]
    assert len(_read(second, first).activities) == 2


def test_a_content_warning_folds_the_text(server: Mastodon) -> None:
    found = _one(server.post("<p>The end is sad.</p>", spoiler_text="Spoiler <b>", sensitive=False)).content
    assert found.html == "<details><summary>Spoiler &lt;b&gt;</summary><p>The end is sad.</p></details>"
    assert found.text == "Spoiler <b>\n\nThe end is sad."
    assert found.sensitive


def test_media_have_alt_text_and_size(server: Mastodon) -> None:
    found = _one(
        server.post(
            media_attachments=[
                {
                    "type": "image",
                    "url": f"{BASE}/media/1.png",
                    "preview_url": f"{BASE}/media/1s.png",
                    "description": "A cat",
                    "meta": {"original": {"width": 800, "height": 600}, "focus": {"x": 0.1, "y": -0.2}},
                },
                {
                    "type": "gifv",
                    "url": f"{BASE}/media/2.mp4",
                    "preview_url": f"{BASE}/media/2.png",
                    "description": None,
                },
                {"type": "video", "url": f"{BASE}/media/3.mp4", "meta": {"original": {"duration": 12.5}}},
                {"type": "audio", "url": f"{BASE}/media/4.mp3", "meta": {"original": {"duration": "long"}}},
                {"type": "unknown", "url": None, "remote_url": "https://far.example/5.pdf"},
                {"type": "image", "url": "javascript:alert(1)"},
                "nonsense",
            ]
        )
    ).content.media
    assert [media.type for media in found] == ["image", "animation", "video", "audio", "file"]
    assert (found[0].alt, found[0].width, found[0].height, found[0].preview) == ("A cat", 800, 600, None)
    assert [media.focus for media in found] == [(0.1, -0.2), None, None, None, None]
    assert (found[1].alt, found[1].preview) == (None, f"{BASE}/media/2.png")
    assert (found[2].duration, found[3].duration) == (12.5, None)


@pytest.mark.parametrize(
    ("focus", "kept"),
    [
        ({"x": -1, "y": 1.0}, (-1.0, 1.0)),
        ({"x": 0.12345, "y": 0}, (0.12, 0.0)),
        ({"x": 0.0, "y": 0.0}, None),
        ({"x": 1.01, "y": 0.5}, None),
        ({"x": 1e308, "y": 0.5}, None),
        ({"x": True, "y": 0.5}, None),
        ({"x": "0.5", "y": 0.5}, None),
        ({"x": 0.5}, None),
        ([0.5, 0.5], None),
    ],
    ids=["corner", "rounded", "center", "outside", "huge", "flag", "text", "half", "list"],
)
def test_a_focal_point_is_within_the_picture(server: Mastodon, focus: object, kept: tuple[float, float] | None) -> None:
    picture = {"type": "image", "url": f"{BASE}/media/1.png", "meta": {"focus": focus}}
    [media] = _one(server.post(media_attachments=[picture])).content.media
    assert media.focus == kept


def test_links_of_the_text_are_kept_with_their_card(server: Mastodon) -> None:
    found = _one(
        server.post(
            '<p>Read <a href="https://news.example/b?x=1&amp;y=2"><span class="invisible">https://</span>news…</a>, '
            '<a href="https://news.example/a">this</a>, <a href="https://news.example/a">again</a>, '
            '<a href="https://far.example/tags/open" class="mention hashtag">#<span>open</span></a>, '
            '<a href="https://far.example/@bob" class="mention">@<span>bob</span></a>, '
            '<a href="javascript:alert(1)">that</a></p>',
            card={"url": "https://news.example/a", "title": "A title"},
        )
    ).content.links
    assert [(link.url, link.title) for link in found] == [
        ("https://news.example/b?x=1&y=2", None),
        ("https://news.example/a", "A title"),
    ]


def test_a_text_of_many_links_keeps_some(server: Mastodon) -> None:
    text = "".join(f'<a href="https://news.example/{number}">{number}</a> ' for number in range(2000))
    assert len(_one(server.post(text)).content.links) == 50


def test_a_poll_and_a_card(server: Mastodon) -> None:
    found = _one(
        server.post(
            poll={
                "expires_at": "2026-12-01T00:00:00.000Z",
                "options": [{"title": "Yes", "votes_count": 3}, {"title": "No", "votes_count": None}],
            },
            card={
                "url": "https://news.example/a",
                "title": "A title",
                "description": "Words",
                "image": "https://news.example/a.png",
            },
        )
    ).content
    assert found.poll is not None
    assert (found.poll.options, found.poll.ends) == (("Yes", "No"), datetime(2026, 12, 1, tzinfo=UTC))
    [link] = found.links
    assert (link.url, link.title, link.image) == ("https://news.example/a", "A title", "https://news.example/a.png")


def test_an_edit_has_its_time_and_counts_are_no_edit(server: Mastodon) -> None:
    status = server.post()
    before = _one(status)
    status |= {"favourites_count": 7, "replies_count": 1}
    status["account"]["followers_count"] = 9
    assert _one(status).entry_digest == before.entry_digest
    server.edit(status["id"], "<p>Corrected</p>")
    after = _one(status)
    assert after.entry_digest != before.entry_digest
    assert (after.content.edited, after.content.text) == (True, "Corrected")
    assert after.content.updated is not None
    assert after.content.published == before.content.published


@pytest.mark.parametrize(
    ("visibility", "unlisted", "stored"),
    [
        ("public", False, True),
        ("unlisted", False, False),
        ("unlisted", True, True),
        ("private", True, False),
        ("direct", True, False),
        ("limited", True, False),
        (None, True, False),
    ],
)
def test_only_what_is_public_is_stored(server: Mastodon, visibility: str, *, unlisted: bool, stored: bool) -> None:
    status = server.post(visibility=visibility)
    boost = server.post(reblog=server.post("<p>x</p>", "bob", visibility=visibility))
    reading = _read(status, boost, unlisted=unlisted)
    assert len(reading.activities) == 2 * stored
    assert reading.left_out == ([] if stored else [status["id"], boost["id"]])


def test_an_odd_status_costs_no_other_and_is_read_again(server: Mastodon) -> None:
    odd = server.post(reblog={"visibility": "public", "content": "no id"})
    reading = _read(odd, server.post())
    assert len(reading.activities) == 1
    [unread] = reading.unread
    assert unread.native_id == odd["uri"]
    assert read_again(unread.raw) == []
    odd["reblog"] = None
    kept = json.dumps({"status": odd, "server": BASE}).encode()
    assert [activity.native_id for activity in read_again(kept)] == [odd["uri"]]


_WRONG: Sequence[object] = [None, 1, 1e400, True, "x", [], [1], {}, {"a": []}, "\ud800", "x" * 100_000]


@pytest.mark.parametrize("value", _WRONG, ids=range(len(_WRONG)))
def test_any_field_can_have_any_value(server: Mastodon, value: object) -> None:
    original = server.post("<p>x</p>", "bob")
    whole = server.post(
        reblog=None,
        quote={"state": "accepted", "quoted_status": original},
        media_attachments=[{"type": "image", "url": f"{BASE}/1.png", "meta": {"original": {}}}],
        poll={"options": [{"title": "Yes"}]},
        card={"url": "https://news.example/"},
        tags=[{"name": "open"}],
        mentions=[{"acct": "bob"}],
    )
    for name in (*whole, "reblog"):
        read = read_statuses(json.dumps([{**whole, name: value}, original]).encode(), BASE)
        assert original["uri"] in {activity.native_id for activity in read.activities}, name
    for name in whole["account"]:
        status = {**whole, "account": {**whole["account"], name: value}}
        assert len(read_statuses(json.dumps([status, original]).encode(), BASE).activities) == 2, name


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error": "x"}', b"<html>", b"[" * 100_000, b"\xff\xfe", b"null"])
def test_what_is_no_list_of_statuses_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_statuses(body, BASE)


def test_a_list_of_something_else_has_no_status() -> None:
    assert read_statuses(b'[1, null, {}, {"id": "../x"}, {"id": 7}, []]', BASE).activities == []
