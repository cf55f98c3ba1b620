"""Simulate an AppView of Bluesky on loopback: profiles, feeds, lists, searches and posts, with its limits and faults.

Shapes are those of the lexicons app.bsky.feed.defs, app.bsky.actor.defs, app.bsky.embed.* and com.atproto.label.defs.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.sources.sample_server import SampleServer, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ADA, BOB = "did:plc:ada", "did:plc:bob"
POSTS = "app.bsky.feed.post"

_REPOST = "app.bsky.feed.defs#reasonRepost"


@dataclass
class AppView(SampleServer):
    """One AppView; change its attributes at any time."""

    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)  # by DID
    items: list[dict[str, Any]] = field(default_factory=list)  # of all timelines, oldest first
    feeds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # of feeds and lists, by AT URI
    lookups: dict[str, dict[str, Any]] = field(default_factory=dict)  # posts that only getPosts returns
    absent: set[str] = field(default_factory=set)  # DIDs of accounts that were deleted, deactivated or taken down
    no_search: bool = False
    broken: set[str] = field(default_factory=set)  # methods that answer 502
    answers: dict[str, Any] = field(default_factory=dict)  # by method: what to send instead
    same_cursor: bool = False  # every page leads to itself
    views: int = 0  # made so far

    def account(self, did: str = ADA, handle: str = "ada.example", **changes: Any) -> dict[str, Any]:
        account = {
            "did": did,
            "handle": handle,
            "displayName": handle.partition(".")[0].title(),
            "avatar": f"https://cdn.example/{did}.jpg",
            "labels": [],
            "viewer": {"muted": False},
            "createdAt": "2024-01-01T00:00:00.000Z",
            **changes,
        }
        self.accounts[did] = account
        return account

    def view(self, words: str = "Hello", did: str = ADA, **changes: Any) -> dict[str, Any]:
        """Return a post that is in no timeline; `record` in the changes is added to its record."""
        with self.lock:
            number = self.views
            self.views += 1
        post = {"$type": POSTS, "text": words, "createdAt": _time(number), "langs": ["en"], **changes.pop("record", {})}
        return {
            "uri": f"at://{did}/{POSTS}/3k{number:011}",
            "cid": f"bafy{number}",
            "author": self.accounts[did],
            "record": post,
            "likeCount": 0,
            "repostCount": 0,
            "replyCount": 0,
            "quoteCount": 0,
            "indexedAt": _time(number, seconds=2),
            "labels": [],
            "viewer": {},
            **changes,
        }

    def post(self, words: str = "Hello", did: str = ADA, **changes: Any) -> dict[str, Any]:
        """Publish a post, a minute after the one before."""
        view = self.view(words, did, **changes)
        with self.lock:
            self.items.append({"post": view})
        return view

    def repost(self, view: dict[str, Any], did: str = ADA, **changes: Any) -> dict[str, Any]:
        with self.lock:
            number = self.views
            self.views += 1
            reason = {
                "$type": _REPOST,
                "by": self.accounts[did],
                "uri": f"at://{did}/app.bsky.feed.repost/3r{number:011}",
                "indexedAt": _time(number),
                **changes,
            }
            item = {"post": view, "reason": reason}
            self.items.append(item)
            return item

    def delete(self, uri: str) -> None:
        """Delete a post, with reposts of it, or a repost."""
        with self.lock:
            self.items = [
                item for item in self.items if uri not in {item["post"]["uri"], item.get("reason", {}).get("uri")}
            ]

    def hit(self, method: str) -> int:
        """Return how often a method was called."""
        return self.hits[f"/xrpc/{method}"]

    def headers(self, answer: Any) -> Mapping[str, str]:
        del answer
        return {} if self.remaining is None else {"RateLimit-Remaining": self.remaining, "RateLimit-Reset": self.reset}

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        method = path.removeprefix("/xrpc/")
        if method in self.broken:
            return 502, {"error": "UpstreamFailure"}
        if method in self.answers:
            return 200, self.answers[method]
        first = {name: values[0] for name, values in query.items()}
        answers: dict[str, Callable[[], tuple[int, Any]]] = {
            "app.bsky.actor.getProfile": lambda: self._profile(first["actor"]),
            "app.bsky.actor.getProfiles": lambda: self._profiles(query["actors"]),
            "app.bsky.feed.getAuthorFeed": lambda: self._author_feed(first),
            "app.bsky.feed.getFeed": lambda: self._feed(first["feed"], first),
            "app.bsky.feed.getListFeed": lambda: self._feed(first["list"], first),
            "app.bsky.feed.getFeedGenerator": lambda: (200, {"view": {"uri": first["feed"], "displayName": "Science"}}),
            "app.bsky.graph.getList": lambda: (200, {"list": {"uri": first["list"], "name": "Friends"}, "items": []}),
            "app.bsky.feed.searchPosts": lambda: self._search(first),
            "app.bsky.feed.getPosts": lambda: self._posts(query["uris"]),
        }
        return answers[method]() if method in answers else (501, {"error": "MethodNotImplemented"})

    def _profile(self, actor: str) -> tuple[int, Any]:
        account = self._account(actor)
        return (200, account) if account else _invalid("Profile not found")

    def _profiles(self, actors: list[str]) -> tuple[int, Any]:
        return 200, {"profiles": [account for actor in actors if (account := self._account(actor))]}

    def _feed(self, uri: str, query: dict[str, str]) -> tuple[int, Any]:
        return (200, self._page(self.feeds[uri], query)) if uri in self.feeds else _invalid("Unknown feed")

    def _account(self, actor: str) -> dict[str, Any] | None:
        found = (account for account in self.accounts.values() if actor in {account["did"], account["handle"]})
        return next((account for account in found if account["did"] not in self.absent), None)

    def _shown(self) -> list[dict[str, Any]]:
        with self.lock:
            return [item for item in reversed(self.items) if item["post"]["author"]["did"] not in self.absent]

    def _author_feed(self, query: dict[str, str]) -> tuple[int, Any]:
        did = query["actor"]
        if self._account(did) is None:
            return _invalid("Profile not found")
        found = [
            item for item in self._shown() if item.get("reason", {}).get("by", item["post"]["author"])["did"] == did
        ]
        if query.get("filter") == "posts_and_author_threads":
            found = [
                item
                for item in found
                if "reason" in item or did in item["post"]["record"].get("reply", {}).get("parent", {}).get("uri", did)
            ]
        return 200, self._page(found, query)

    def _page(self, found: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        start, limit = int(query.get("cursor", "0")), int(query["limit"])
        page: dict[str, Any] = {"feed": found[start : start + limit]}
        if start + limit < len(found):
            page["cursor"] = str(start if self.same_cursor else start + limit)
        return page

    def _search(self, query: dict[str, str]) -> tuple[int, Any]:
        if self.no_search or "cursor" in query:
            return 403, {}
        posts = [item["post"] for item in self._shown() if query["q"] in item["post"]["record"]["text"]]
        return 200, {"posts": posts[: int(query["limit"])], "cursor": "25"}

    def _posts(self, uris: list[str]) -> tuple[int, Any]:
        if len(uris) > 25:
            return _invalid("uris must not have more than 25 elements")
        posts = {item["post"]["uri"]: item["post"] for item in self._shown()} | self.lookups
        return 200, {"posts": [posts[uri] for uri in uris if uri in posts]}


def _invalid(message: str) -> tuple[int, Any]:
    return 400, {"error": "InvalidRequest", "message": message}


def _time(minutes: int, seconds: int = 0) -> str:
    moment = datetime(2026, 11, 1, 10, tzinfo=UTC) + timedelta(minutes=minutes, seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


@contextmanager
def app_view() -> Iterator[AppView]:
    """Run an AppView until the block ends."""
    server = AppView()
    with serving(server):
        server.account()
        server.account(BOB, "bob.example")
        yield server
