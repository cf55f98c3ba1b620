"""Simulate an X with a scripted response for each path."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from tests.sources.twitter.fake_x import FakeX

Asked = Mapping[str, str]
NOTHING: dict[str, Any] = {"meta": {"result_count": 0}}


@dataclass
class Reply:
    """One response."""

    body: Any = field(default_factory=dict)  # JSON, or bytes as they are
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answers = Callable[[str, Asked], "Reply | dict[str, Any]"]


class Script:
    """Responds to each request of a `FakeX` by a function of its path and its parameters, and records them."""

    def __init__(self, fake: FakeX, answers: Answers) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._answers = answers
        fake.headers = {}
        fake.body = self._answer

    @property
    def paths(self) -> list[str]:
        """The requested paths, in order."""
        return [path for path, _ in self.requests]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.requests.append((parts.path, query))
        reply = self._answers(parts.path, query)
        if not isinstance(reply, Reply):
            reply = Reply(reply)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        # The server already started the status line with 200; the scripted status replaces it.
        handler._headers_buffer = []  # type: ignore[attr-defined]
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def account(number: int = 1, username: str = "desk_example", **more: Any) -> dict[str, Any]:
    """Return a user object."""
    return {"id": str(number), "username": username, "name": username.title(), **more}


def post(number: int, author: int = 1, words: str = "", **more: Any) -> dict[str, Any]:
    """Return a post object."""
    return {
        "id": str(number),
        "text": words or f"Post {number}",
        "author_id": str(author),
        "created_at": "2026-05-04T11:00:00.000Z",
        "edit_history_tweet_ids": [str(number)],
        **more,
    }


def page(*posts: dict[str, Any], token: str | None = None, **includes: Any) -> dict[str, Any]:
    """Return a page of a timeline."""
    meta: dict[str, Any] = {"result_count": len(posts)}
    if token:
        meta["next_token"] = token
    return {**({"data": list(posts)} if posts else {}), **({"includes": includes} if includes else {}), "meta": meta}
