"""Run a Jetstream server and an AppView with many accounts, which publish and delete at a fixed rate.

`python -m bench.jetstream_farm ACCOUNTS RATE SECONDS DISCONNECT` prints its port. `/begin` starts the load, `/state`
gives its progress, and `/result` the remaining posts. Of the events, most are new posts; others are reposts,
deletions of posts of any age, and edited profiles. All connections are cut every DISCONNECT seconds.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.sources.bluesky.jetstream_server import Jetstream, post_event
from tests.sources.bluesky.server import POSTS

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSTS = "app.bsky.feed.repost"
PAGE = 50
_DELETED, _REPOSTED, _EDITED = 0.12, 0.05, 0.03  # parts of the events
_TICK = 0.02  # seconds between two groups of events
_LATE = 0.3  # seconds until the AppView has what the stream sent


def did_of(number: int) -> str:
    """Return the DID of an account."""
    return f"did:plc:account{number:08}"


class Farm:
    """The accounts, their posts and the load."""

    def __init__(self, accounts: int, rate: float, seconds: float, disconnect: float) -> None:
        self._accounts, self._rate, self._seconds, self._disconnect = accounts, rate, seconds, disconnect
        self.stream = Jetstream(asyncio.get_running_loop())
        self._dice = random.Random(1)
        self._timelines: list[list[str]] = [[] for _ in range(accounts)]  # URIs, oldest first
        self._views: dict[str, dict[str, Any]] = {}  # the items of timelines
        self._posts: deque[str] = deque(maxlen=200_000)  # those that may be deleted or reposted
        self._deleted: dict[str, float] = {}
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._cuts = 0
        self._lag = 0.0
        self.hits = 0

    # Load

    async def begin(self, _: web.Request) -> web.Response:
        self._task = asyncio.create_task(self._run())
        return web.json_response({})

    async def _run(self) -> None:
        began = cut = time.monotonic()
        sent = 0
        while (now := time.monotonic()) - began < self._seconds:
            due = int((now - began) * self._rate)
            self._lag = max(self._lag, (due - sent) / self._rate)
            for _ in range(due - sent):
                await self._event()
            sent = due
            if now - cut > self._disconnect:
                cut, self._cuts = now, self._cuts + 1
                await self.stream.abort()
            await asyncio.sleep(_TICK)

    async def _event(self) -> None:
        self._count += 1
        kind, account = self._dice.random(), self._dice.randrange(self._accounts)
        if kind < _DELETED and self._posts:
            await self._delete()
        elif kind < _DELETED + _REPOSTED and self._posts:
            await self._publish(account, REPOSTS, self._dice.choice(self._posts))
        elif kind < _DELETED + _REPOSTED + _EDITED:
            event = {"operation": "update", "collection": "app.bsky.actor.profile", "rkey": "self", "rev": "3l"}
            await self.stream.publish({"did": did_of(account), "kind": "commit", "commit": event})
        else:
            await self._publish(account, POSTS)

    async def _delete(self) -> None:
        index = self._dice.randrange(len(self._posts))
        uri = self._posts[index]
        self._posts[index] = self._posts[-1]
        self._posts.pop()
        did, collection, key = uri.removeprefix("at://").split("/")
        commit = {"rev": "3l", "operation": "delete", "collection": collection, "rkey": key}
        self._deleted[uri] = time.time()
        await self.stream.publish({"did": did, "kind": "commit", "commit": commit})
        asyncio.get_running_loop().call_later(_LATE, self._forget, uri)

    async def _publish(self, account: int, collection: str, subject: str = "") -> None:
        did, key = did_of(account), f"3k{self._count:011}"
        uri = f"at://{did}/{collection}/{key}"
        event = post_event(did, key, collection=collection)
        moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        event["commit"]["record"] |= {
            "$type": collection,
            "text": f"Words of number {self._count}",
            "createdAt": moment,
        }
        if subject:
            event["commit"]["record"]["subject"] = {"uri": subject, "cid": "bafy"}
            reason = {"$type": "app.bsky.feed.defs#reasonRepost", "by": _author(did), "uri": uri, "indexedAt": moment}
            item = {"post": self._views[subject]["post"], "reason": reason}
        else:
            item = {"post": _view(uri, did, event["commit"]["record"], moment)}
            self._posts.append(uri)
        self._views[uri] = item
        await self.stream.publish(event)
        asyncio.get_running_loop().call_later(_LATE, self._timelines[account].append, uri)

    def _forget(self, uri: str) -> None:
        self._views.pop(uri, None)

    # AppView

    async def author_feed(self, request: web.Request) -> web.Response:
        self.hits += 1
        timeline = self._timelines[int(request.query["actor"][-8:])]
        end = int(request.query.get("cursor") or len(timeline))
        uris = timeline[max(end - PAGE, 0) : end]
        items = [self._views[uri] for uri in reversed(uris) if self._is_there(uri)]
        answer: dict[str, Any] = {"feed": items}
        if end > PAGE:
            answer["cursor"] = str(end - PAGE)
        return web.json_response(answer)

    async def posts(self, request: web.Request) -> web.Response:
        self.hits += 1
        uris = request.query.getall("uris")
        return web.json_response({"posts": [self._views[uri]["post"] for uri in uris if self._is_there(uri)]})

    async def profiles(self, request: web.Request) -> web.Response:
        self.hits += 1
        return web.json_response({"profiles": [_author(did) for did in request.query.getall("actors")]})

    def _is_there(self, uri: str) -> bool:
        item = self._views.get(uri)
        return item is not None and item["post"]["uri"] in self._views

    # Results

    async def state(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "events": self._count,
                "connections": self.stream.connections,
                "cuts": self._cuts,
                "requests": self.hits,
                "lag": self._lag,
                "done": self._task is not None and self._task.done(),
            }
        )

    async def result(self, _: web.Request) -> web.Response:
        # By the stream, since the AppView is late.
        there = self._views.keys() - self._deleted.keys()
        kept = [uri for uri in there if self._views[uri]["post"]["uri"] in there]
        return web.json_response({"kept": kept, "deleted": self._deleted})


def _author(did: str) -> dict[str, Any]:
    return {"did": did, "handle": f"{did[-15:]}.example", "displayName": did[-15:], "labels": []}


def _view(uri: str, did: str, record: Mapping[str, Any], moment: str) -> dict[str, Any]:
    return {"uri": uri, "cid": "bafy", "author": _author(did), "record": record, "indexedAt": moment, "labels": []}


async def serve(arguments: list[str]) -> None:
    accounts, rate, seconds, disconnect = arguments
    farm = Farm(int(accounts), float(rate), float(seconds), float(disconnect))
    app = web.Application()
    routes = {
        "/subscribe": farm.stream.handle,
        "/xrpc/app.bsky.feed.getAuthorFeed": farm.author_feed,
        "/xrpc/app.bsky.feed.getPosts": farm.posts,
        "/xrpc/app.bsky.actor.getProfiles": farm.profiles,
        "/begin": farm.begin,
        "/state": farm.state,
        "/result": farm.result,
    }
    for path, handler in routes.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
