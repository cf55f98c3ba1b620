"""Read videos from feeds and from responses of the API. Pure.

A feed marks a short by its link (`/shorts/ID`), and has nothing about live streams and premieres. The API marks both by
`liveBroadcastContent`: a premiere has a duration before it begins, a live stream doesn't.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lxml import etree

from aggregator.domain.errors import NoFeedError, UnreadableError
from aggregator.source_api.untrusted_json import Record, decoded, moment, record, records, text
from aggregator.sources.youtube.addresses import is_channel, is_video
from aggregator.sources.youtube.network import API

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MOST_VIDEOS = 50  # of a feed or response; feeds have 15

_ATOM, _YT, _MEDIA = (
    "{http://www.w3.org/2005/Atom}",
    "{http://www.youtube.com/xml/schemas/2015}",
    "{http://search.yahoo.com/mrss/}",
)
_LONGEST_TITLE = 300
_LONGEST_TEXT = 20_000
_DURATION = re.compile(r"P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:(\d{1,6})S)?)?", re.ASCII)
_WITHDRAWN = frozenset({"deleted", "rejected", "failed"})  # values of `uploadStatus`
_LISTED = "public", "unlisted"  # values of `privacyStatus`; that of a deleted video is `privacyStatusUnspecified`
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Sort(StrEnum):
    """The sort of a video."""

    VIDEO = "video"
    SHORT = "short"
    LIVE = "live"  # it is being streamed
    PLANNED = "planned"  # a live stream that has not begun
    PREMIERE = "premiere"  # a video that is first shown at a time, or being shown first
    RECORDING = "recording"  # of a live stream or premiere that ended


@dataclass(frozen=True, slots=True)
class Video:
    """A video, as far as it is known. `detailed`: its duration and state are those of the API."""

    id: str
    title: str = ""
    description: str = ""
    channel_id: str = ""
    channel: str = ""
    published: datetime | None = None
    short: bool = False
    sort: Sort = Sort.VIDEO
    duration: float | None = None  # seconds
    captions: bool = False
    starts: datetime | None = None  # of a live stream or premiere that has not begun
    lang: str = ""
    detailed: bool = False

    def with_short(self, *, short: bool) -> Video:
        """Return the video as a short, if the feed calls it one and it isn't live."""
        sort = Sort.SHORT if short and self.sort is Sort.VIDEO else self.sort
        return replace(self, short=short, sort=sort)


@dataclass(frozen=True, slots=True)
class Page:
    """The videos of a feed or playlist, newest first."""

    videos: Mapping[str, Video]
    title: str = ""


def read_feed(body: bytes) -> Page:
    """Read the feed of a channel or playlist.

    Raises:
        NoFeedError: it isn't one.
    """
    root = _root(body)
    if root is None or root.tag != f"{_ATOM}feed":
        raise NoFeedError("The response is not a feed of YouTube.")
    found: dict[str, Video] = {}
    for entry in root.iterchildren(f"{_ATOM}entry"):
        video = _of_entry(entry)
        if video is not None and len(found) < MOST_VIDEOS:
            found.setdefault(video.id, video)
    return Page(found, _text(root, f"{_ATOM}title", _LONGEST_TITLE))


def _root(body: bytes) -> etree._Element | None:
    if re.search(rb"<!(?:DOCTYPE|ENTITY)", body, re.IGNORECASE):
        return None  # a feed of YouTube has none, and entities could make it endless
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _of_entry(entry: etree._Element) -> Video | None:
    id_ = _text(entry, f"{_YT}videoId", 64)
    if not is_video(id_):
        return None
    link = next((link.get("href", "") for link in entry.iterchildren(f"{_ATOM}link")), "")
    author, group = entry.find(f"{_ATOM}author"), entry.find(f"{_MEDIA}group")
    channel_id = _text(entry, f"{_YT}channelId", 64)
    video = Video(
        id_,
        title=_text(entry, f"{_ATOM}title", _LONGEST_TITLE),
        description="" if group is None else _text(group, f"{_MEDIA}description", _LONGEST_TEXT),
        channel_id=channel_id if is_channel(channel_id) else "",
        channel="" if author is None else _text(author, f"{_ATOM}name", _LONGEST_TITLE),
        published=moment(_text(entry, f"{_ATOM}published", 40)),
    )
    return video.with_short(short=_path(link).startswith("/shorts/"))


def _path(link: str) -> str:
    try:
        return urlsplit(link).path
    except ValueError:
        return ""


def _text(parent: etree._Element, tag: str, longest: int) -> str:
    element = parent.find(tag)
    value = "" if element is None else element.text
    return _CONTROL.sub("", value or "")[:longest].strip()


