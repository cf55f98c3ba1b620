"""Live updates as server-sent events: one reader of the change feed per process, however many listen.

What changes is read once, kept for a while, and rendered once for each audience; a listener costs a coroutine and no
query. Whoever comes back with `Last-Event-ID` gets what was missed.
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
    from aggregator.domain.polling.rate_limit import Clock
    from aggregator.domain.stream import Changes, Query
    from aggregator.reader.change_watcher import ChangeWatcher
    from aggregator.reader.visibility import Audience
    from storage.store import Store

_KEPT = 2000  # events, for those who come back soon
_AT_ONCE = 500  # changes of one look
_MOST_MISSED = 2000  # changes; whoever missed more had better load the page again
_HEARTBEAT = 15.0  # seconds: proxies close what is silent for longer
_PATIENCE = 1.0  # seconds for reads that are under way when the server stops
_THREADS = 4
_AGAIN = 0.5  # seconds before changes are read again that could not be read
_RETRY = 3000  # milliseconds after which a browser comes back
_SKEW = timedelta(seconds=5)  # by which the clocks of writer and reader may differ

_BEAT = b":\n\n"
_HELLO = b"retry: %d\n\n" % _RETRY
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"vary", b"Authorization"),
    (b"x-accel-buffering", b"no"),  # nginx would gather the events
]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Event:
    """One change, for everybody."""

    revision: int
    id: int
    item: Activity | None  # none: it is gone
    is_new: bool  # nobody can have it yet
    _rendered: dict[Audience, bytes] = field(default_factory=dict)
    _gone: bytes = b""

    def for_listener(self, query: Query, audience: Audience) -> bytes:
        """Return it as bytes of the stream; nothing where it is none of this listener's business."""
        if self.item is not None and fits(self.item, query):
            if audience not in self._rendered:
                body = serialization.encode(serialization.activity(self.item, audience))
                self._rendered[audience] = _event("activity", self.revision, body)
            return self._rendered[audience]
        if self.is_new:
            return b""
        if not self._gone:  # it may have fitted before, or was hidden: whoever does not have it has nothing to do
            body = serialization.encode({"id": str(self.id), "revision": self.revision})
            self._gone = _event("gone", self.revision, body)
        return self._gone


class LiveStream:
    """Tells everybody who listens on one server."""

    def __init__(self, store: Store, pulse: ChangeWatcher, clock: Clock) -> None:
        self._threads = DatabaseThreads(pulse, most=_THREADS)  # many listeners come back at once
        self._store = store
        self._pulse = pulse
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._from = 0  # the revision behind which `_events` are whole
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
        """Begin to read changes; called on the server's loop once the pulse runs."""
        self._ending = False
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Say goodbye to everybody."""
        self._end()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._reading:
            await asyncio.wait(self._reading, timeout=_PATIENCE)
        self._threads.close()

    def end(self) -> None:
        """Let every listener go, so that the server can stop; called from any thread."""
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
        """Tell one listener what fits a query, from a revision on, until it goes.

        Args:
            receive: tells when the listener goes.
            send: takes the events.
            query: what the listener is interested in.
            audience_now: what it may see; asked before anything is told, so it had better be quick.
            after: the last revision that it has; none: from now on.
        """
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _HELLO, "more_body": True})
        await receive()  # the body of a GET, which is empty
        going = _departure(receive, asyncio.current_task())
        self.listeners += 1
        try:
            await asyncio.wait_for(self._ready.wait(), _HEARTBEAT)
            await self._tell(send, query, audience_now, after)
        except TimeoutError:  # the database was not there since the start
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not going.done():  # it is the server that ends
                raise
        finally:
            self.listeners -= 1
            going.cancel()

    async def _tell(
        self, send: Send, query: Query, audience_now: Callable[[], Awaitable[Audience]], after: int | None
    ) -> None:
        has, beats = after, self._beats
        with contextlib.suppress(AggregatorError):  # the token was revoked, or the database is away: it may come back
            while not self._ending:
                wake = self._wake
                body, has = await self._news(query, await audience_now(), has)
                if beats != self._beats:  # silence tells as well: that the line still stands
                    beats, body = self._beats, body or _BEAT
                if body:
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                if has >= self._upto:
                    await wake.wait()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _news(self, query: Query, audience: Audience, has: int | None) -> tuple[bytes, int]:
        """Return what is new for somebody, as bytes, and the revision that it then has."""
        upto = self._upto
        if has is None:
            return b"id: %d\n\n" % upto, upto  # where to go on from, if nothing comes
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
        """Read what a listener missed, and up to which revision; None where that is too much or can't be known.

        Raises:
            StoreUnavailableError: the database does not answer now; the listener may come back.
        """
        found: list[Event] = []
        while True:
            changes = await self._read(after)
            if changes.upto < after:  # a revision of another database, or from before it was restored
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
        """Take in what changed."""
        if self._looked is None:  # those who come later start here
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
        """Read changes in a thread, which goes on when who waits for it is sent away: `stop` waits for it."""
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
    """Return a task that ends when the listener goes, and then ends the listener's own."""

    async def departed() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    going = asyncio.create_task(departed())
    going.add_done_callback(lambda done: None if done.cancelled() or listener is None else listener.cancel())
    return going


def _events_of(changes: Changes, new_since: datetime | None) -> Iterator[Event]:
    """Give changes as events, in their order; `new_since`: what came later nobody can have."""
    came: Sequence[Event] = [
        Event(one.revision, one.id, one, is_new=new_since is not None and one.first_seen >= new_since)
        for one in changes.activities
    ]
    went = [Event(revision, id_, None, is_new=False) for id_, revision in changes.gone]
    yield from sorted([*came, *went], key=lambda event: event.revision)


def _event(name: str, revision: int, body: bytes) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), revision, body)
