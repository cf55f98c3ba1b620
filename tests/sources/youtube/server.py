"""Simulate YouTube on loopback: pages, feeds and the Data API, with its quota and faults.

Feeds have the shape of youtube.com/feeds/videos.xml: Atom with elements of the namespaces `yt` and `media`. Responses
of the API have the shapes of its reference (developers.google.com/youtube/v3/docs): videoListResponse,
playlistItemListResponse, channelListResponse, and the errors of its page "Errors".
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from tests.sources.sample_server import SampleServer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import Message

KEY = "AIza-sample-key-that-must-stay-secret"
CHANNEL = "UC" + "a1-_" * 5 + "xy"
OTHER = "UC" + "b2-_" * 5 + "xy"
PLAYLIST = "PLsample0123456789"


@dataclass
class YouTube(SampleServer):
    """YouTube with channels; change its attributes at any time."""

    videos: dict[str, dict[str, Any]] = field(default_factory=dict)  # resources of the API, by id, oldest first
    shorts: set[str] = field(default_factory=set)
    playlists: dict[str, list[str]] = field(default_factory=dict)  # ids of videos, newest first
    channels: dict[str, str] = field(default_factory=dict)  # titles, by id
    handles: dict[str, str] = field(default_factory=dict)  # ids of channels
    stale: set[str] = field(default_factory=set)  # videos that feeds still list although they are gone
    keys: set[str] = field(default_factory=lambda: {KEY})
    given_keys: list[str | None] = field(default_factory=list)
    feeds_fail: int = 0  # status of all feeds, as in an outage
    api_fails: int = 0
    units: int = 10_000  # that the project has left
    views: int = 0  # changes with each feed
    answers: dict[str, Any] = field(default_factory=dict)  # by the last part of the path: what to send instead

    def upload(self, title: str = "A video", channel: str = CHANNEL, *, short: bool = False, **parts: Any) -> str:
        """Publish a video, a minute after the one before; `parts` change those of its resource."""
        number = len(self.videos)
        id_ = f"video{number:06}"
        resource: dict[str, Any] = {
            "kind": "youtube#video",
            "etag": f"e{number}",
            "id": id_,
            "snippet": {
                "publishedAt": time_of(number),
                "channelId": channel,
                "title": title,
                "description": f"About {title}",
                "thumbnails": {"high": {"url": f"https://i.ytimg.com/vi/{id_}/hqdefault.jpg", "width": 480}},
                "channelTitle": self.channels[channel],
                "liveBroadcastContent": "none",
            },
            "contentDetails": {"duration": "PT1M30S", "caption": "false", "definition": "hd"},
            "status": {"uploadStatus": "processed", "privacyStatus": "public", "embeddable": True},
        }
        self.videos[id_] = resource
        self.change(id_, **parts)
        if short:
            self.shorts.add(id_)
        self.playlists.setdefault(f"UU{channel[2:]}", []).insert(0, id_)
        return id_

    def change(self, id_: str, **parts: Mapping[str, Any]) -> None:
        """Change parts of a video's resource."""
        for name, values in parts.items():
            self.videos[id_].setdefault(name, {}).update(values)

    def delete(self, id_: str, *, stale: bool = False) -> None:
        """Delete a video; feeds may still list it for a while."""
        if stale:
            self.stale.add(id_)
            return
        del self.videos[id_]
        for listed in self.playlists.values():
            if id_ in listed:
                listed.remove(id_)

    def terminate(self, channel: str = CHANNEL) -> None:
        """Delete a channel with its videos."""
        del self.channels[channel]
        for id_ in list(self.playlists.pop(f"UU{channel[2:]}", [])):
            self.delete(id_)

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        first = {name: values[0] for name, values in query.items()}
        name = path.rpartition("/")[2]
        if path.startswith("/youtube/v3/"):
            return self._api(name, first)
        if name == "videos.xml":
            return (self.feeds_fail, b"<html>") if self.feeds_fail else self._feed(first)
        channel = self.handles.get(path.strip("/")) or self._channel_of(first.get("v", ""))
        page = f'<html><link rel="canonical" href="https://www.youtube.com/channel/{channel}"></html>'
        return (200, page.encode()) if channel else (404, b"<html>")

    def received(self, headers: Message) -> None:
        self.given_keys.append(headers.get("X-Goog-Api-Key"))

    def respond(self, target: str) -> tuple[int, bytes, Mapping[str, str]]:
        status, body, headers = super().respond(target)
        if body.startswith(b"<"):
            headers = {**headers, "Content-Type": "text/xml; charset=UTF-8" if b"<feed" in body else "text/html"}
        return status, body, headers

    def _channel_of(self, id_: str) -> str | None:
        return self.videos[id_]["snippet"]["channelId"] if id_ in self.videos else None

    def _feed(self, query: dict[str, str]) -> tuple[int, bytes]:
        if "videos.xml" in self.answers:
            return 200, self.answers["videos.xml"]
        channel = query.get("channel_id", "")
        playlist = query.get("playlist_id") or f"UU{channel[2:]}"
        title = self.channels.get(channel) or ("A playlist" if playlist in self.playlists else None)
        if title is None:
            return 404, b"<html>"
        self.views += 1
        listed = [id_ for id_ in self.playlists.get(playlist, []) if self._public(id_)]
        entries = "".join(map(self._entry, listed[:15]))
        namespaces = (
            'xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/" '
            'xmlns="http://www.w3.org/2005/Atom"'
        )
        head = f"<id>yt:channel:{channel[2:]}</id><title>{escape(title)}</title>"
        return 200, f'<?xml version="1.0" encoding="UTF-8"?><feed {namespaces}>{head}{entries}</feed>'.encode()

    def _public(self, id_: str) -> bool:
        return bool(self.videos[id_]["status"]["privacyStatus"] == "public")

    def _entry(self, id_: str) -> str:
        snippet = self.videos[id_]["snippet"]
        page = f"shorts/{id_}" if id_ in self.shorts else f"watch?v={id_}"
        channel, published = snippet["channelId"], snippet["publishedAt"].replace("Z", "+00:00")
        title, description = escape(snippet["title"]), escape(snippet["description"])
        return (
            f"<entry><id>yt:video:{id_}</id><yt:videoId>{id_}</yt:videoId><yt:channelId>{channel}</yt:channelId>"
            f'<title>{title}</title><link rel="alternate" href="https://www.youtube.com/{page}"/>'
            f"<author><name>{escape(snippet['channelTitle'])}</name>"
            f"<uri>https://www.youtube.com/channel/{channel}</uri></author>"
            f"<published>{published}</published><updated>{published}</updated><media:group>"
            f'<media:title>{title}</media:title><media:content url="https://www.youtube.com/v/{id_}?version=3" '
            'type="application/x-shockwave-flash" width="640" height="390"/>'
            f'<media:thumbnail url="https://i4.ytimg.com/vi/{id_}/hqdefault.jpg" width="480" height="360"/>'
            f"<media:description>{description}</media:description>"
            f'<media:community><media:statistics views="{self.views}"/></media:community></media:group></entry>'
        )

    def _api(self, name: str, query: dict[str, str]) -> tuple[int, Any]:
        if "key" in query:
            raise AssertionError("the key is in an address")
        if self.api_fails:
            return self.api_fails, _error(self.api_fails, "backendError", "global")
        if not self.given_keys or self.given_keys[-1] not in self.keys:
            return 400, _error(400, "badRequest", "global")
        if self.units <= 0:
            return 403, _error(403, "quotaExceeded", "youtube.quota")
        self.units -= 1
        if name in self.answers:
            return 200, self.answers[name]
        return {"videos": self._videos, "playlistItems": self._playlist_items, "channels": self._channels}[name](query)

    def _videos(self, query: dict[str, str]) -> tuple[int, Any]:
        ids = query["id"].split(",")
        if len(ids) > 50:
            return 400, _error(400, "invalidFilters", "youtube.parameter")
        there = [self.videos[id_] for id_ in ids if id_ in self.videos and id_ not in self.stale and self._public(id_)]
        return 200, _list("video", there)

    def _playlist_items(self, query: dict[str, str]) -> tuple[int, Any]:
        if query["playlistId"] not in self.playlists:
            return 404, _error(404, "playlistNotFound", "youtube.playlistItem")
        items = [self._item(id_) for id_ in self.playlists[query["playlistId"]]]
        return 200, _list("playlistItem", items[: int(query["maxResults"])])

    def _item(self, id_: str) -> dict[str, Any]:
        snippet, status = self.videos[id_]["snippet"], self.videos[id_]["status"]
        is_private = status["privacyStatus"] == "private"
        owner = {"videoOwnerChannelId": snippet["channelId"], "videoOwnerChannelTitle": snippet["channelTitle"]}
        names = ("publishedAt", "channelTitle", "title", "description")
        return {
            "kind": "youtube#playlistItem",
            "id": f"item-{id_}",
            "snippet": {
                **{name: snippet[name] for name in names},
                **({"title": "Private video"} if is_private else owner),
            },
            "contentDetails": {"videoId": id_, "videoPublishedAt": snippet["publishedAt"]},
            "status": {"privacyStatus": status["privacyStatus"]},
        }

    def _channels(self, query: dict[str, str]) -> tuple[int, Any]:
        id_ = query.get("id") or self.handles.get(query.get("forHandle", "")) or ""
        title = self.channels.get(id_)
        found = [{"kind": "youtube#channel", "id": id_, "snippet": {"title": title}}] if title else []
        response = _list("channel", found)
        if not found:
            del response["items"]  # as the real one does
        return 200, response


def time_of(minutes: int) -> str:
    return f"{datetime(2026, 11, 1, 10, tzinfo=UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def _list(kind: str, items: list[Any]) -> dict[str, Any]:
    counts = {"totalResults": len(items), "resultsPerPage": len(items)}
    return {"kind": f"youtube#{kind}ListResponse", "etag": "x", "items": items, "pageInfo": counts}


def _error(code: int, reason: str, domain: str) -> dict[str, Any]:
    problem = {"message": f"It is {reason}.", "domain": domain, "reason": reason}
    return {"error": {"code": code, "message": problem["message"], "errors": [problem]}}


@contextmanager
def youtube() -> Iterator[YouTube]:
    """Run YouTube until the block ends."""
    server = YouTube()
    with serving(server):
        server.channels |= {CHANNEL: "Ada's channel", OTHER: "Bob's channel"}
        server.handles["@ada"] = CHANNEL
        server.playlists |= {f"UU{CHANNEL[2:]}": [], f"UU{OTHER[2:]}": []}
        yield server
