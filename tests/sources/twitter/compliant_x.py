"""Simulate an X with changing posts and accounts, lookups and compliance jobs, over real HTTP on loopback."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

SECRET = "let-me-in-5d1f"  # part of the addresses of files, and nothing else
PROBLEMS = "https://api.twitter.com/2/problems"
REDACTED_AT = "2026-05-04T12:30:00.000Z"


@dataclass
class APost:
    """A post; `about` lists its references as (type, id)."""

    id: int
    author: int
    text: str
    about: tuple[tuple[str, int], ...] = ()
    history: list[int] = field(default_factory=list)
    withheld: dict[str, Any] | None = None
    editable_until: str = ""

    def shape(self) -> dict[str, Any]:
        shape: dict[str, Any] = {
            "id": str(self.id),
            "text": self.text,
            "author_id": str(self.author),
            "created_at": "2026-05-04T11:00:00.000Z",
            "edit_history_tweet_ids": [str(version) for version in self.history or [self.id]],
        }
        if self.editable_until:
            shape["edit_controls"] = {
                "edits_remaining": 5, "is_edit_eligible": True, "editable_until": self.editable_until
            }  # fmt: skip
        if self.about:
            shape["referenced_tweets"] = [{"type": type_, "id": str(id_)} for type_, id_ in self.about]
        return shape | ({"withheld": self.withheld} if self.withheld else {})


class CompliantX:
    """The server; change `posts`, `gone` and `forgotten` at any time."""

    def __init__(self) -> None:
        self.accounts: dict[int, str] = {}
        self.posts: dict[int, APost] = {}
        self.forgotten: set[int] = set()  # posts that it does not include, without an error
        self.gone: dict[int, str] = {}  # post -> "deleted", "protected" or "suspended"
        self.people_gone: dict[int, str] = {}
        self.refusing = 0  # status that everything about jobs is answered with
        self.jobs: dict[str, dict[str, Any]] = {}
        self.steps = ["complete"]  # states that a job reports in turn; the last one stays
        self.upload_status = 200
        self.uploaded: dict[str, list[str]] = {}
        self.requests: list[str] = []  # method and path
        self.looked_up: list[list[int]] = []  # ids of each lookup
        x = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _run(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                status, body, type_ = x.answer(self.command, self.path, self.rfile.read(length))
                self.send_response(status)
                self.send_header("Content-Type", type_)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self._run()

            def do_POST(self) -> None:
                self._run()

            def do_PUT(self) -> None:
                self._run()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's own name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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

    def account(self, number: int, username: str) -> None:
        self.accounts[number] = username

    def post(self, id_: int, author: int, text: str = "", **more: Any) -> APost:
        self.posts[id_] = APost(id_, author, text or f"Words of {id_}", **more)
        return self.posts[id_]

    def edit(self, id_: int, later: int, text: str) -> None:
        """Publish another version of a post under a new id."""
        old = self.posts[id_]
        history = [*(old.history or [old.id]), later]
        self.post(later, old.author, text, history=history)
        for version in history:
            self.posts[version].history = history

    def count(self, what: str) -> int:
        return sum(path.startswith(what) for path in self.requests)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes, str]:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.requests.append(f"{method} {parts.path}")
        route = parts.path.strip("/").split("/")
        if route[0] == "files":
            return self._file(method, route[1], query, body)
        response = self._api(route[1:], query, body)
        status = response.pop("_status", 200)
        return status, json.dumps(response).encode(), "application/json"

    def _api(self, route: list[str], query: Mapping[str, str], body: bytes) -> dict[str, Any]:
        if route[:3] == ["users", "by", "username"]:
            [number] = [id_ for id_, name in self.accounts.items() if name == route[3]]
            return {"data": self._user(number)}
        if route == ["users"]:
            return {"data": [self._user(int(id_)) for id_ in query["ids"].split(",") if int(id_) in self.accounts]}
        if route[0] == "users" and route[2:] == ["tweets"]:
            return self._timeline(int(route[1]), int(query.get("since_id", 0)))
        if route == ["tweets"]:
            self.looked_up.append([int(id_) for id_ in query["ids"].split(",")])
            return self._page(self.looked_up[-1])
        return self._of_jobs(route, body) if route[0] == "compliance" else {"_status": 404, "title": "Not Found"}

    def _of_jobs(self, route: list[str], body: bytes) -> dict[str, Any]:
        if self.refusing:
            return {
                "_status": self.refusing,
                "title": "Forbidden",
                "detail": "Not in your plan.",
                "type": "about:blank",
            }
        return {"data": self._job(route[2]) if len(route) > 2 else self._new_job(json.loads(body)["type"])}

    def _user(self, number: int) -> dict[str, Any]:
        name = self.accounts[number]
        return {"id": str(number), "username": name, "name": name.title()}

    def _timeline(self, user: int, since: int) -> dict[str, Any]:
        ids = [
            post.id
            for post in self.posts.values()
            if post.author == user and post.id > since and post.id not in self.gone
        ]
        ids = [id_ for id_ in ids if id_ == (self.posts[id_].history or [id_])[-1]]
        if not ids:
            return {"meta": {"result_count": 0}}
        return {**self._page(sorted(ids, reverse=True)), "meta": {"result_count": len(ids)}}

    def _page(self, ids: list[int]) -> dict[str, Any]:
        found = [self.posts[id_] for id_ in ids if id_ in self.posts and id_ not in self.gone]
        refs = dict.fromkeys(id_ for post in found for _, id_ in post.about if id_ not in self.forgotten)
        there = [self.posts[id_].shape() for id_ in refs if id_ in self.posts and id_ not in self.gone]
        errors = [self._error(id_, "ids") for id_ in ids if id_ not in self.posts or id_ in self.gone]
        errors += [
            self._error(id_, "referenced_tweets.id") for id_ in refs if id_ not in self.posts or id_ in self.gone
        ]
        page: dict[str, Any] = {"data": [post.shape() for post in found]} if found else {}
        return page | ({"includes": {"tweets": there}} if there else {}) | ({"errors": errors} if errors else {})

    def _error(self, id_: int, parameter: str) -> dict[str, Any]:
        why = self.gone.get(id_, "deleted")
        error = {"resource_id": str(id_), "value": str(id_), "resource_type": "tweet", "parameter": parameter}
        if why == "deleted":
            return {**error, "title": "Not Found Error", "type": f"{PROBLEMS}/resource-not-found",
                    "detail": f"Could not find tweet with {parameter}: [{id_}]."}  # fmt: skip
        detail = "User has been suspended." if why == "suspended" else "Sorry, you are not authorized to see the Tweet."
        return {**error, "title": "Authorization Error", "type": f"{PROBLEMS}/not-authorized-for-resource",
                "section": "data", "detail": detail}  # fmt: skip

    def _new_job(self, type_: str) -> dict[str, Any]:
        id_ = str(1000 + len(self.jobs))
        self.jobs[id_] = {"id": id_, "type": type_, "steps": list(self.steps)}
        return self._shape(id_, "created")

    def _job(self, id_: str) -> dict[str, Any]:
        steps = self.jobs[id_]["steps"]
        return self._shape(id_, steps.pop(0) if len(steps) > 1 else steps[0])

    def _shape(self, id_: str, status: str) -> dict[str, Any]:
        file = f"{self.url}/files/{id_}?key={SECRET}"
        return {
            "id": id_,
            "type": self.jobs[id_]["type"],
            "status": status,
            "created_at": "2026-05-04T12:00:00.000Z",
            "upload_url": file,
            "download_url": file,
            "upload_expires_at": "2026-05-04T12:15:00.000Z",
            "download_expires_at": "2026-05-11T12:00:00.000Z",
        }

    def _file(self, method: str, id_: str, query: Mapping[str, str], body: bytes) -> tuple[int, bytes, str]:
        if query.get("key") != SECRET:
            return 403, b"no", "text/plain"
        if method == "PUT":
            self.uploaded[id_] = body.decode().split()
            return self.upload_status, b"", "text/plain"
        gone = self.gone if self.jobs[id_]["type"] == "tweets" else self.people_gone
        lines = [
            {"id": line, "action": "delete", "created_at": "2026-05-04T11:00:00.000Z", "redacted_at": REDACTED_AT,
             "reason": gone[int(line)]}
            for line in self.uploaded[id_]
            if int(line) in gone
        ]  # fmt: skip
        return 200, "".join(json.dumps(line) + "\n" for line in lines).encode(), "text/plain"
