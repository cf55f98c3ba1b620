"""Test normalization beyond the golden pages: digests, fallbacks, odd shapes."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aggregator.domain.activity import ActivityKind, Actor
from aggregator.domain.errors import UnreadableError
from aggregator.sources.twitter.markup import Shown, render
from aggregator.sources.twitter.normalise import normalise

EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # of the times in ids
POST: dict[str, Any] = {
    "id": "2051000000000000100",
    "text": "Hello",
    "author_id": "7001",
    "created_at": "2026-05-04T09:00:00.000Z",
    "edit_history_tweet_ids": ["2051000000000000100"],
    "edit_controls": {"is_edit_eligible": True},
    "public_metrics": {"like_count": 1},
}
USER = {"id": "7001", "name": "Desk", "username": "desk_example", "public_metrics": {"followers_count": 1}}


def page(post: dict[str, Any], **includes: Any) -> dict[str, Any]:
    return {"data": [post], "includes": {"users": [USER], **includes}, "meta": {"result_count": 1}}


def test_counts_and_editing_time_are_no_edit() -> None:
    later = copy.deepcopy(page(POST))
    later["data"][0] |= {"public_metrics": {"like_count": 900}, "edit_controls": {"is_edit_eligible": False}}
    later["includes"]["users"][0]["public_metrics"] = {"followers_count": 5}
    assert normalise(later)[0].entry_digest == normalise(page(POST))[0].entry_digest
    assert normalise(later)[0].raw != normalise(page(POST))[0].raw


@pytest.mark.parametrize("change", [{"text": "Hello!"}, {"lang": "fr"}, {"possibly_sensitive": True}])
def test_words_are_an_edit(change: dict[str, Any]) -> None:
    assert normalise(page(POST | change))[0].entry_digest != normalise(page(POST))[0].entry_digest


def test_change_of_the_original_changes_the_repost() -> None:
    repost = POST | {"id": "2051000000000000200", "referenced_tweets": [{"type": "retweeted", "id": POST["id"]}]}
    digests = {normalise(page(repost, tweets=[POST | {"text": text}]))[0].entry_digest for text in ("one", "two")}
    assert len(digests) == 2


def test_author_that_is_not_described_is_the_account() -> None:
    account = Actor("x", "7001", "Desk", "desk_example")
    activity = normalise({"data": [POST]}, account=account)[0]
    assert activity.content.actor == account
    assert activity.content.url == "https://x.com/desk_example/status/2051000000000000100"


def test_original_by_somebody_who_is_only_mentioned() -> None:
    repost = POST | {
        "id": "2051000000000000200",
        "text": "RT @river_lab: Hi",
        "referenced_tweets": [{"type": "retweeted", "id": "2051000000000000150"}],
        "entities": {"mentions": [{"start": 3, "end": 13, "username": "river_lab", "id": "7002"}]},
    }
    original = POST | {"id": "2051000000000000150", "author_id": "7002", "edit_history_tweet_ids": []}
    found = normalise(page(repost, tweets=[original]))[0].object
    assert found is not None
    assert found.content.actor == Actor("x", "7002", "@river_lab", "river_lab", url="https://x.com/river_lab")


def test_unavailable_quote_keeps_its_link_and_key() -> None:
    address = "https://x.com/river_lab/status/2051000000000000150"
    quote = POST | {
        "text": "See https://t.co/qqqqqqqqqq",
        "referenced_tweets": [{"type": "quoted", "id": "2051000000000000150"}],
        "entities": {"urls": [{"start": 4, "end": 27, "url": "https://t.co/qqqqqqqqqq", "expanded_url": address}]},
    }
    activity = normalise(page(quote))[0]
    assert activity.content.kind is ActivityKind.QUOTE
    assert activity.object is None
    assert activity.object_key == "x:2051000000000000150"
    assert activity.content.text == f"See {address}"


def test_oldest_first_by_number() -> None:
    ids = ["1000000000000000000", "999999999999999999", "1000000000000000001"]
    posts = [{"id": id_, "text": "t", "author_id": "7001"} for id_ in ids]
    assert [a.native_id for a in normalise({"data": posts})] == [ids[1], ids[0], ids[2]]


def test_lone_surrogate_does_not_break_the_raw_entry() -> None:
    activity = normalise(page(POST | {"text": "cut \ud83d"}))[0]
    assert json.loads(activity.raw)["data"][0]["text"] == "cut \ud83d"


@pytest.mark.parametrize("payload", [{"data": {"id": "1"}}, {"data": [], "includes": []}, {"data": "x"}])
def test_other_shapes_are_refused(payload: dict[str, Any]) -> None:
    if payload["data"] == []:
        assert normalise(payload) == []  # an empty `includes` of the wrong type is harmless
    else:
        with pytest.raises(UnreadableError):
            normalise(payload)


def test_entries_that_are_no_posts_are_passed_over() -> None:
    assert normalise({"data": [None, 3, {"text": "no id"}, {"id": "abc"}, POST]}) == normalise({"data": [POST]})


@pytest.mark.parametrize("created", [None, "yesterday", 5])
def test_without_a_valid_time_the_id_gives_it(created: object) -> None:
    published = normalise(page(POST | {"created_at": created}))[0].content.published
    assert published is not None
    assert published == EPOCH + timedelta(milliseconds=int(POST["id"]) >> 22)


@pytest.mark.parametrize("id_", ["20", "29700859246", "9" * 30])
def test_ids_without_a_time_leave_it_unknown(id_: str) -> None:
    assert normalise({"data": [{"id": id_, "text": "t", "author_id": "7001"}]})[0].content.published is None


def test_time_is_read_in_utc() -> None:
    published = normalise(page(POST | {"created_at": "2026-05-04T11:00:00+02:00"}))[0].content.published
    assert published == datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize(("code", "lang"), [("en", "en"), ("in", "id"), ("iw", "he"), ("und", None), ("qme", None)])
def test_language(code: str, lang: str | None) -> None:
    assert normalise(page(POST | {"lang": code}))[0].content.lang == lang


@pytest.mark.parametrize(
    "offsets",
    [{}, {"start": 1, "end": 24}, {"start": -1, "end": 3}, {"start": "6", "end": None}, {"start": 0, "end": 1}],
)
def test_entities_whose_offsets_do_not_fit_are_found_by_their_string(offsets: dict[str, Any]) -> None:
    entities = {
        "urls": [{**offsets, "url": "https://t.co/hhhhhhhhhh", "display_url": "example.org/h"}],
        "mentions": [{**offsets, "username": "abc"}],
        "hashtags": [{**offsets, "tag": "Open"}],
    }
    found = render("Hello @ABC #openness #open x@abc https://t.co/hhhhhhhhhh", entities, Shown())
    assert found.html == (
        'Hello <a href="https://x.com/abc" rel="nofollow noopener">@abc</a> #openness '
        '<a href="https://x.com/hashtag/Open" rel="nofollow noopener">#Open</a> x@abc '
        '<a href="https://t.co/hhhhhhhhhh" rel="nofollow noopener">example.org/h</a>'
    )
    assert found.text == "Hello @abc #openness #Open x@abc https://t.co/hhhhhhhhhh"


def test_repeated_entities_are_found_one_after_the_other() -> None:
    urls = [{"start": 0, "end": 1, "url": "https://t.co/a", "display_url": "a.example"}] * 3
    found = render("https://t.co/a https://t.co/a https://t.co/ab", {"urls": urls}, Shown())
    assert found.html.count("a.example</a>") == 2
    assert found.html.endswith(" https://t.co/ab")


def test_entities_that_are_not_in_the_text_leave_it_whole() -> None:
    entities = {
        "mentions": [{"start": 1, "end": 4, "username": "abcd"}, {}],
        "urls": [{"start": 0, "end": 9, "url": 7}],
    }
    found = render("Hello @abc", entities, Shown())
    assert found.text == found.html == "Hello @abc"


def test_media_link_within_a_sentence_stays() -> None:
    url = {
        "start": 4,
        "end": 27,
        "url": "https://t.co/mmmmmmmmmm",
        "expanded_url": "https://x.com/a/status/1/photo/1",
        "media_key": "3_1",
    }
    text = "See https://t.co/mmmmmmmmmm for more"
    assert render(text, {"urls": [url]}, Shown(media=True)).text == "See https://x.com/a/status/1/photo/1 for more"
    assert render(text[:27], {"urls": [url]}, Shown(media=True)).text == "See"
    assert render(text[:27], {"urls": [url]}, Shown(media=False)).text == "See https://x.com/a/status/1/photo/1"
