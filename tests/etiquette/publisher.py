"""Simulate a publisher with scripted responses, and poll it by a controlled clock."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.polling.results import Discovery
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR
from aggregator.domain.source import Policy
from aggregator.domain.stream import Query

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType

    from aggregator.domain.activity import Activity
    from aggregator.domain.source import Source
    from aggregator.services.poll_report import Report

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
HTML = b"<!doctype html><title>We will be back</title><p>Maintenance"


@dataclass(frozen=True, slots=True)
class Says:
    """One scripted response."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    validates: bool = False  # 304 for a matching ETag


def feed(*numbers: int, extra: str = "", when: datetime = START, site: str = "https://site.example") -> bytes:
    """Return a feed with these entries, newest first; `extra` goes into its channel."""
    items = "".join(
        f"<item><title>Entry number {number}</title><guid>{site}/{number}</guid><link>{site}/{number}</link>"
        f"<pubDate>{format_datetime(when - timedelta(hours=100 - number))}</pubDate>"
        f"<description>What entry number {number} has to say to everybody who reads it.</description></item>"
        for number in sorted(numbers, reverse=True)
    )
    return (
        f"<rss version='2.0' xmlns:sy='http://purl.org/rss/1.0/modules/syndication/'><channel><title>Feed</title>"
        f"<link>{site}/</link><description/>{extra}{items}</channel></rss>"
    ).encode()


class Publisher:
    """Answers each path with the next response of its script; the last response repeats."""

    def __init__(self) -> None:
        self.script: dict[str, list[Says]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def says(self, path: str, *answers: Says) -> str:
        """Set the script of a path and return its address."""
        self.script[path] = list(answers)
        return self.url + path

    @property
    def paths(self) -> list[str]:
        """The requested paths so far, in order."""
        return [path for path, _ in self.requests]

    @property
    def last(self) -> dict[str, str]:
        """The headers of the last request, names in lower case."""
        return self.requests[-1][1]

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.path_qs, {name.lower(): value for name, value in request.headers.items()}))
        script = self.script.get(request.path_qs, [Says(status=404)])
        says = script.pop(0) if len(script) > 1 else script[0]
        if says.validates and request.headers.get("If-None-Match") == says.headers["ETag"]:
            return web.Response(status=304, headers=says.headers)
        headers = {"Content-Type": "application/rss+xml"} if says.body else {}
        return web.Response(body=says.body, status=says.status, headers={**headers, **says.headers})


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **span: float) -> None:
        """Move the clock."""
        self.now += timedelta(**span)


class Polling:
    """A container over one database; `restarted` is another one over the same."""

    def __init__(self, time: Time, environ: Mapping[str, str]) -> None:
        self.time = time
        self._environ = dict(environ)
        self.container = Container(Settings.from_environment(self._environ), time)

    def restarted(self) -> Polling:
        """Return the container of a new process."""
        return Polling(self.time, self._environ)

    def follow(self, url: str, *, slug: str = "feed", floor: timedelta = DOCUMENT_FLOOR, **changes: Any) -> Source:
        """Add a source without requests."""
        host = changes.pop("host", url.removeprefix("http://").partition("/")[0])
        found = Discovery(kind="rss", address=url, host=host, name=slug, slug=slug, every=None, floor=floor, **changes)
        with self.container.store.writing() as tx:
            return tx.polling.sources.add(found, slug=slug, policy=Policy.AUTO, now=self.time())

    def poll(self, slug: str = "feed") -> Report:
        """Poll a source now, due or not."""
        [report] = self.container.polling.poll_now([self.source(slug).id])
        return report

    def tick(self) -> int:
        """Poll due sources as scheduler and workers do; return their number."""
        batches = self.container.dispatcher.claim()
        return sum(len(self.container.polling.poll(batch.ids, batch.token)) for batch in batches)

    def source(self, slug: str = "feed") -> Source:
        """Return the current state of a source."""
        with self.container.store.reading() as tx:
            found = tx.polling.sources.get(slug)
        assert found is not None
        return found

    def items(self) -> Collection[Activity]:
        """Return the visible items."""
        with self.container.store.reading() as tx:
            return tx.stream.activities.page(Query(limit=100)).items

    def note(self, slug: str = "feed") -> str:
        """Return the newest line of a source's fetch log."""
        with self.container.store.reading() as tx:
            return str(tx.polling.schedule.log(self.source(slug).id, 1)[0]["message"])
