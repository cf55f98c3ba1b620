"""Test the reading of feeds and of responses of the API, and odd ones."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.errors import NoFeedError, UnreadableError
from aggregator.sources.youtube.normalise import activity_of, facts_line, keys_of
from aggregator.sources.youtube.videos import Sort, read_channels, read_feed, read_playlist, read_videos
from aggregator.text.urls import web_key
from tests.sources.youtube.server import CHANNEL, YouTube

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD: list[Any] = [None, True, -1, 1e400, "", "x", "<script>", "\ud800", [], [[]], {}, {"a": 1}, 10**30]


@pytest.fixture
def youtube() -> YouTube:
    server = YouTube(channels={CHANNEL: "Ada"})
    live = {"scheduledStartTime": "2026-12-01T18:00:00Z", "actualStartTime": "2026-12-01T18:00:00Z"}
    server.upload("A & B", liveStreamingDetails=live)
    server.upload("Short", short=True)
    return server


def _feed(youtube: YouTube) -> bytes:
    return youtube._feed({"channel_id": CHANNEL})[1]


def _bodies(youtube: YouTube) -> dict[str, Any]:
    playlist = {"playlistId": f"UU{CHANNEL[2:]}", "maxResults": "50"}
    return {
        "videos": youtube._videos({"id": ",".join(youtube.videos)})[1],
        "playlist": youtube._playlist_items(playlist)[1],
        "channels": youtube._channels({"id": CHANNEL})[1],
    }


READERS = {"videos": read_videos, "playlist": read_playlist, "channels": read_channels}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from _places(part, (*path, name))


@pytest.mark.parametrize("name", READERS)
def test_a_wrong_type_at_any_place_is_no_crash(youtube: YouTube, name: str) -> None:
    body = _bodies(youtube)[name]
    for path in _places(body):
        for value in ODD:
            changed: Any = copy.deepcopy(body)
            if path:
                holder = changed
                for step in path[:-1]:
                    holder = holder[step]
                holder[path[-1]] = value
            else:
                changed = value
            try:
                found: Any = READERS[name](json.dumps(changed).encode())
            except UnreadableError:
                continue
            videos = found.values() if name == "videos" else found.videos.values() if name == "playlist" else ()
            for video in filter(None, videos):
                activity = activity_of(video)
                assert "<script" not in activity.content.html
                json.dumps(activity.content.text).encode().decode("ascii")


def test_a_feed_is_read(youtube: YouTube) -> None:
    page = read_feed(_feed(youtube))
    short, plain = page.videos.values()
    assert page.title == "Ada"
    assert (plain.title, plain.description, plain.channel, plain.channel_id) == ("A & B", "About A & B", "Ada", CHANNEL)
    assert (short.sort, plain.sort, plain.duration, plain.detailed) == (Sort.SHORT, Sort.VIDEO, None, False)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"{}", b"<feed/>", b'<!DOCTYPE feed [<!ENTITY a "b">]><feed xmlns="http://www.w3.org/2005/Atom"/>',
        b'<rss version="2.0"><channel/></rss>', b"\x00", b"<feed" * 10_000,
    ],
    ids=range(8),
)  # fmt: skip
def test_what_is_no_feed_is_refused(body: bytes) -> None:
    with pytest.raises(NoFeedError):
        read_feed(body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<yt:videoId>video000000</yt:videoId>", b""),
        (b"<yt:videoId>video000000</yt:videoId>", b"<yt:videoId>../../x</yt:videoId>"),
        (b"<yt:videoId>video000000</yt:videoId>", b"<yt:videoId/>"),
    ],
    ids=["missing", "odd", "empty"],
)
def test_an_entry_without_an_id_is_left_out(youtube: YouTube, old: bytes, new: bytes) -> None:
    assert list(read_feed(_feed(youtube).replace(old, new)).videos) == ["video000001"]


@pytest.mark.parametrize("tag", ["title", "author", "published", "link", "media:group", "yt:channelId"])
def test_an_entry_without_a_part_is_read(youtube: YouTube, tag: str) -> None:
    feed = _feed(youtube).decode().replace(f"<{tag}", "<x").replace(f"</{tag}>", "</x>")
    for video in read_feed(feed.encode()).videos.values():
        assert activity_of(video).native_id == f"yt:video:{video.id}"


def test_a_feed_of_any_length_has_a_bounded_number_of_videos() -> None:
    entry = "".join(
        f"<entry xmlns='http://www.w3.org/2005/Atom' xmlns:yt='http://www.youtube.com/xml/schemas/2015'>"
        f"<yt:videoId>v{number:08}</yt:videoId></entry>"
        for number in range(1000)
    )
    feed = f"<feed xmlns='http://www.w3.org/2005/Atom'>{entry}</feed>"
    assert len(read_feed(feed.encode()).videos) == 50


@pytest.mark.parametrize(
    ("duration", "line"),
    [
        ("PT15M33S", "15:33"),
        ("P1DT2H3S", "26:00:03"),
        ("PT59S", "0:59"),
        ("P0D", ""),
        ("PT", ""),
        ("PT1.5S", ""),
        (7, ""),
    ],
)
def test_durations_are_read(youtube: YouTube, duration: Any, line: str) -> None:
    youtube.change("video000001", contentDetails={"duration": duration})
    video = read_videos(json.dumps(_bodies(youtube)["videos"]).encode())["video000001"]
    assert video is not None
    assert facts_line(video) == line


@pytest.mark.parametrize("status", ["deleted", "rejected", "failed"])
def test_withdrawn_videos_are_none(youtube: YouTube, status: str) -> None:
    youtube.change("video000001", status={"uploadStatus": status})
    assert read_videos(json.dumps(_bodies(youtube)["videos"]).encode())["video000001"] is None


def test_a_video_has_the_keys_under_which_feeds_stored_it() -> None:
    pages = ("https://www.youtube.com/watch?v=abcdefghijk", "https://www.youtube.com/shorts/abcdefghijk")
    assert keys_of("abcdefghijk") == ["youtube:abcdefghijk", *map(web_key, pages)]