def read_playlist(body: bytes) -> Page:
    """Read a response of `playlistItems.list` with the parts snippet, contentDetails and status.

    Raises:
        UnreadableError: it isn't one.
    """
    found: dict[str, Video] = {}
    title = ""
    for item in _items(body):
        snippet, details = record(item.get("snippet")), record(item.get("contentDetails"))
        id_ = details.get("videoId")
        title = title or _words(snippet.get("channelTitle"), _LONGEST_TITLE)
        if not is_video(id_) or record(item.get("status")).get("privacyStatus", "public") not in _LISTED:
            continue
        owner = snippet.get("videoOwnerChannelId")
        found.setdefault(
            id_,
            Video(
                id_,
                title=_words(snippet.get("title"), _LONGEST_TITLE),
                description=_words(snippet.get("description"), _LONGEST_TEXT),
                channel_id=owner if is_channel(owner) else "",
                channel=_words(snippet.get("videoOwnerChannelTitle"), _LONGEST_TITLE),
                published=moment(details.get("videoPublishedAt")) or moment(snippet.get("publishedAt")),
            ),
        )
    return Page(found, title)


def read_videos(body: bytes) -> dict[str, Video | None]:
    """Read a response of `videos.list` with the parts snippet, contentDetails, status and liveStreamingDetails.

    A video that its owner or YouTube withdrew is None.

    Raises:
        UnreadableError: it isn't one.
    """
    return {str(item["id"]): _of_resource(item) for item in _items(body) if is_video(item.get("id"))}


def read_channels(body: bytes) -> list[tuple[str, str]]:
    """Read ids and titles from a response of `channels.list` with the parts id and snippet.

    Raises:
        UnreadableError: it isn't one.
    """
    named = [(item.get("id"), record(item.get("snippet"))) for item in _items(body, "channel", absent=True)]
    return [(id_, _words(snippet.get("title"), _LONGEST_TITLE)) for id_, snippet in named if is_channel(id_)]


def _items(body: bytes, what: str = "", *, absent: bool = False) -> list[Record]:
    """Return the items of a list; a response without matches may omit `items` if `absent` is set."""
    page = record(decoded(body, API))
    kind, items = text(page.get("kind"), 100), page.get("items")
    if not kind.startswith(f"youtube#{what}") or not kind.endswith("ListResponse"):
        raise UnreadableError(f"The response is not one of {API}.")
    if items is None and absent:
        return []
    if not isinstance(items, list):
        raise UnreadableError(f"The response of {API} has no list.")
    return records(items)[:MOST_VIDEOS]


def _of_resource(item: Record) -> Video | None:
    snippet, details = record(item.get("snippet")), record(item.get("contentDetails"))
    status, live = record(item.get("status")), record(item.get("liveStreamingDetails"))
    if status.get("privacyStatus") == "private" or text(status.get("uploadStatus")) in _WITHDRAWN:
        return None
    duration = _seconds(details.get("duration"))
    channel_id = snippet.get("channelId")
    lang = text(snippet.get("defaultAudioLanguage")) or text(snippet.get("defaultLanguage"))
    sort = _sort(snippet.get("liveBroadcastContent"), live, duration)
    return Video(
        str(item["id"]),
        title=_words(snippet.get("title"), _LONGEST_TITLE),
        description=_words(snippet.get("description"), _LONGEST_TEXT),
        channel_id=channel_id if is_channel(channel_id) else "",
        channel=_words(snippet.get("channelTitle"), _LONGEST_TITLE),
        published=moment(snippet.get("publishedAt")),
        sort=sort,
        duration=duration,
        captions=details.get("caption") == "true",
        starts=moment(live.get("scheduledStartTime")) if sort in {Sort.PLANNED, Sort.PREMIERE} else None,
        lang=lang if _LANGUAGE.fullmatch(lang) else "",
        detailed=True,
    )


def _sort(broadcast: Any, live: Record, duration: float | None) -> Sort:  # noqa: ANN401  # any JSON
    match broadcast:
        case "live" | "upcoming" if duration:
            return Sort.PREMIERE
        case "live":
            return Sort.LIVE
        case "upcoming":
            return Sort.PLANNED
    return Sort.RECORDING if moment(live.get("actualEndTime")) else Sort.VIDEO


def _seconds(value: object) -> float | None:
    """Return a duration (ISO 8601) in seconds; that of a live stream is zero, so unknown."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds() or None


def _words(value: object, longest: int) -> str:
    return _CONTROL.sub("", text(value, longest)).strip()
