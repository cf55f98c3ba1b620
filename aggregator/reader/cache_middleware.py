"""Render responses for the cache once per key, with a limit on every wait."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from aggregator.reader.cache_key import headers_of, scope_of
from aggregator.reader.response_cache import KEY, CachedResponse, as_stale

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aggregator.reader.authentication import Authenticator, Caller
    from aggregator.reader.cache_key import Key
    from aggregator.reader.change_watcher import ChangeWatcher
    from aggregator.reader.response_cache import ResponseCache

# Seconds to wait for a current response if a stale one is cached: while the database's answer is still due, and after
# it has answered.
_AT_ONCE = 0.03
_SOON = 0.25
_STEP = 0.01  # seconds between two looks at the connections meanwhile
_REFRESHED = 32  # responses refreshed after a change, before they are requested
_PAUSE = 1.0  # seconds between two refresh rounds
_LEAST_PAUSE = 0.1  # seconds, where an item was edited or removed: no older response may be shown if the database fails
_SHARE = 4  # the pause is at least so many times as long as the round
_REGULARLY = 15.0  # seconds to wait for a change


class CacheMiddleware:
    """Renders responses with the inner layers, one at a time per key, and caches them."""

    def __init__(
        self, app: ASGIApp, *, hot: ResponseCache, pulse: ChangeWatcher, callers: Authenticator, refresher: Refresher
    ) -> None:
        self._app = app
        self._hot = hot
        self._pulse = pulse
        self._callers = callers
        self._making: dict[Key, asyncio.Task[CachedResponse | list[Message]]] = {}
        refresher.make = self._refresh
        self._template: Scope = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the cached response or render it."""
        key: Key | None = scope.get(KEY)
        if key is None:
            await self._app(scope, receive, send)
            return
        headers = headers_of(scope) or {}
        caller = self._caller(key, scope, headers)
        if caller is None:
            await self._app(scope, receive, send)
            return
        found = self._hot.current(key) or await self._found(key, scope, caller)
        if isinstance(found, list):
            await _pass_on(found, scope["method"], send)
            return
        start, body = found.answer(headers, self._hot.changed(key, found), scope["method"])
        is_stale = self._hot.current(key) is None and self._hot.fallback(key) is found
        await send(as_stale(start) if is_stale else {**start})  # a copy: outer layers modify headers in place
        await send(body)

    def _caller(self, key: Key, scope: Scope, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Return the caller, or None if its token was just revoked."""
        if key.by_token:
            return self._callers.known(headers.get(b"authorization", b""))
        return self._callers.visitor(scope)

    async def _found(self, key: Key, scope: Scope, caller: Caller) -> CachedResponse | list[Message]:
        """Return the most current response available in time, or an uncacheable response."""
        fallback = self._hot.fallback(key)
        if fallback is not None and self._hot.in_trouble:
            return fallback
        is_first = key not in self._making
        making = self._begun(key, scope, caller)
        if fallback is not None and not await self._is_soon(making):
            return fallback
        made = await asyncio.shield(making)
        if isinstance(made, CachedResponse):
            return made
        status = made[0]["status"]
        if status == HTTPStatus.TOO_MANY_REQUESTS and not is_first:  # it belongs to another client
            return await self._make(key, scope, caller)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._hot.fallback(key) or made
        return made

    async def _is_soon(self, making: asyncio.Task[CachedResponse | list[Message]]) -> bool:
        """Wait for a response while the database seems healthy; return whether it is ready."""
        began = time.monotonic()
        self._pulse.look()
        await asyncio.wait((making,), timeout=_AT_ONCE)
        # Asked again at each step: on a dead connection, the work may only just have begun to wait.
        while not making.done() and time.monotonic() - began < _SOON and self._pulse.has_answered(began):
            await asyncio.wait((making,), timeout=_STEP)
        return making.done()

    def _begun(self, key: Key, scope: Scope, caller: Caller) -> asyncio.Task[CachedResponse | list[Message]]:
        """Return the task that renders a response. It continues if the client disconnects."""
        task = self._making.get(key)
        if task is None:
            self._template = scope
            task = self._making[key] = asyncio.create_task(self._make(key, scope, caller))
            task.add_done_callback(lambda _: self._making.pop(key, None))
        return task

    async def _refresh(self, key: Key) -> None:
        """Render a response in the background."""
        if key not in self._making and self._hot.current(key) is None:
            await self._begun(key, self._template, self._callers.refreshing(by_token=key.by_token))

    async def _make(self, key: Key, scope: Scope, caller: Caller) -> CachedResponse | list[Message]:
        """Render a response from its key and cache it if possible; else return its messages."""
        # Taken first: a change during rendering makes the response stale, never wrongly current.
        beat, edition = self._hot.beat, self._hot.edition(key)
        messages: list[Message] = []

        async def hold(message: Message) -> None:
            messages.append(message)

        await self._app(scope_of(key, scope, caller), _nothing_more, hold)
        start = messages[0]
        answer = {name.lower(): value for name, value in start["headers"]}
        if start["status"] != HTTPStatus.OK or b"etag" not in answer:
            return messages
        body = b"".join(message.get("body", b"") for message in messages[1:])
        kept = CachedResponse(beat, start["headers"], body, answer[b"etag"], *(edition or ()))
        if beat is not None and b"no-store" not in answer[b"cache-control"]:
            self._hot.keep(key, kept)
        return kept


class Refresher:
    """Refreshes recently requested responses after each change, in case the database fails.

    Bounded: a limited number of responses, one after the other, with a pause between rounds.
    """

    def __init__(self, hot: ResponseCache, pulse: ChangeWatcher) -> None:
        self._hot = hot
        self._pulse = pulse
        self._task: asyncio.Task[None] | None = None
        self.make: Callable[[Key], Awaitable[None]] | None = None  # set by the middleware

    def start(self) -> None:
        """Start on the server's event loop."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        revision = -1
        while True:
            if not await self._pulse.wait(revision, _REGULARLY):
                await asyncio.sleep(_PAUSE)  # `wait` returns at once when the watcher stops
                continue
            beat, began = self._pulse.beat, time.monotonic()
            is_done = await self._round()
            revision = beat.revision if is_done and beat is not None else -1
            await self._rest(began, beat.revision if beat is not None else 0)

    async def _rest(self, began: float, refreshed: int) -> None:
        """Pause after a round, shortly if an item of the refreshed responses is edited or removed meanwhile."""
        ended = time.monotonic()
        await asyncio.sleep(max(_LEAST_PAUSE, _SHARE * (ended - began)))
        while (left := ended + _PAUSE - time.monotonic()) > 0 and self._pulse.unaltered_since <= refreshed:
            beat = self._pulse.beat
            if beat is None or not await self._pulse.wait(beat.revision, left):
                await asyncio.sleep(max(0, ended + _PAUSE - time.monotonic()))

    async def _round(self) -> bool:
        """Refresh once; return whether everything succeeded."""
        for key in self._hot.hottest(_REFRESHED):
            if self._hot.in_trouble:
                return False
            if self.make is not None:
                await self.make(key)
        return True


async def _nothing_more() -> Message:
    """Return the empty body of a GET."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def _pass_on(messages: list[Message], method: str, send: Send) -> None:
    for message in messages:
        is_body = message["type"] == "http.response.body"
        await send({**message, "body": b""} if is_body and method == "HEAD" else {**message})
