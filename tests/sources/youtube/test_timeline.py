"""Test details, edits and removals of videos, over real HTTP and on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sources.polled import count, items, later, poll, stored
from tests.sources.youtube.adding import added, item_of, titles

if TYPE_CHECKING:
    from aggregator.container import Container
    from tests.sources.youtube.server import YouTube

LIVE: dict[str, Any] = {"snippet": {"liveBroadcastContent": "live"}, "contentDetails": {"duration": "P0D"}}


def test_views_change_nothing_and_edits_change_in_place(container: Container, server: YouTube) -> None:
    id_ = server.upload("Frist")
    source = added(container)
    units = server.units
    report = poll(container, source)  # each feed has other numbers of views
    assert (report.new, report.changed, report.unchanged) == (0, 0, 1)
    assert server.units == units
    server.change(id_, snippet={"title": "First"})
    assert poll(container, source).changed == 1
    assert titles(container) == ["First"]


def test_a_deleted_video_is_gone_and_stays_so(container: Container, server: YouTube) -> None:
    ids = [server.upload(str(number)) for number in range(4)]
    source = added(container)
    deleted = server.videos[ids[1]]
    server.delete(ids[1])
    later(container)
    poll(container, source)
    assert titles(container) == ["0", "2", "3"]
    server.videos[ids[1]] = deleted
    server.playlists[f"UU{deleted['snippet']['channelId'][2:]}"].insert(2, ids[1])
    later(container)
    poll(container, source)
    assert titles(container) == ["0", "2", "3"]


def test_a_deleted_video_that_the_feed_still_lists_is_gone(container: Container, server: YouTube) -> None:
    ids = [server.upload(str(number)) for number in range(3)]
    source = added(container)
    server.delete(ids[2], stale=True)
    later(container)
    poll(container, source)
    assert titles(container) == ["0", "1"]
    server.upload("3")
    poll(container, source)
    assert titles(container) == ["0", "1", "3"]


def test_a_video_that_becomes_private_is_gone(container: Container, server: YouTube) -> None:
    id_ = server.upload("Private later")
    server.upload("Other")
    source = added(container)
    server.change(id_, status={"privacyStatus": "private"})
    later(container)
    poll(container, source)
    assert titles(container) == ["Other"]


@pytest.mark.parametrize("key", [""], ids=["no key"])
def test_a_video_that_only_left_the_feed_stays(container: Container, server: YouTube) -> None:
    ids = [server.upload(str(number)) for number in range(3)]
    source = added(container)
    server.delete(ids[0])
    later(container)
    poll(container, source)
    assert titles(container) == ["0", "1", "2"]


def test_videos_that_left_the_feed_are_looked_up_in_turn(container: Container, server: YouTube) -> None:
    ids = [server.upload(f"{number:02}") for number in range(10)]
    source = added(container)
    for start in range(10, 70, 10):
        for number in range(start, start + 10):
            server.upload(f"{number:02}")
        poll(container, source)
    assert count(container) == 70
    server.delete(ids[0])
    server.delete(ids[9])
    server.change(ids[4], snippet={"title": "changed"})
    calls = server.hits["/youtube/v3/videos"]
    for _ in range(2):
        later(container)
        poll(container, source)
    assert server.hits["/youtube/v3/videos"] == calls + 2
    found = titles(container)
    assert not {"00", "09"} & set(found)
    assert "changed" in found


def test_an_api_that_has_none_of_the_listed_videos_is_not_believed(container: Container, server: YouTube) -> None:
    server.upload("First")
    server.upload("Second")
    source = added(container)
    server.answers["videos"] = {"kind": "youtube#videoListResponse", "items": []}
    later(container)
    poll(container, source)
    assert titles(container) == ["First", "Second"]
    assert "not believed" in (stored(container, source).poll.document_note or "")


def test_a_live_stream_ends(container: Container, server: YouTube) -> None:
    id_ = server.upload("Stream", **LIVE, liveStreamingDetails={"actualStartTime": "2026-11-01T10:00:00Z"})
    source = added(container)
    content = item_of(container, id_).content
    assert (content.text, content.media[0].duration) == ("Live now.\n\nAbout Stream", None)
    server.change(
        id_,
        snippet={"liveBroadcastContent": "none"},
        contentDetails={"duration": "PT1H2M", "caption": "true"},
        liveStreamingDetails={"actualEndTime": "2026-11-01T11:02:00Z"},
    )
    later(container)
    assert poll(container, source).changed == 1
    content = item_of(container, id_).content
    assert content.text == "Recorded live or as a premiere.\n\nAbout Stream\n\n1:02:00 · With captions"
    assert content.media[0].duration == 3720


def test_a_premiere_becomes_a_video(container: Container, server: YouTube) -> None:
    id_ = server.upload(
        "Film",
        snippet={"liveBroadcastContent": "upcoming"},
        liveStreamingDetails={"scheduledStartTime": "2026-12-01T18:00:00Z"},
    )
    source = added(container)
    assert item_of(container, id_).content.text == "Premiere on 2026-12-01 at 18:00 UTC.\n\nAbout Film\n\n1:30"
    ended = {"actualStartTime": "2026-12-01T18:00:02Z", "actualEndTime": "2026-12-01T18:02:00Z"}
    server.change(id_, snippet={"liveBroadcastContent": "none"}, liveStreamingDetails=ended)
    later(container)
    poll(container, source)
    assert item_of(container, id_).content.text == "Recorded live or as a premiere.\n\nAbout Film\n\n1:30"


def test_a_live_stream_is_announced(container: Container, server: YouTube) -> None:
    details = {"scheduledStartTime": "2026-12-01T18:00:00Z"}
    parts: dict[str, Any] = {**LIVE, "snippet": {"liveBroadcastContent": "upcoming"}}
    id_ = server.upload("Stream", **parts, liveStreamingDetails=details)
    added(container)
    assert item_of(container, id_).content.text == "Live stream on 2026-12-01 at 18:00 UTC.\n\nAbout Stream"


def test_details_stay_while_the_api_fails(container: Container, server: YouTube) -> None:
    id_ = server.upload("First")
    source = added(container)
    server.api_fails = 500
    server.change(id_, snippet={"title": "Renamed"})
    new = server.upload("Second")
    assert poll(container, source).error is None
    assert item_of(container, id_).content.media[0].duration == 90
    assert item_of(container, new).content.media[0].duration is None
    server.api_fails = 0
    poll(container, source)
    assert titles(container) == ["Renamed", "Second"]
    assert [item.content.media[0].duration for item in items(container)] == [90, 90]
