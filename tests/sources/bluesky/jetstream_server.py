"""Simulate a Jetstream server on loopback, with real WebSockets, replay, limits and faults.

Shapes and rules are those of the public repository bluesky-social/jetstream as read on 2026-11-30: query parameters,
`options_update` and its limits from `pkg/server/server.go` and `pkg/server/subscriber.go`, events from
`pkg/models/models.go`, and `account` and `identity` from the lexicon com.atproto.sync.subscribeRepos.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tests.sources.bluesky.server import POSTS

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping, Sequence

MOST_DIDS, MOST_COLLECTIONS = 10_000, 100
Event = dict[str, Any]


@dataclass(eq=False)
class Subscriber:
    """A connection with its options."""

    socket: web.WebSocketResponse
    query: Mapping[str, list[str]]
    dids: frozenset[str] = frozenset()  # empty: all
    collections: frozenset[str] = frozenset()
    named: asyncio.Event = field(default_factory=asyncio.Event)  # it sent options
    hello: asyncio.Event = field(default_factory=asyncio.Event)  # it gets new events
    sent: int = 0

    def wants(self, event: Event) -> bool:
        commit = event.get("commit")
        collection = commit.get("collection") if isinstance(commit, dict) else None
        return (not self.dids or event.get("did") in self.dids) and (
            not self.collections or not collection or collection in self.collections
        )


class Jetstream:
    """A server; change its attributes at any time."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.address = ""
        self.events: list[Event] = []
        self.subscribers: list[Subscriber] = []
        self.queries: list[Mapping[str, list[str]]] = []
        self.refusal: int | None = None  # the status of the response to each request
        self.redirect = ""
        self._loop = loop or asyncio.new_event_loop()
        self._last = 0

    # Events

    def commit(self, operation: str, uri: str, record: Any = None) -> Event:
        did, collection, key = uri.removeprefix("at://").split("/")
        commit: Event = {"rev": "3lrev", "operation": operation, "collection": collection, "rkey": key}
        if operation != "delete":
            commit |= {"record": record or {"$type": collection}, "cid": "bafyreib"}
        return self.emit({"did": did, "kind": "commit", "commit": commit})

    def delete(self, uri: str) -> Event:
        return self.commit("delete", uri)

    def profile(self, did: str) -> Event:
        return self.commit("update", f"at://{did}/app.bsky.actor.profile/self")

    def identity(self, did: str, handle: str) -> Event:
        return self.emit({"did": did, "kind": "identity", "identity": {"did": did, "handle": handle, **self._stamp()}})

    def account(self, did: str, status: str | None = None) -> Event:
        account = {"active": status is None, "did": did, **self._stamp()} | ({"status": status} if status else {})
        return self.emit({"did": did, "kind": "account", "account": account})

    def emit(self, event: Event, **changes: Any) -> Event:
        """Number an event, keep it for replay and send it to all who want it."""

        numbered: Event = self.run(self.publish({**event, **changes}))
        return numbered

    async def publish(self, event: Event) -> Event:
        """Do what `emit` does, on the server's own loop."""
        self._last = max(time.time_ns() // 1000, self._last + 1)
        numbered = {"did": event["did"], "time_us": self._last, **event}
        self.events.append(numbered)
        text = json.dumps(numbered)
        for subscriber in list(self.subscribers):
            if subscriber.hello.is_set() and subscriber.wants(numbered):
                await self._send(subscriber, text)
        return numbered

    def send(self, message: str | bytes) -> None:
        """Send a message as it is to all connections; it is not kept."""

        async def work() -> None:
            for subscriber in list(self.subscribers):
                if isinstance(message, str):
                    await self._send(subscriber, message)
                else:
                    await subscriber.socket.send_bytes(message)

        self.run(work())

    # Connections

    @property
    def connections(self) -> int:
        """The number of connections that said which accounts they want."""
        return sum(subscriber.hello.is_set() for subscriber in list(self.subscribers))

    @property
    def wanted(self) -> frozenset[str]:
        """The accounts that are wanted by a connection."""
        return frozenset().union(*(subscriber.dids for subscriber in list(self.subscribers)))

    def disconnect(self) -> None:
        """End all connections without a word."""
        self.run(self.abort())

    async def abort(self) -> None:
        """Do what `disconnect` does, on the server's own loop."""
        for subscriber in list(self.subscribers):
            transport = subscriber.socket._req.transport if subscriber.socket._req else None
            if transport is not None:
                transport.abort()

    def close(self) -> None:
        """Close all connections as the protocol wants it."""

        async def work() -> None:
            for subscriber in list(self.subscribers):
                await subscriber.socket.close()

        self.run(work())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def _stamp(self) -> dict[str, Any]:
        return {"seq": len(self.events) + 1, "time": datetime.now(UTC).isoformat().replace("+00:00", "Z")}

    async def _send(self, subscriber: Subscriber, text: str) -> None:
        try:
            await subscriber.socket.send_str(text)
            subscriber.sent += 1
        except (ConnectionError, RuntimeError):
            return

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query = {name: request.query.getall(name) for name in request.query}
        self.queries.append(query)
        if self.refusal is not None:
            return web.Response(status=self.refusal, text="refused")
        if self.redirect:
            return web.Response(status=302, headers={"Location": self.redirect})
        problem = _invalid(query.get("wantedCollections", []), query.get("wantedDids", []))
        cursor = query.get("cursor", [""])[0]
        if problem or (cursor and not cursor.isdigit()):
            return web.Response(status=400, text=problem or "invalid cursor")
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        subscriber = Subscriber(socket, query)
        self._set(subscriber, query.get("wantedCollections", []), query.get("wantedDids", []))
        self.subscribers.append(subscriber)
        replay = asyncio.create_task(self._replay(subscriber, int(cursor) if cursor else None))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and not await self._update(subscriber, message.data):
                    break
        finally:
            replay.cancel()
            self.subscribers.remove(subscriber)
        return socket

    async def _replay(self, subscriber: Subscriber, cursor: int | None) -> None:
        if subscriber.query.get("requireHello") == ["true"]:
            await subscriber.named.wait()
        if cursor is not None and cursor <= time.time_ns() // 1000:
            position = bisect_left(self.events, cursor, key=itemgetter("time_us"))
            while position < len(self.events):  # more may come meanwhile
                event = self.events[position]
                position += 1
                if subscriber.wants(event):
                    await self._send(subscriber, json.dumps(event))
        subscriber.hello.set()

    async def _update(self, subscriber: Subscriber, text: str) -> bool:
        message = json.loads(text)
        if message["type"] != "options_update":
            return True
        payload = message["payload"]
        if problem := _invalid(payload["wantedCollections"], payload["wantedDids"]):
            await subscriber.socket.close(message=problem.encode())
            return False
        self._set(subscriber, payload["wantedCollections"], payload["wantedDids"])
        subscriber.named.set()
        return True

    def _set(self, subscriber: Subscriber, collections: Sequence[str], dids: Sequence[str]) -> None:
        subscriber.collections, subscriber.dids = frozenset(collections), frozenset(dids)


def _invalid(collections: Sequence[str], dids: Sequence[str]) -> str:
    if len(set(dids)) > MOST_DIDS:
        return "invalid subscriber options: too many wanted DIDs"
    if len(set(collections)) > MOST_COLLECTIONS:
        return "invalid subscriber options: too many wanted collections"
    return "" if all(did.startswith("did:") for did in dids) else "invalid subscriber options"


def post_event(did: str, key: str = "3kpost", **changes: Any) -> Event:
    """Return the creation of a post, without a time."""
    record = {"$type": POSTS, "text": "Hello", "langs": ["en"], "createdAt": "2026-11-01T10:00:00.000Z"}
    commit = {"rev": "3lrev", "operation": "create", "collection": POSTS, "rkey": key, "record": record, "cid": "bafy"}
    return {"did": did, "kind": "commit", "commit": {**commit, **changes}}


@contextmanager
def jetstream() -> Iterator[Jetstream]:
    """Run a server until the block ends."""
    server = Jetstream()
    loop = server._loop
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/subscribe", server.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.address = f"ws://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = server.run(start())
    try:
        yield server
    finally:
        server.disconnect()
        server.run(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
