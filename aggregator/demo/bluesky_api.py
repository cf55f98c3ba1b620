"""Serve the part of a Bluesky AppView's public API that the demonstration calls, on the sample world.

Shapes follow the lexicons `app.bsky.actor.defs`, `app.bsky.feed.defs`, `app.bsky.feed.post`, `app.bsky.embed.*` and
`app.bsky.richtext.facet`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from aggregator.demo.portal import PORTAL
from aggregator.demo.social import MARKED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.demo.articles import Picture
    from aggregator.demo.social import Note, SocialNetwork

    Json = dict[str, Any]

HANDLE_ENDING = ".bsky.example"
BLUESKY_HANDLE = f"{PORTAL}{HANDLE_ENDING}"

_POST, _REPOST = "app.bsky.feed.post", "app.bsky.feed.repost"
_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"  # of record keys, which order by time
_KEY_LENGTH = 13
_MOST_LOOKED_UP = 25  # posts or profiles in a request
_MOST_ENTRIES = 100  # of a page


class BlueskyApi:
    """The API."""

    def __init__(self, network: SocialNetwork) -> None:
        self._network = network

    def routes(self) -> list[Route]:
        """Return the routes; other methods are not implemented."""
        methods: Mapping[str, Callable[[Request], Json | None]] = {
            "app.bsky.actor.getProfile": self._profile,
            "app.bsky.actor.getProfiles": self._profiles,
            "app.bsky.feed.getAuthorFeed": self._author_feed,
            "app.bsky.feed.getPosts": self._posts,
        }

        def respond(request: Request) -> Response:
            method = methods.get(request.path_params["method"])
            if method is None:
                return JSONResponse({"error": "MethodNotImplemented"}, 501)
            answer = method(request)
            if answer is None:
                return JSONResponse({"error": "InvalidRequest", "message": "Not found, or too many"}, 400)
            return JSONResponse(answer)

        return [Route("/xrpc/{method}", respond)]

    def _profile(self, request: Request) -> Json | None:
        name = self._name_of(request.query_params.get("actor", ""))
        return _Views(self._network, request).profile(name) if name else None

    def _profiles(self, request: Request) -> Json | None:
        actors, views = request.query_params.getlist("actors"), _Views(self._network, request)
        if len(actors) > _MOST_LOOKED_UP:
            return None
        return {"profiles": [views.profile(name) for actor in actors if (name := self._name_of(actor))]}

    def _author_feed(self, request: Request) -> Json | None:
        name = self._name_of(request.query_params.get("actor", ""))
        if name is None:
            return None
        notes = self._network.timeline(name)
        if request.query_params.get("filter") == "posts_and_author_threads":
            notes = [note for note in notes if self._is_own_thread(note)]
        start, limit = _number(request, "cursor", 0), min(_number(request, "limit", 50), _MOST_ENTRIES)
        views = _Views(self._network, request)
        page: Json = {"feed": [views.entry(note) for note in notes[start : start + limit]]}
        if start + limit < len(notes):
            page["cursor"] = str(start + limit)
        return page

    def _posts(self, request: Request) -> Json | None:
        uris, views = request.query_params.getlist("uris"), _Views(self._network, request)
        if len(uris) > _MOST_LOOKED_UP:
            return None
        by_uri = {uri_of(note): note for note in self._network.notes if note.reposted is None}
        return {"posts": [views.post(by_uri[uri]) for uri in uris if uri in by_uri]}

    def _is_own_thread(self, note: Note) -> bool:
        answered = self._network.note(note.answered)
        return answered is None or answered.author == note.author

    def _name_of(self, actor: str) -> str | None:
        return next((name for name in self._network.accounts if actor in {did_of(name), handle_of(name)}), None)


class _Views:
    """Builds the views in a response."""

    def __init__(self, network: SocialNetwork, request: Request) -> None:
        self._network = network
        self._base = str(request.base_url).rstrip("/")

    def profile(self, name: str) -> Json:
        """Return an account as a profile view."""
        return {
            "did": did_of(name),
            "handle": handle_of(name),
            "displayName": self._network.accounts[name],
            "avatar": f"{self._base}/avatars/{name}.png",
            "labels": [],
            "createdAt": "2023-05-01T00:00:00.000Z",
        }

    def entry(self, note: Note) -> Json:
        """Return a post or repost as an entry of a timeline."""
        original = self._network.note(note.reposted)
        if original is None:
            return {"post": self.post(note)}
        reason = {
            "$type": "app.bsky.feed.defs#reasonRepost",
            "by": self.profile(note.author),
            "uri": uri_of(note),
            "cid": _cid(note),
            "indexedAt": moment(note.created),
        }
        return {"post": self.post(original), "reason": reason}

    def post(self, note: Note) -> Json:
        """Return a post as a post view."""
        view: Json = {
            "uri": uri_of(note),
            "cid": _cid(note),
            "author": self.profile(note.author),
            "record": self._record(note),
            "replyCount": 0,
            "repostCount": 0,
            "likeCount": 0,
            "quoteCount": 0,
            "indexedAt": moment(note.created),
            "labels": [],
        }
        if embed := self._embed(note):
            view["embed"] = embed
        return view

    def _record(self, note: Note) -> Json:
        record: Json = {
            "$type": _POST,
            "text": note.text,
            "createdAt": moment(note.created),
            "langs": [note.lang],
            "facets": list(self._facets(note.text)),
        }
        if note.warning:
            values = [{"val": "graphic-media"}]
            record["labels"] = {"$type": "com.atproto.label.defs#selfLabels", "values": values}
        if answered := self._network.note(note.answered):
            record["reply"] = {"root": _reference(self._root(answered)), "parent": _reference(answered)}
        return record

    def _root(self, note: Note) -> Note:
        while (before := self._network.note(note.answered)) is not None:
            note = before
        return note

    def _facets(self, text: str) -> Iterable[Json]:
        """Yield the hashtags and mentions in a text; offsets count bytes."""
        for found in MARKED.finditer(text):
            start, name = len(text[: found.start()].encode()), found[0][1:]
            feature: Json = {"$type": "app.bsky.richtext.facet#tag", "tag": name}
            if found[0].startswith("@"):
                feature = {"$type": "app.bsky.richtext.facet#mention", "did": did_of(name)}
            yield {"index": {"byteStart": start, "byteEnd": start + len(found[0].encode())}, "features": [feature]}

    def _embed(self, note: Note) -> Json | None:
        quoted, media = self._quoted(note), self._media(note)
        if quoted and media:
            return {"$type": "app.bsky.embed.recordWithMedia#view", "record": quoted, "media": media}
        return quoted or media

    def _quoted(self, note: Note) -> Json | None:
        if note.quoted is None:
            return None
        quoted = self._network.note(note.quoted)
        if quoted is None:
            uri = f"at://{did_of(note.author)}/{_POST}/{_key(note.quoted)}"
            lost = {"$type": "app.bsky.embed.record#viewNotFound", "uri": uri, "notFound": True}
            return {"$type": "app.bsky.embed.record#view", "record": lost}
        embed = self._media(quoted)
        view = {
            "$type": "app.bsky.embed.record#viewRecord",
            "uri": uri_of(quoted),
            "cid": _cid(quoted),
            "author": self.profile(quoted.author),
            "value": self._record(quoted),
            "embeds": [embed] if embed else [],
            "labels": [],
            "indexedAt": moment(quoted.created),
        }
        return {"$type": "app.bsky.embed.record#view", "record": view}

    def _media(self, note: Note) -> Json | None:
        if note.pictures:
            return {"$type": "app.bsky.embed.images#view", "images": [*map(self._image, note.pictures)]}
        if note.page is None:
            return None
        external = {
            "uri": f"{self._base}{note.page.path}",
            "title": note.page.title,
            "description": note.page.description,
        }
        if note.page.picture:
            external["thumb"] = f"{self._base}/media/{note.page.picture.name}"
        return {"$type": "app.bsky.embed.external#view", "external": external}

    def _image(self, picture: Picture) -> Json:
        url = f"{self._base}/media/{picture.name}"
        return {"thumb": url, "fullsize": url, "alt": picture.alt, "aspectRatio": {"width": 1200, "height": 800}}


def did_of(name: str) -> str:
    """Return the DID of an account."""
    digest = hashlib.sha256(name.encode()).digest()
    return "did:plc:" + "".join(_DIGITS[byte % len(_DIGITS)] for byte in digest[:24])


def handle_of(name: str) -> str:
    """Return the handle of an account."""
    return f"{name.replace('_', '-')}{HANDLE_ENDING}"


def uri_of(note: Note) -> str:
    """Return the AT URI of a post or repost."""
    return f"at://{did_of(note.author)}/{_POST if note.reposted is None else _REPOST}/{_key(note.id)}"


def moment(time: datetime) -> str:
    """Return a time in the lexicons' format."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


def _key(id_: int) -> str:
    """Return the key of a record for an id."""
    digits = ""
    while id_ or len(digits) < _KEY_LENGTH:
        id_, digit = divmod(id_, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _cid(note: Note) -> str:
    digest = hashlib.sha256(f"{note.id} {note.text}".encode()).digest()
    return "bafyrei" + "".join(_DIGITS[25 - byte % 26] for byte in digest)


def _reference(note: Note) -> Json:
    return {"uri": uri_of(note), "cid": _cid(note)}


def _number(request: Request, name: str, default: int) -> int:
    value = request.query_params.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else default
