"""Test what X leaves out or reports as gone, nested quotes, threads, polls, and posts with an odd structure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.sources.twitter.media import pictures_and_films
from aggregator.sources.twitter.normalise import normalise, normalise_page
from tests.x.scripted import page, post
from tests.x.variants import gone

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity

GONE = ["resource-not-found", "not-authorized-for-resource"]


def about(kind: str, id_: int) -> dict[str, Any]:
    return {"referenced_tweets": [{"type": kind, "id": str(id_)}]}


LINK = {"url": "https://t.co/q", "expanded_url": "https://x.com/c/status/4"}
ANSWER = {"conversation_id": "3", **about("replied_to", 4)}


def single(payload: dict[str, Any]) -> NewActivity:
    (activity,) = normalise(payload)
    return activity


@pytest.mark.parametrize("resource", ["tweet", "post"])
@pytest.mark.parametrize("how", GONE)
def test_a_repost_whose_original_is_gone_keeps_no_words(how: str, resource: str) -> None:
    words: dict[str, Any] = {
        "entities": {"mentions": [{"start": 3, "end": 5, "username": "b", "id": "2"}]},
        "note_tweet": {"text": "Gone"},
    }
    payload = page(post(5, words="RT @b: Gone", **about("retweeted", 4), **words)) | {
        "errors": [gone(4, how, resource)]
    }
    found = single(payload)
    assert (found.content.text, found.content.html, found.content.mentions) == ("", "", ())
    assert (found.content.complete, found.object, found.object_key) == (True, None, "x:4")
    assert b"Gone" not in found.raw
    assert single(json.loads(found.raw)) == found


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param([], id="none"),
        pytest.param([gone(9)], id="another-post"),
        pytest.param([gone(4, resource="user")], id="an-account"),
        pytest.param([gone(4, "operational-disconnect")], id="another-problem"),
        pytest.param(["odd", None, {"type": 5}], id="odd"),
    ],
)
def test_a_repost_without_any_word_of_x_on_its_original_keeps_the_cut_text(errors: list[Any]) -> None:
    found = single(page(post(5, words="RT @b: Cut…", **about("retweeted", 4))) | {"errors": errors})
    assert (found.content.text, found.content.is_excerpt) == ("RT @b: Cut…", True)


@pytest.mark.parametrize(
    ("extra", "lacks"),
    [
        pytest.param({}, True, id="not-included"),
        pytest.param({"errors": [gone(4)]}, False, id="gone"),
        pytest.param({"includes": {"tweets": [post(4)]}}, False, id="included"),
        pytest.param({"includes": {"tweets": [post(4, withheld={"copyright": True})]}}, False, id="withheld"),
    ],
)
def test_a_quote_says_whether_its_quoted_post_is_only_missing(extra: dict[str, Any], lacks: bool) -> None:
    found = single(page(post(5, **about("quoted", 4))) | extra)
    assert found.content.lacks_quote is lacks
    assert found.content.quote_of == "https://x.com/i/status/4"
    assert found.content.text == "Post 5"


def test_a_reposted_quote_contains_what_it_quotes_if_x_includes_it() -> None:
    repost, quote, quoted = (
        post(7, **about("retweeted", 6)),
        post(6, 2, "Look https://t.co/q", **about("quoted", 4), entities={"urls": [LINK]}),
        post(4, 3, "First words"),
    )
    whole = single(page(repost, tweets=[quote, quoted]))
    assert whole.object is not None
    assert whole.object.object is not None
    assert (whole.object.object.key, whole.object.object.content.text) == ("x:4", "First words")
    assert (whole.object.content.complete, whole.object.content.text) == (True, "Look https://x.com/c/status/4")
    assert single(json.loads(whole.raw)) == whole
    lacking = single(page(repost, tweets=[quote]))
    assert lacking.object is not None
    assert (lacking.object.object, lacking.object.content.lacks_quote) == (None, True)
    lost = single(page(repost, tweets=[quote]) | {"errors": [gone(4)]})
    assert lost.object is not None
    assert (lost.object.object, lost.object.content.lacks_quote) == (None, False)
    assert single(json.loads(lost.raw)) == lost
    quoting = single(page(post(8, **about("quoted", 6)), tweets=[quote, quoted]))  # nests no further
    assert quoting.object is not None
    assert (quoting.object.object, quoting.object.content.lacks_quote) == (None, True)


@pytest.mark.parametrize(
    ("withheld", "expected"),
    [
        pytest.param({"copyright": True, "country_codes": []}, ("XY",), id="copyright"),
        pytest.param({"copyright": True}, ("XY",), id="no-codes"),
        pytest.param({"copyright": True, "country_codes": ["de"]}, ("DE",), id="one-country"),
        pytest.param({"copyright": False, "country_codes": []}, (), id="nothing"),
    ],
)
def test_copyright_without_codes_is_everywhere(withheld: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert single(page(post(5, withheld=withheld))).content.withheld == expected


@pytest.mark.parametrize(
    ("more", "thread"),
    [
        pytest.param({"conversation_id": "5"}, "x:5@1", id="begins"),
        pytest.param(
            {"conversation_id": "3", "in_reply_to_user_id": "1", **about("replied_to", 4)}, "x:3@1", id="continues"
        ),
        pytest.param(
            {"conversation_id": "3", "in_reply_to_user_id": "2", **about("replied_to", 4)}, None, id="answers"
        ),
        pytest.param({"conversation_id": "5", **about("retweeted", 4)}, None, id="repost"),
        pytest.param({}, None, id="unknown"),
    ],
)
def test_own_posts_that_follow_each_other_are_a_thread(more: dict[str, Any], thread: str | None) -> None:
    assert single(page(post(5, **more))).thread == thread


def test_the_state_of_a_poll_is_no_edit() -> None:
    def poll(**state: Any) -> NewActivity:
        options = [{"position": 1, "label": "Yes &amp; no", "votes": state["votes"]}]
        answer = page(post(5, attachments={"poll_ids": ["7"]}), polls=[{"id": "7", "options": options, **state}])
        return single(answer)

    before, after = poll(votes=1, voting_status="open"), poll(votes=9, voting_status="closed")
    assert before.content.poll is not None
    assert before.content.poll.options == ("Yes & no",)
    assert (before.entry_digest, before.content) == (after.entry_digest, after.content)


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        pytest.param([("application/x-mpegURL", 0, "a.m3u8")], ("video", "a.m3u8", "application/x-mpegURL"), id="hls"),
        pytest.param([("application/x-mpegURL", 0, "a.m3u8"), ("video/mp4", 0, "a.mp4")],
                     ("video", "a.mp4", "video/mp4"), id="mp4-first"),
        pytest.param([("video/webm", 9, "a.webm")], ("image", "p.jpg", None), id="unknown-type"),
        pytest.param([], ("image", "p.jpg", None), id="none"),
    ],
)  # fmt: skip
def test_films(variants: list[tuple[str, int, str]], expected: tuple[str, str, str | None]) -> None:
    base = "https://v.example/"
    listed = [{"content_type": type_, "bit_rate": rate, "url": base + name} for type_, rate, name in variants]
    (film,) = pictures_and_films([{"type": "video", "preview_image_url": base + "p.jpg", "variants": listed}])
    assert (film.type, film.url.removeprefix(base), film.mime) == expected


ODD: dict[str, dict[str, Any]] = {
    "entities": {"entities": 5},
    "attachments": {"attachments": ["3_1"]},
    "text": {"text": {"plain": "Hello"}},
    "references": {"referenced_tweets": {"type": "quoted", "id": "4"}},
    "note": {"note_tweet": [1]},
    "withheld": {"withheld": "DE"},
    "history": {"edit_history_tweet_ids": ["x"], "entities": 5},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_post_costs_no_other_and_is_kept(odd: dict[str, Any]) -> None:
    payload = page(
        post(4), post(5) | odd, post(6), users=[{"id": "1", "username": "desk"}, {"id": "2", "username": "b"}]
    )
    found = normalise_page(payload)
    assert [activity.native_id for activity in found.activities] == ["4", "6"]
    (unread,) = found.unread
    assert (unread.native_id, unread.key) == ("5", "x:5")
    kept = json.loads(unread.raw)
    assert kept["data"] == [post(5) | odd]
    assert [user["id"] for user in kept["includes"]["users"]] == ["1"]  # what it mentions only


@pytest.mark.parametrize(
    "entities",
    [
        {"mentions": ["@somebody"], "urls": [{"url": "https://t.co/a"}, None]},
        {"mentions": None, "urls": {"0": {}}, "hashtags": [5, {"tag": 7}]},
    ],
    ids=["strings", "other-lists"],
)
def test_odd_entities_do_not_make_a_post_odd(entities: dict[str, Any]) -> None:
    odd = post(5, words="Hi https://t.co/a", entities=entities)
    found = normalise_page(page(post(6, **about("quoted", 5)), odd, tweets=[odd]))
    assert [activity.native_id for activity in found.activities] == ["5", "6"]
    assert found.unread == []


@pytest.mark.parametrize("entry", [None, 3, "text", {"text": "no id"}, {"id": "abc"}], ids=str)
def test_entries_without_an_id_are_kept_too(entry: object) -> None:
    found = normalise_page({"data": [entry, post(5)]})
    assert [activity.native_id for activity in found.activities] == ["5"]
    assert [unread.native_id.partition(":")[0] for unread in found.unread] == ["sha256"]
