"""Recognize addresses of channels, playlists and videos, and make those of feeds and pages. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple, TypeGuard
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from aggregator.sources.youtube.settings import SITE

_HOSTS = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "youtube-nocookie.com"})
_HOSTS_OF_VIDEOS = frozenset({"youtu.be", "www.youtu.be"})
_CHANNEL = re.compile(r"UC[\w-]{22}", re.ASCII)
_PLAYLIST = re.compile(r"[\w-]{2,64}", re.ASCII)
_VIDEO = re.compile(r"[\w-]{6,20}", re.ASCII)
_HANDLE = re.compile(r"@[\w.·-]{1,100}")
_NAME = re.compile(r"[\w.-]{1,100}")
_FEED = "/feeds/videos.xml"
_VIDEO_PATHS = frozenset({"shorts", "live", "embed", "v"})
_TABS = frozenset({"videos", "shorts", "streams", "featured", "playlists", "community", "posts", "about", "podcasts"})
_NOT_CHANNELS = frozenset({"feed", "results", "gaming", "premium", "account", "hashtag", "post", "t", "about", "feeds"})
# In the page of a channel or video: its canonical link, its metadata, or the data of its scripts.
_CHANNEL_IN_PAGE = re.compile(
    r"(?:youtube\.com/channel/|\"(?:externalId|channelId|externalChannelId)\"\s?:\s?\"|"
    r"itemprop=\"(?:identifier|channelId)\" content=\")(UC[\w-]{22})\b"
)


class Form(StrEnum):
    """What an address names."""

    CHANNEL = "channel"
    PLAYLIST = "playlist"
    USER = "user"  # a channel by its name of the time before handles
    HANDLE = "handle"
    PAGE = "page"  # a channel by a name of its own
    VIDEO = "video"


class Subject(NamedTuple):
    """What an address names, with its id or name."""

    form: Form
    key: str


def is_channel(value: object) -> TypeGuard[str]:
    """Return whether a value is the id of a channel."""
    return isinstance(value, str) and _CHANNEL.fullmatch(value) is not None


def is_playlist(value: object) -> TypeGuard[str]:
    """Return whether a value may be the id of a playlist."""
    return isinstance(value, str) and _PLAYLIST.fullmatch(value) is not None


def is_video(value: object) -> TypeGuard[str]:
    """Return whether a value may be the id of a video."""
    return isinstance(value, str) and _VIDEO.fullmatch(value) is not None


def subject_of(address: str) -> Subject | None:
    """Return what an address names, or None if it isn't one of YouTube."""
    address = address.strip()
    if is_channel(address):
        return Subject(Form.CHANNEL, address)
    if re.match(r"(?i)(?:www\.|m\.)?youtu(?:be\.com|\.be)/", address):
        address = f"https://{address}"
    try:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or parts.username or parts.port not in {None, 80, 443}:
            return None
        query = {name: values[0] for name, values in parse_qs(parts.query, max_num_fields=50).items()}
    except ValueError:
        return None
    host, path = (parts.hostname or "").lower(), [part for part in parts.path.split("/") if part]
    if host in _HOSTS_OF_VIDEOS:
        return _playlist(query) or (_video(path[0]) if path else None)
    return _subject(path, query) if host in _HOSTS else None


def _subject(path: list[str], query: dict[str, str]) -> Subject | None:  # noqa: PLR0911  # one per form
    match path:
        case ["feeds", "videos.xml"]:
            return _of_feed(query)
        case [] | ["playlist"]:
            return _playlist(query)
        case ["watch"]:
            return _playlist(query) or _video(query.get("v", ""))
        case ["channel", id_, *_] if is_channel(id_):
            return Subject(Form.CHANNEL, id_)
        case ["user", name, *_] if _NAME.fullmatch(name):
            return Subject(Form.USER, name)
        case ["c", name, *_] if _NAME.fullmatch(name):
            return Subject(Form.PAGE, f"c/{name}")
        case [first, id_, *_] if first in _VIDEO_PATHS:
            return _video(id_)
        case [name, *rest] if not rest or rest[0] in _TABS:
            if _HANDLE.fullmatch(name):
                return Subject(Form.HANDLE, name)
            is_name = _NAME.fullmatch(name) and name not in _NOT_CHANNELS | _VIDEO_PATHS
            return Subject(Form.PAGE, name) if is_name else None
    return None


def _of_feed(query: dict[str, str]) -> Subject | None:
    if is_channel(query.get("channel_id")):
        return Subject(Form.CHANNEL, query["channel_id"])
    if is_playlist(query.get("playlist_id")):
        return Subject(Form.PLAYLIST, query["playlist_id"])
    return Subject(Form.USER, query["user"]) if _NAME.fullmatch(query.get("user", "")) else None


def _playlist(query: dict[str, str]) -> Subject | None:
    return Subject(Form.PLAYLIST, query["list"]) if is_playlist(query.get("list")) else None


def _video(id_: str) -> Subject | None:
    return Subject(Form.VIDEO, id_) if is_video(id_) else None


def feed_address(subject: Subject, site: str = SITE) -> str:
    """Return the address of the feed of a channel, a playlist or a user."""
    names = {Form.CHANNEL: "channel_id", Form.PLAYLIST: "playlist_id", Form.USER: "user"}
    return f"{site}{_FEED}?{urlencode({names[subject.form]: subject.key})}"


def page_address(subject: Subject, site: str = SITE) -> str:
    """Return the address of the page for people."""
    match subject.form:
        case Form.CHANNEL:
            return f"{site}/channel/{subject.key}"
        case Form.PLAYLIST:
            return f"{site}/playlist?list={subject.key}"
        case Form.USER:
            return f"{site}/user/{quote(subject.key, safe='')}"
        case Form.VIDEO:
            return f"{site}/watch?v={subject.key}"
    return f"{site}/{quote(subject.key, safe='@/')}"


def uploads_of(subject: Subject) -> str | None:
    """Return the playlist that the API reads instead of a feed: of a channel, all that it uploaded."""
    match subject.form:
        case Form.CHANNEL:
            return f"UU{subject.key.removeprefix('UC')}"
        case Form.PLAYLIST:
            return subject.key
    return None


def video_page(id_: str, *, short: bool = False) -> str:
    """Return the page of a video."""
    return f"{SITE}/shorts/{id_}" if short else f"{SITE}/watch?v={id_}"


def channel_in(page: str) -> str | None:
    """Return the id of the channel that a page is about."""
    found = _CHANNEL_IN_PAGE.search(page)
    return found[1] if found else None
