"""Test requirements 5 to 9: how posts are normalized, in both vocabularies of X's own samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import ActivityKind, Upstream
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened
from aggregator.sources.twitter.normalise import normalise
from tests.x.following import START
from tests.x.scripted import page, post

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity

SAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "x-samples"
GOLDEN = Path(__file__).parents[1] / "golden" / "twitter"


def activities(payload: dict[str, Any]) -> dict[str, NewActivity]:
    return {activity.native_id: activity for activity in normalise(payload)}


def golden(name: str) -> list[NewActivity]:
    return normalise(json.loads((GOLDEN / f"{name}.in.json").read_text("utf-8")))


@pytest.fixture(params=["166", "167"])
def sample(request: pytest.FixtureRequest) -> dict[str, NewActivity]:
    path = SAMPLES / f"composed-timeline-2.{request.param}.json"
    if not path.is_file():
        pytest.skip("X's sample payloads are not beside this checkout")
    return activities(json.loads(path.read_text("utf-8")))


def test_x_05_one_page_gives_every_kind_with_both_people(sample: dict[str, NewActivity]) -> None:
    assert [activity.content.kind.value for activity in sample.values()] == [
        "repost",
        "reply",
        "post",
        "quote",
        "repost",
    ]
    repost = sample["2091000000000000900"]
    assert repost.object is not None
    assert repost.content.actor is not None
    assert repost.object.content.actor is not None
    assert (repost.content.actor.handle, repost.object.content.actor.handle) == ("ogp_sample", "min_data_sample")
    assert repost.object.native_id == "2091000000000000001"
    assert repost.content.published != repost.object.content.published


def test_x_06_a_repost_has_the_whole_original(sample: dict[str, NewActivity]) -> None:
    original = sample["2091000000000000900"].object
    assert original is not None
    assert original.content.text.startswith("The new action plan is out: 42 commitments")
    assert original.content.text.endswith("Thank you to everyone who took part 🌍 https://data.example.org/plan")
    assert [media.alt for media in original.content.media] == ["Cover of the action plan"]
    assert original.content.actor is not None
    assert original.content.actor.avatar is not None


def test_x_06_a_repost_whose_original_is_gone_has_no_words(sample: dict[str, NewActivity]) -> None:
    lost = sample["2091000000000000400"]
    assert lost.content.kind is ActivityKind.REPOST
    assert (lost.object, lost.object_key) == (None, "x:2090000000000000042")
    assert (lost.content.text, lost.content.html, lost.content.complete) == ("", "", True)
    assert b"no longer available" not in lost.raw
    assert all(activity.content.complete for activity in sample.values())


def test_x_07_a_long_post_has_its_whole_text_and_that_text_s_links(sample: dict[str, NewActivity]) -> None:
    long = sample["2091000000000000600"].content
    assert len(long.text) > 500
    assert long.text.endswith("https://blog.example.org/habit")
    assert [(link.url, link.via) for link in long.links] == [
        ("https://blog.example.org/habit", "https://t.co/cccccccccc")
    ]


def test_x_07_links_behind_emoji_stand_where_x_says(sample: dict[str, NewActivity]) -> None:
    original = sample["2091000000000000900"].object
    assert original is not None
    assert (
        '🌍 <a href="https://t.co/bbbbbbbbbb" rel="nofollow noopener">data.example.org/plan?utm'
        in original.content.html
    )
    assert original.content.html.endswith("</a>")


def test_x_07_text_is_unescaped_exactly_once(sample: dict[str, NewActivity]) -> None:
    original = sample["2091000000000000900"].object
    assert original is not None
    assert "open contracting & civic space" in original.content.text
    assert "open contracting &amp; civic space" in original.content.html
    [twice] = normalise(page(post(5, words="5 &amp;lt; 6 &lt;b&gt;")))
    assert (twice.content.text, twice.content.html) == ("5 &lt; 6 <b>", "5 &amp;lt; 6 &lt;b&gt;")


def test_x_07_links_to_what_is_shown_beside_leave_the_plain_text_only(sample: dict[str, NewActivity]) -> None:
    quote = sample["2091000000000000800"].content
    assert quote.text == "Civic space, please."
    assert 'href="https://t.co/eeeeeeeeee"' in quote.html


def test_x_08_both_vocabularies_give_the_same() -> None:
    older, newer = golden("vocabulary-older"), golden("vocabulary-newer")
    assert older == newer
    if SAMPLES.is_dir():
        pages = [json.loads((SAMPLES / f"composed-timeline-2.{n}.json").read_text("utf-8")) for n in (166, 167)]
        assert pages[0] != pages[1]
        assert normalise(pages[0]) == normalise(pages[1])


def test_x_09_media_keep_what_is_said_of_them(sample: dict[str, NewActivity]) -> None:
    [film] = sample["2091000000000000800"].content.media
    assert (film.type, film.url, film.duration) == ("video", "https://video.twimg.com/1/720.mp4", 9.0)
    assert film.preview is not None


def test_x_09_sensitive_posts_and_withheld_countries_are_told(sample: dict[str, NewActivity]) -> None:
    [sensitive] = normalise(page(post(5, possibly_sensitive=True, withheld={"country_codes": ["de", "FR"]})))
    assert (sensitive.content.sensitive, sensitive.content.withheld) == (True, ("DE", "FR"))
    assert screened(sensitive, Policy.AUTO, START).upstream is Upstream.LIVE
    withheld = sample["2091000000000000500"]
    assert withheld.content.withheld == ("XY",)


@pytest.mark.parametrize("code", ["XX", "XY"])
def test_x_09_what_is_withheld_everywhere_is_not_shown(code: str) -> None:
    gone: dict[str, Any] = {"withheld": {"copyright": code == "XY", "country_codes": [code]}}
    reference: dict[str, Any] = {"referenced_tweets": [{"type": "retweeted", "id": "4"}]}
    quoting: dict[str, Any] = {"referenced_tweets": [{"type": "quoted", "id": "4"}]}
    found = activities(page(post(5, **gone), post(6, **reference), post(7, **quoting), tweets=[post(4, 2, **gone)]))
    assert [screened(activity, Policy.AUTO, START).upstream for activity in found.values()] == [
        Upstream.WITHHELD,
        Upstream.WITHHELD,
        Upstream.LIVE,
    ]
    assert (found["7"].object, found["7"].object_key) == (None, "x:4")


def test_x_10_an_edit_keeps_the_key_of_the_first_version(sample: dict[str, NewActivity]) -> None:
    edited = sample["2091000000000000600"]
    assert (edited.key, edited.content.edited) == ("x:2091000000000000600", True)
    assert edited.content.url == "https://x.com/ogp_sample/status/2091000000000000700"
    assert edited.content.published is not None
    assert edited.content.updated is not None
    assert edited.content.published <= edited.content.updated  # the sample's ids contain no time
