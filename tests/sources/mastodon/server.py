"""Simulate a Mastodon server on loopback: WebFinger, accounts, statuses and hashtags, with its limits and faults.

Shapes are those of Mastodon's API documentation (entities Account, Status, Quote, Poll, PreviewCard, MediaAttachment).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.sources.sample_server import SampleServer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIRST_ID = 110_000_000_000_000_000


@dataclass
class Mastodon(SampleServer):
    """One server; change its attributes at any time."""

    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)  # by name
    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id
    closed: bool = False  # the API is for signed-in clients
    link: str = ""  # a Link header of every list
    ignores_ids: bool = False  # max_id and min_id change nothing
    no_webfinger: bool = False

    def account(self, name: str = "ada", **changes: Any) -> dict[str, Any]:
        account = {
            "id": str(1000 + len(self.accounts)),
            "username": name,
            "acct": name,
            "display_name": name.title(),
            "uri": f"{self.address}/users/{name}",
            "url": f"{self.address}/@{name}",
            "avatar": f"{self.address}/avatars/{name}.gif",
            "avatar_static": f"{self.address}/avatars/{name}.png",
            "note": "<p>Hello</p>",
            "discoverable": True,
            "noindex": False,
            "followers_count": 5,
            "emojis": [],
            "fields": [],
            **changes,
        }
        self.accounts[name] = account
        return account

    def post(self, content: str = "<p>Hello</p>", name: str = "ada", **changes: Any) -> dict[str, Any]:
        """Publish a status, a minute after the one before."""
        with self.lock:
            number = len(self.statuses)
            id_ = changes.pop("id", str(FIRST_ID + number))
            account = self.accounts[name]
            status = {
                "id": id_,
                "uri": f"{account['uri']}/statuses/{id_}",
                "url": f"{account['url']}/{id_}",
                "created_at": _time(number),
                "edited_at": None,
                "account": account,
                "content": content,
                "visibility": "public",
                "sensitive": False,
                "spoiler_text": "",
                "language": "en",
                "media_attachments": [],
                "mentions": [],
                "tags": [],
                "emojis": [],
                "card": None,
                "poll": None,
                "reblog": None,
                "in_reply_to_id": None,
                "in_reply_to_account_id": None,
                "favourites_count": 0,
                "reblogs_count": 0,
                "replies_count": 0,
                **changes,
            }
            self.statuses[id_] = status
            return status

    def edit(self, id_: str, content: str) -> None:
        self.statuses[id_] |= {"content": content, "edited_at": _time(len(self.statuses) + 60)}

    def delete(self, id_: str) -> None:
        with self.lock:
            del self.statuses[id_]

    def is_limited(self, path: str) -> bool:
        return path.endswith("/statuses")

    def headers(self, answer: Any) -> Mapping[str, str]:
        links = {"Link": self.link} if self.link and isinstance(answer, list) else {}
        if self.remaining is None:
            return links
        return {**links, "X-RateLimit-Remaining": self.remaining, "X-RateLimit-Reset": self.reset}

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:  # noqa: PLR0911  # one per path
        parts = path.strip("/").split("/")
        if path == "/.well-known/webfinger":
            return self._webfinger(query)
        if self.closed:
            return 401, {"error": "This method requires an authenticated user"}
        match parts[2:]:
            case ["accounts", "lookup"]:
                account = self.accounts.get(query["acct"][0])
                return (200, account) if account else (404, {"error": "Record not found"})
            case ["accounts", id_, "statuses"]:
                if all(account["id"] != id_ for account in self.accounts.values()):
                    return 404, {"error": "Record not found"}
                return 200, self._page([s for s in self._all() if s["account"]["id"] == id_], query)
            case ["timelines", "tag", name]:
                tagged = [s for s in self._all() if name.lower() in {tag["name"].lower() for tag in s["tags"]}]
                return 200, self._page(tagged, query)
            case ["statuses", id_]:
                status = self.statuses.get(id_)
                return (200, status) if status else (404, {"error": "Record not found"})
        return 404, {"error": "Not found"}

    def _webfinger(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        name = query["resource"][0].removeprefix("acct:").partition("@")[0]
        if self.no_webfinger or name not in self.accounts:
            return 404, {}
        self_ = {"rel": "self", "type": "application/activity+json", "href": self.accounts[name]["uri"]}
        profile = {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": "https://else.example/"}
        return 200, {"subject": query["resource"][0], "links": [profile, self_]}

    def _all(self) -> list[dict[str, Any]]:
        with self.lock:
            return sorted(self.statuses.values(), key=lambda status: (len(status["id"]), status["id"]), reverse=True)

    def _page(self, found: list[dict[str, Any]], query: dict[str, list[str]]) -> list[dict[str, Any]]:
        limit = min(int(query.get("limit", ["20"])[0]), 40)
        if query.get("exclude_replies") == ["true"]:
            found = [s for s in found if not s["in_reply_to_id"]]
        if query.get("exclude_reblogs") == ["true"]:
            found = [s for s in found if not s["reblog"]]
        if "tagged" in query:
            found = [s for s in found if query["tagged"][0] in {tag["name"] for tag in s["tags"]}]
        found = [s for s in found if s["visibility"] in {"public", "unlisted"} or s.get("leaked")]
        if "min_id" in query and not self.ignores_ids:
            return [s for s in found if int(s["id"]) > int(query["min_id"][0])][-limit:]
        return found[:limit]


def _time(minutes: int) -> str:
    moment = datetime(2026, 11, 1, 10, tzinfo=UTC) + timedelta(minutes=minutes)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


@contextmanager
def mastodon() -> Iterator[Mastodon]:
    """Run a server until the block ends."""
    server = Mastodon()
    with serving(server):
        server.account()
        yield server
