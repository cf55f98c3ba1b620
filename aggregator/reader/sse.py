"""Serve live updates as server-sent events, with one reader of the change feed per process.

Changes are read once, buffered, and rendered once per audience; a listener costs a coroutine and no query. Clients that
reconnect with `Last-Event-ID` get the missed events.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.errors import AggregatorError
from aggregator.reader import serialization
from aggregator.reader.query_match import fits
from aggregator.web.database_threads import DatabaseThreads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from starlette.types import Receive, Send

    from aggregator.domain.activity import Activity
    from aggregator.domain.clock import Clock
    from aggregator.domain.stream import Changes, Query
    from aggregator.reader.change_watcher import ChangeWatcher
    from aggregator.reader.visibility import Audience
    from storage.store import Store

_KEPT = 2000  # buffered events for clients that reconnect soon
_AT_ONCE = 500  # changes read at once
_MOST_MISSED = 2000  # changes; clients that missed more should reload
_HEARTBEAT = 15.0  # seconds: proxies close connections that are silent for longer
_PATIENCE = 1.0  # seconds to wait for running reads when the server stops
_THREADS = 4
_AGAIN = 0.5  # seconds before retrying a failed read
_RETRY = 3000  # milliseconds before a browser reconnects
_SKEW = timedelta(seconds=5)  # tolerated difference between the clocks of writer and reader

_BEAT = b":\n\n"
_HELLO = b"retry: %d\n\n" % _RETRY
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"vary", b"Authorization"),
    (b"x-accel-buffering", b"no"),  # nginx would buffer the events
]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Event:
    """A change, before filtering."""

    revision: int
    id: int
    item: Activity | None  # None: removed
    is_new: bool  # no client can have it yet
    _rendered: dict[Audience, bytes] = field(default_factory=dict)
    _gone: bytes = b""

    def for_listener(self, query: Query, audience: Audience) -> bytes:
        """Return the event's bytes for a listener; empty if it doesn't match."""
        if self.item is not None and fits(self.item, query):
            if audience not in self._rendered:
                body = serialization.encode(serialization.activity(self.item, audience))
                self._rendered[audience] = _event("activity", self.revision, body)
            return self._rendered[audience]
        if self.is_new:
            return b""
        if not self._gone:  # it may have matched before, or was hidden: clients without it ignore the event
            body = serialization.encode({"id": str(self.id), "revision": self.revision})
            self._gone = _event("gone", self.revision, body)
        return self._gone


class LiveStream:
    """Sends events to all listeners of a server."""

    def __init__(self, store: Store, pulse: ChangeWatcher, clock: Clock) -> None:
        self._threads = DatabaseThreads(pulse, most=_THREADS)  # many clients reconnect at once
        self._store = store
        self._pulse = pulse
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._from = 0  # the revision after which `_events` is complete
        self._upto = 0
        self._looked: datetime | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reading: set[asyncio.Future[Changes]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = asyncio.Event()
        self._beats = 0
        self._ending = False
        self.listeners = 0

    async def start(self) -> None:
        """Start reading changes; called on the event loop once the watcher runs."""
        self._ending = False
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop all listeners."""
        self._end()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._reading:
            await asyncio.wait(self._reading, timeout=_PATIENCE)
        self._threads.close()

    def end(self) -> None:
        """End all listeners, so that the server can stop; called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._ending = True
        self._rouse()

    async def listen(
        self,
        receive: Receive,
        send: Send,
        query: Query,
        audience_now: Callable[[], Awaitable[Audience]],
        after: int | None,
    ) -> None:
        """Send matching events to a listener from a revision on until it disconnects.

        Args:
            receive: reports when the client disconnects.
            send: sends the events.
            query: the listener's filters.
            audience_now: returns its visibility; called before each send, so it must be fast.
            after: the last revision that it has; None: from now on.
        """
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _HELLO, "more_body": True})
        await receive()  # the empty body of a GET
        going = _departure(receive, asyncio.current_task())
        self.listeners += 1
        try:
            await asyncio.wait_for(self._ready.wait(), _HEARTBEAT)
            await self._tell(send, query, audience_now, after)
        except TimeoutError:  # the database has been unavailable since the start
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not going.done():  # the server is stopping
                raise
        finally:
            self.listeners -= 1
            going.cancel()

    async def _tell(
        self, send: Send, query: Query, audience_now: Callable[[], Awaitable[Audience]], after: int | None
    ) -> None:
        has, beats = after, self._beats
        with contextlib.suppress(AggregatorError):  # the token was revoked, or the database is unavailable
            while not self._ending:
                wake = self._wake
                body, has = await self._news(query, await audience_now(), has)
                if beats != self._beats:  # a comment shows that the connection is alive
                    beats, body = self._beats, body or _BEAT
                if body:
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                if has >= self._upto:
                    await wake.wait()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _news(self, query: Query, audience: Audience, has: int | None) -> tuple[bytes, int]:
        """Return a listener's new events as bytes, and its new revision."""
        upto = self._upto
        if has is None:
            return b"id: %d\n\n" % upto, upto  # the position to resume from if nothing follows
        if self._from <= has <= upto:
            events = self._since(has)
        else:
            missed = await self._missed(has)
            if missed is None:
                return _event("reset", upto, b"{}"), max(upto, self._from)
            events, upto = missed
        return b"".join(event.for_listener(query, audience) for event in events), upto

    def _since(self, revision: int) -> list[Event]:
        newer: list[Event] = []
        for event in reversed(self._events):
            if event.revision <= revision:
                break
            newer.append(event)
        return newer[::-1]

    async def _missed(self, after: int) -> tuple[list[Event], int] | None:
        """Read missed events and their last revision; None if there are too many, or they are unknown.

        Raises:
            StoreUnavailableError: the database doesn't answer; the client may reconnect.
        """
        found: list[Event] = []
        while True:
            changes = await self._read(after)
            if changes.upto < after:  # a revision of another database, or from before a restore
                return None
            found.extend(_events_of(changes, None))
            after = changes.upto
            if len(found) > _MOST_MISSED:
                return None
            if not changes.more:
                return found, after

    async def _run(self) -> None:
        beat = asyncio.create_task(self._beat())
        try:
            while True:
                if not await self._pulse.wait(self._upto, _HEARTBEAT):
                    continue
                try:
                    await self._look()
                except AggregatorError:
                    await asyncio.sleep(_AGAIN)
        finally:
            beat.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT)
            self._beats += 1
            self._rouse()

    async def _look(self) -> None:
        """Read and buffer new changes."""
        if self._looked is None:  # later listeners start here
            now = self._pulse.beat
            self._from = self._upto = now.revision if now else 0
            self._looked = self._clock()
            self._ready.set()
            return
        began = self._clock()
        changes = await self._read(self._upto)
        for event in _events_of(changes, self._looked - _SKEW):
            if len(self._events) == _KEPT:
                self._from = self._events[0].revision
            self._events.append(event)
        self._upto = changes.upto
        if not changes.more:
            self._looked = began
        self._rouse()

    async def _read(self, after: int) -> Changes:
        """Read changes in a thread, which continues if the waiting task is cancelled: `stop` waits for it."""
        reading = asyncio.ensure_future(self._threads.run(self._changes, after))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)
        return await asyncio.shield(reading)

    def _changes(self, after: int) -> Changes:
        with self._store.reading() as tx:
            return tx.stream.activities.changes(after, _AT_ONCE)

    def _rouse(self) -> None:
        self._wake.set()
        self._wake = asyncio.Event()


def _departure(receive: Receive, listener: asyncio.Task[object] | None) -> asyncio.Task[None]:
    """Return a task that ends when the client disconnects, and then cancels the listener's own task."""

    async def departed() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    going = asyncio.create_task(departed())
    going.add_done_callback(lambda done: None if done.cancelled() or listener is None else listener.cancel())
    return going


def _events_of(changes: Changes, new_since: datetime | None) -> Iterator[Event]:
    """Yield changes as events in order; later than `new_since`: no client can have them."""
    came: Sequence[Event] = [
        Event(item.revision, item.id, item, is_new=new_since is not None and item.first_seen >= new_since)
        for item in changes.activities
    ]
    went = [Event(revision, id_, None, is_new=False) for id_, revision in changes.gone]
    yield from sorted([*came, *went], key=lambda event: event.revision)


def _event(name: str, revision: int, body: bytes) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), revision, body)
