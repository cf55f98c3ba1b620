"""Compare what is stored of NAME.in.xml with NAME.out.json; UPDATE_GOLDEN=1 rewrites the outputs.

NAME.videos.json is the response of the API about the videos of a feed; with it and a key, NAME.with-key.out.json is
stored. The inputs are made for these tests. Feeds have the shape of youtube.com/feeds/videos.xml: Atom with elements of
the namespaces `yt` and `media`. Responses have those of the API's reference at developers.google.com/youtube/v3/docs:
`videos.list` (resource video) and `playlistItems.list` (resource playlistItem).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.sources.youtube.normalise import activity_of
from aggregator.sources.youtube.videos import read_playlist
from tests.golden_files import GOLDEN, assert_no_orphans, compare, inputs, plain, readable
from tests.sources.polled import items
from tests.sources.youtube.adding import PAGE, added
from tests.sources.youtube.server import KEY

if TYPE_CHECKING:
    from aggregator.container import Container
    from tests.sources.youtube.server import YouTube

FOLDER = GOLDEN / "youtube"
FEEDS = inputs("youtube", "xml")
DETAILED = [name for name in FEEDS if (FOLDER / f"{name}.videos.json").exists()]
LISTS = inputs("youtube")


def stored(container: Container, server: YouTube, name: str) -> list[Any]:
    """Return what is stored of a feed, newest first."""
    server.answers["videos.xml"] = (FOLDER / f"{name}.in.xml").read_bytes()
    added(container, PAGE)
    return [{"native_id": item.native_id, "key": item.key, "content": plain(item.content)} for item in items(container)]


@pytest.mark.parametrize("key", [""], ids=["no-key"])
@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_becomes_these_items(container: Container, server: YouTube, name: str) -> None:
    compare(stored(container, server, name), FOLDER / f"{name}.out.json")


@pytest.mark.parametrize("key", [KEY], ids=["key"])
@pytest.mark.parametrize("name", DETAILED)
def test_a_feed_and_the_api_become_these_items(container: Container, server: YouTube, name: str) -> None:
    server.answers["videos"] = json.loads((FOLDER / f"{name}.videos.json").read_text("utf-8"))
    compare(stored(container, server, name), FOLDER / f"{name}.with-key.out.json")


@pytest.mark.parametrize("name", LISTS)
def test_a_playlist_of_the_api_becomes_these_activities(name: str) -> None:
    page = read_playlist((FOLDER / f"{name}.in.json").read_bytes())
    compare([readable(activity_of(video)) for video in page.videos.values()], FOLDER / f"{name}.out.json")


def test_there_are_cases_and_no_orphans() -> None:
    assert FEEDS
    assert DETAILED
    assert LISTS
    assert_no_orphans("youtube", ".with-key.out.json")
