"""Compare each NAME.in.json with NAME.out.json; UPDATE_GOLDEN=1 rewrites the outputs.

The inputs are made for these tests. Their shapes are those of the lexicons:

- pages: the output of app.bsky.feed.getAuthorFeed, or of app.bsky.feed.searchPosts (`search`)
- posts, reposts and replies: app.bsky.feed.defs#feedViewPost, #postView, #reasonRepost, #reasonPin, #notFoundPost
- records: app.bsky.feed.post, with app.bsky.richtext.facet
- authors: app.bsky.actor.defs#profileViewBasic
- embeds: app.bsky.embed.images, .gallery, .video, .external, .record and .recordWithMedia
- cards of feeds, lists and starter packs: app.bsky.feed.defs#generatorView, app.bsky.graph.defs#listView and
  #starterPackViewBasic
- labels: com.atproto.label.defs#label and #selfLabels
"""

from __future__ import annotations

import json

import pytest

from aggregator.sources.bluesky.normalise import Reading, read_again, read_page
from tests.golden_files import GOLDEN, assert_no_orphans, compare, inputs, readable

CASES = inputs("bluesky")


def reading(name: str) -> Reading:
    return read_page((GOLDEN / "bluesky" / f"{name}.in.json").read_bytes())


@pytest.mark.parametrize("name", CASES)
def test_a_page_becomes_these_activities(name: str) -> None:
    found = reading(name)
    hidden = {native_id: why.value for native_id, why in found.hidden.items()}
    summary = {
        "activities": [readable(activity) for activity in found.activities],
        **({"hidden": hidden} if hidden else {}),
    }
    compare(summary, GOLDEN / "bluesky" / f"{name}.out.json")
    assert found.unread == []


@pytest.mark.parametrize("name", CASES)
def test_a_raw_entry_gives_the_same_activity_again(name: str) -> None:
    for activity in reading(name).activities:
        assert read_again(activity.raw) == [activity]


def test_each_facet_covers_its_words() -> None:
    [activity] = reading("facets-after-emoji").activities
    content = activity.content
    assert [mention.handle for mention in content.mentions] == ["river-lab.example"]
    assert [link.text for link in content.links] == ["data.example.org/riv…", "desk.example/a"]
    assert content.hashtags == ("OpenData", "rivers")
    assert content.text.endswith("#OpenData — café ☕ naïve\n\nMore at desk.example/a")


def test_nothing_of_a_hidden_post_is_in_an_output() -> None:
    for name in CASES:
        out = json.loads((GOLDEN / "bluesky" / f"{name}.out.json").read_text("utf-8"))
        assert "Moderated" not in json.dumps(out)
        assert "For readers who are signed in" not in json.dumps(out)


def test_there_are_cases_and_no_orphans() -> None:
    assert len(CASES) >= 14
    assert_no_orphans("bluesky")
