"""Simulate X's Activity API: subscriptions to events of accounts, and the stream that delivers them."""

from __future__ import annotations

import json
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from aggregator.demo import SAMPLE_TOKEN
from aggregator.demo.x_api import problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.demo.world import Post
    from tests.x_api.world import SimulatedWorld

STREAM, SUBSCRIPTIONS = "/2/activity/stream", "/2/activity/subscriptions"
KEEP_ALIVE = 0.05  # seconds; 20 at X


class Activity:
    """The subscriptions and the open connections. Thread-safe."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self._subscriptions: dict[str, dict[str, Any]] = {}
        self._connections: list[SimpleQueue[bytes | None]] = []
        self._lock = threading.Lock()
        self.calls: list[str] = []  # methods of calls about subscriptions
        self.refusal: Response | None = None  # the answer to the next connections
        world.listeners.append(self._notice)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        with self._lock:
            return len(self._connections)

    @property
    def subscriptions(self) -> set[tuple[str, str]]:
        """The event types and account ids of all subscriptions."""
        with self._lock:
            return {(sub["event_type"], sub["filter"]["user_id"]) for sub in self._subscriptions.values()}

    def add(self, event_type: str, user_id: str, tag: str) -> None:
        """Add a subscription, as another program of the same app does."""
        self._create({"event_type": event_type, "filter": {"user_id": user_id}, "tag": tag})

    def send(self, line: bytes | None) -> None:
        """Send a line to every connection; None closes them."""
        with self._lock:
            for connection in self._connections:
                connection.put(line)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(STREAM, self._stream),
            Route(SUBSCRIPTIONS, self._answer, methods=["GET", "POST", "DELETE"]),
        ]

    def _notice(self, event_type: str, post: Post) -> None:
        """Deliver an event to the connections if it is subscribed to."""
        if (event_type, post.author) not in self.subscriptions:
            return
        payload = {"id": str(post.id), "author_id": post.author}
        if event_type == "post.create":
            payload |= {"text": post.text, "created_at": post.created.isoformat()}
        data = {"event_uuid": "1146654567674912769", "event_type": event_type, "filter": {"user_id": post.author}}
        self.send(json.dumps({"data": {**data, "payload": payload}}).encode())

    def _stream(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {SAMPLE_TOKEN}":
            return problem(401, "Unauthorized")
        if self.refusal is not None:
            return self.refusal
        return StreamingResponse(self._lines(), media_type="application/json")

    async def _lines(self) -> AsyncIterator[bytes]:
        connection: SimpleQueue[bytes | None] = SimpleQueue()
        with self._lock:
            self._connections.append(connection)
        try:
            yield b"\r\n"
            while True:
                try:
                    line = await run_in_threadpool(connection.get, timeout=KEEP_ALIVE)
                except Empty:
                    line = b""
                if line is None:
                    return
                yield line + b"\r\n"
        finally:
            with self._lock:
                self._connections.remove(connection)

    async def _answer(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {SAMPLE_TOKEN}":
            return problem(401, "Unauthorized")
        body = await request.body()
        return await run_in_threadpool(self._answered, request.method, body, dict(request.query_params))

    def _answered(self, method: str, body: bytes, query: dict[str, str]) -> Response:
        self.calls.append(method)
        if method == "GET":
            with self._lock:
                return JSONResponse({"data": [*self._subscriptions.values()]})
        if method == "POST":
            return JSONResponse({"data": {"subscription": self._create(json.loads(body))}})
        with self._lock:
            gone = [
                {"subscription_id": id_, "deleted": bool(self._subscriptions.pop(id_, None))}
                for id_ in query["ids"].split(",")
            ]
            return JSONResponse({"data": gone, "meta": {"total_subscriptions": len(self._subscriptions)}})

    def _create(self, content: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            id_ = str(1_000_000 + len(self._subscriptions) + len(self.calls))
            self._subscriptions[id_] = {"subscription_id": id_, **content}
            return self._subscriptions[id_]
