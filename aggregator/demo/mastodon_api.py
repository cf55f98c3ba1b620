"""Serve the part of a Mastodon server's public API that the demonstration calls, on the sample world.

Shapes follow Mastodon's API documentation: entities Account, Status, MediaAttachment, PreviewCard, Poll and Quote.
"""

from __future__ import annotations

import html
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from aggregator.demo.social import MARKED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.demo.articles import Picture
    from aggregator.demo.social import Note, SocialNetwork

    Json = dict[str, Any]

MOST_STATUSES = 40  # of a page

_FIRST_ACCOUNT = 1001
_LIMIT = 300  # requests in five minutes
_POLL_TIME = timedelta(days=3)


class MastodonApi:
    """The API, and a page for each account and status."""

    def __init__(self, network: SocialNetwork) -> None:
        self._network = network

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/.well-known/webfinger", self._webfinger),
            Route("/api/v1/accounts/lookup", self._lookup),
            Route("/api/v1/accounts/{id}/statuses", self._statuses),
            Route("/api/v1/statuses/{id:int}", self._status),
            Route("/@{name}", self._page),
            Route("/@{name}/{id:int}", self._page),
        ]

    def _webfinger(self, request: Request) -> Response:
        resource = request.query_params.get("resource", "")
        name = resource.removeprefix("acct:").partition("@")[0]
        if name not in self._network.accounts:
            return _absent()
        own = _base(request)
        links = [
            {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": f"{own}/@{name}"},
            {"rel": "self", "type": "application/activity+json", "href": f"{own}/users/{name}"},
        ]
        return JSONResponse({"subject": resource, "links": links}, media_type="application/jrd+json")

    def _lookup(self, request: Request) -> Response:
        name = request.query_params.get("acct", "").partition("@")[0]
        known = name in self._network.accounts
        return _limited(_Entities(self._network, request).account(name)) if known else _absent()

    def _statuses(self, request: Request) -> Response:
        names = {_account_id(self._network, name): name for name in self._network.accounts}
        name = names.get(request.path_params["id"])
        if name is None:
            return _absent()
        query, notes = request.query_params, self._network.timeline(name)
        if query.get("exclude_replies") == "true":
            notes = [note for note in notes if note.answered is None]
        if query.get("exclude_reblogs") == "true":
            notes = [note for note in notes if note.reposted is None]
        limit = min(_number(request, "limit", 20), MOST_STATUSES)
        notes = [note for note in notes if note.id < _number(request, "max_id", note.id + 1)]
        if "min_id" in query:
            notes = [note for note in notes if note.id > _number(request, "min_id", 0)][-limit:]
        return _limited([*map(_Entities(self._network, request).status, notes[:limit])])

    def _status(self, request: Request) -> Response:
        note = self._network.note(request.path_params["id"])
        return _limited(_Entities(self._network, request).status(note)) if note else _absent()

    def _page(self, request: Request) -> Response:
        note = self._network.note(request.path_params.get("id"))
        name = html.escape(request.path_params["name"])
        text = html.escape(note.text) if note else "A sample account; there is no more to it."
        head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>@{name}</title></head>'
        return HTMLResponse(f"{head}<body><h1>@{name}</h1><p>{text}</p></body></html>", 200)


class _Entities:
    """Builds the entities in a response."""

    def __init__(self, network: SocialNetwork, request: Request) -> None:
        self._network = network
        self._base = _base(request)

    def account(self, name: str) -> Json:
        """Return an account as an Account entity."""
        return {
            "id": _account_id(self._network, name),
            "username": name,
            "acct": name,
            "display_name": self._network.accounts[name],
            "uri": f"{self._base}/users/{name}",
            "url": f"{self._base}/@{name}",
            "avatar": f"{self._base}/avatars/{name}.png",
            "avatar_static": f"{self._base}/avatars/{name}.png",
            "note": "<p>A sample account</p>",
            "discoverable": True,
            "noindex": False,
            "locked": False,
            "bot": False,
            "fields": [],
            "emojis": [],
        }

    def status(self, note: Note) -> Json:
        """Return a post or boost as a Status entity."""
        boosted = self._network.note(note.reposted)
        answered, address = self._network.note(note.answered), f"{self._base}/users/{note.author}/statuses/{note.id}"
        return {
            "id": str(note.id),
            "uri": address if boosted is None else f"{address}/activity",
            "url": f"{self._base}/@{note.author}/{note.id}",
            "created_at": _moment(note.created),
            "edited_at": _moment(note.edited) if note.edited else None,
            "account": self.account(note.author),
            "content": "" if boosted else self._content(note),
            "visibility": "public",
            "language": note.lang,
            "sensitive": bool(note.warning),
            "spoiler_text": note.warning,
            "media_attachments": [*map(partial(self._media, note), note.pictures)],
            "mentions": [*map(self._mention, _marked(note.text, "@"))],
            "tags": [{"name": tag, "url": f"{self._base}/tags/{tag}"} for tag in _marked(note.text, "#")],
            "emojis": [],
            "card": self._card(note),
            "poll": _poll(note),
            "quote": self._quote(note),
            "reblog": self.status(boosted) if boosted else None,
            "in_reply_to_id": str(answered.id) if answered else None,
            "in_reply_to_account_id": _account_id(self._network, answered.author) if answered else None,
            "replies_count": 0,
            "reblogs_count": 0,
            "favourites_count": 0,
        }

    def _content(self, note: Note) -> str:
        words = MARKED.sub(lambda found: self._anchor(found[0]), html.escape(note.text, quote=False))
        if note.page is None:
            return f"<p>{words}</p>"
        url = html.escape(f"{self._base}{note.page.path}")
        scheme, _, rest = url.partition("://")
        shown = f'<span class="invisible">{scheme}://</span><span>{rest}</span>'
        return f'<p>{words}</p><p><a href="{url}" target="_blank" rel="nofollow noopener">{shown}</a></p>'

    def _anchor(self, marked: str) -> str:
        name = marked[1:]
        if marked.startswith("#"):
            return f'<a href="{self._base}/tags/{name}" class="mention hashtag" rel="tag">#<span>{name}</span></a>'
        return (
            f'<span class="h-card"><a href="{self._base}/@{name}" class="u-url mention">@<span>{name}</span></a></span>'
        )

    def _mention(self, name: str) -> Json:
        id_ = _account_id(self._network, name) if name in self._network.accounts else "0"
        return {"id": id_, "username": name, "acct": name, "url": f"{self._base}/@{name}"}

    def _media(self, note: Note, picture: Picture) -> Json:
        url = f"{self._base}/media/{picture.name}"
        meta: Json = {"original": {"width": 1200, "height": 800, "size": "1200x800", "aspect": 1.5}}
        if note.focus:
            meta["focus"] = dict(zip("xy", note.focus, strict=True))
        key = picture.key.rpartition("_")[2]
        return {"id": key, "type": "image", "url": url, "preview_url": url, "description": picture.alt, "meta": meta}

    def _card(self, note: Note) -> Json | None:
        page = note.page
        if page is None:
            return None
        return {
            "url": f"{self._base}{page.path}",
            "title": page.title,
            "description": page.description,
            "type": "link",
            "image": f"{self._base}/media/{page.picture.name}" if page.picture else None,
        }

    def _quote(self, note: Note) -> Json | None:
        if note.quoted is None:
            return None
        quoted = self._network.note(note.quoted)
        if quoted is None:
            return {"state": "deleted", "quoted_status": None}
        return {"state": "accepted", "quoted_status": self.status(quoted)}


def _account_id(network: SocialNetwork, name: str) -> str:
    return str(_FIRST_ACCOUNT + list(network.accounts).index(name))


def _poll(note: Note) -> Json | None:
    if not note.options:
        return None
    options = [{"title": option, "votes_count": 3 * place + 1} for place, option in enumerate(note.options)]
    ends = _moment(note.created + _POLL_TIME)
    return {"id": str(note.id), "expires_at": ends, "multiple": False, "options": options}


def _marked(text: str, sign: str) -> list[str]:
    return [found[0][1:] for found in MARKED.finditer(text) if found[0].startswith(sign)]


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


def _limited(content: object) -> Response:
    headers: Mapping[str, str] = {"X-RateLimit-Limit": str(_LIMIT), "X-RateLimit-Remaining": str(_LIMIT - 1)}
    return JSONResponse(content, headers=dict(headers))


def _absent() -> Response:
    return JSONResponse({"error": "Record not found"}, 404)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _number(request: Request, name: str, default: int) -> int:
    value = request.query_params.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else default
