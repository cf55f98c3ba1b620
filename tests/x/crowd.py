"""Accounts that post at their own rates, on an X that bills as X does, by a clock that tests move."""

from __future__ import annotations

import json
import random
import threading
import time
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

OUTSIDERS = 40  # accounts that nobody follows, whose posts are passed on
POST_PRICE, USER_PRICE = 0.005, 0.01  # dollars

_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)
_FIRST_OUTSIDER = 900


@dataclass(slots=True)
class Bill:
    """What X would charge: each thing once a UTC day."""

    requests: Counter[str] = field(default_factory=Counter)
    posts: set[tuple[str, str]] = field(default_factory=set)
    users: set[tuple[str, str]] = field(default_factory=set)

    def dollars(self, month: str = "") -> float:
        """Return the sum, of all or of one month ("2026-06")."""
        posts, users = (sum(day.startswith(month) for day, _ in things) for things in (self.posts, self.users))
        return posts * POST_PRICE + users * USER_PRICE


class Crowd:
    """The accounts and the server. `rates` are posts a day, one account each, with ids from 1."""

    def __init__(
        self, clock: Callable[[], datetime], rates: Sequence[float], *, seed: int = 7, delay: float = 0
    ) -> None:
        self.rates = dict(enumerate(rates, 1))
        self.bill = Bill()
        self.posts: dict[int, dict[str, Any]] = {}
        self.timelines: defaultdict[int, list[int]] = defaultdict(list)  # ids in order
        self.delay = delay  # seconds before each answer
        self._clock = clock
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        crowd = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                time.sleep(crowd.delay)
                body = json.dumps(crowd.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's own name
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing of clients that hang up: some are killed."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def handles(self) -> list[str]:
        """Everybody to follow."""
        return [f"@desk_{number}" for number in self.rates]

    # What happens there

    def live(self, start: datetime, span: timedelta) -> None:
        """Let everybody post for a while; four in ten posts pass on or quote somebody else's."""
        for number, rate in self.rates.items():
            expected = rate * (span / timedelta(days=1))
            for _ in range(int(expected) + (self._chance.random() < expected % 1)):
                self._say(number, start + span * self._chance.random())

    def _say(self, number: int, at: datetime) -> None:
        if self._chance.random() < 0.6:
            self._add(number, at)
            return
        original = self._add(
            self._chance.randrange(_FIRST_OUTSIDER, _FIRST_OUTSIDER + OUTSIDERS), at - timedelta(minutes=5)
        )
        self._add(number, at, about=(self._chance.choice(["retweeted", "quoted"]), original))

    def _add(self, author: int, at: datetime, about: tuple[str, int] | None = None) -> int:
        id_ = int((at - _EPOCH) / timedelta(milliseconds=1)) << 22
        with self._lock:
            while id_ in self.posts:
                id_ += 1
            self.posts[id_] = {
                "id": str(id_),
                "text": f"What {author} has to say at {at:%H:%M:%S}.",
                "author_id": str(author),
                "created_at": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "edit_history_tweet_ids": [str(id_)],
                **({"referenced_tweets": [{"type": about[0], "id": str(about[1])}]} if about else {}),
            }
            insort(self.timelines[author], id_)
        return id_

    def followed(self) -> list[int]:
        """Return the ids of all posts of those whom one follows, oldest first."""
        return sorted(id_ for number in self.rates for id_ in self.timelines[number])

    def mentioned(self) -> set[str]:
        """Return the ids of all posts that those pass on or quote."""
        return {one["id"] for id_ in self.followed() for one in self.posts[id_].get("referenced_tweets", ())}

    # What it answers

    def answer(self, path: str) -> dict[str, Any]:
        """Answer one request and bill it."""
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        route = parts.path.strip("/").split("/")[1:]
        with self._lock:
            told = self._told(route, asked)
            self._charge("timeline" if route[-1] == "tweets" else "/".join(route[:2]), told)
        return told

    def _told(self, route: list[str], asked: Mapping[str, str]) -> dict[str, Any]:
        if route[:3] == ["users", "by", "username"]:
            return {"data": _user(int(route[3].rpartition("_")[2]))}
        if route == ["users", "by"]:
            return {"data": [_user(int(name.rpartition("_")[2])) for name in asked["usernames"].split(",")]}
        if route == ["usage", "tweets"]:
            return {"data": {"project_usage": str(len(self.bill.posts)), "project_cap": "3000000"}}
        if route == ["users"]:
            return {"data": [_user(int(id_)) for id_ in asked["ids"].split(",")]}
        return self._page(int(route[1]), asked)

    def _page(self, number: int, asked: Mapping[str, str]) -> dict[str, Any]:
        ids = self.timelines[number]
        newest = int((self._clock() - _EPOCH) / timedelta(milliseconds=1) + 1) << 22
        until = min(newest, *(int(asked[name]) for name in ("until_id", "pagination_token") if name in asked), 2**63)
        start, end = bisect_left(ids, int(asked.get("since_id", 0)) + 1), bisect_left(ids, until)
        first = max(end - int(asked["max_results"]), start)
        found = [self.posts[id_] for id_ in reversed(ids[first:end])]
        if not found:
            return {"meta": {"result_count": 0}}
        refs = {one["id"] for post in found for one in post.get("referenced_tweets", ())}
        return {
            "data": found,
            "includes": {"tweets": [self.posts[int(id_)] for id_ in sorted(refs)]},
            "meta": {"result_count": len(found), **({"next_token": str(ids[first])} if first > start else {})},
        }

    def _charge(self, endpoint: str, told: Mapping[str, Any]) -> None:
        day = self._clock().date().isoformat()
        self.bill.requests[endpoint] += 1
        data = told.get("data", [])
        found = data if isinstance(data, list) else [data]
        found = [*found, *told.get("includes", {}).get("tweets", ())]
        self.bill.users |= {(day, one["id"]) for one in found if "username" in one}
        self.bill.posts |= {(day, one["id"]) for one in found if "text" in one}


def _user(number: int) -> dict[str, Any]:
    name = f"desk_{number}" if number < _FIRST_OUTSIDER else f"outsider_{number}"
    return {
        "id": str(number),
        "username": name,
        "name": name.title(),
        "profile_image_url": f"https://img.example/{number}.png",
    }
