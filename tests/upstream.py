"""Run publishers on loopback for tests: good feeds that can be edited, and servers that misbehave.

    with Publisher(feeds=3) as publisher:
        publisher.url("/good/1.xml")              # RSS 2.0 with ETag, Last-Modified and 304
        publisher.feeds["1"].entries.append(Entry("guid-9", "A title", "Some text"))
        publisher.feeds["1"].entries[0].title = "Edited"
        publisher.hits["/good/1.xml"]             # requests seen, 304 answers among them
        publisher.not_modified["/good/1.xml"]     # how many of them were answered 304
        publisher.seen[-1].headers["user-agent"]  # every request, in order
        publisher.hang.add("/good/1.xml")         # no answer from now on
    publisher.serve("/a.ics", b"...", "text/calendar")

Paths:
    /good/NAME.xml    the feed `feeds[NAME]` ("1", "2", ... and what a test adds)
    /moved/NAME.xml   301 to /good/NAME.xml
    /page             an HTML page that announces /good/1.xml
    /html             an HTML page that announces nothing
    /badxml           a feed that ends in the middle of a tag and has no entry
    /empty            200 without a byte
    /endless          200 and bytes without end
    /slow             sends nothing until the publisher stops
    /loop             redirects to itself
    /404 /410 /500    that status
    /429              429 with `Retry-After: 120`

`refused()` is an address without a listener. Everything binds 127.0.0.1 on a free port; `port=` asks for a certain
one, so that a publisher can come back where it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Self
from xml.sax.saxutils import escape

from aiohttp import web

if TYPE_CHECKING:
    from types import TracebackType

LONGEST_START = 10.0  # seconds
_MOST_SEEN = 100_000
_CHUNK = b"<item>endless</item>" * 512
_PAGE = "<!doctype html><html lang=en><head><title>{title}</title>{head}</head><body><p>{title}</p></body></html>"
_ANNOUNCED = "<link rel=alternate type=application/rss+xml title=News href=/good/1.xml>"
_BODIES = {  # content type and body of constant responses
    "html": ("text/html", _PAGE.format(title="No feed here", head="")),
    "page": ("text/html", _PAGE.format(title="A page", head=_ANNOUNCED)),
    "badxml": ("text/xml", '<?xml version="1.0"?><rss version="2.0"><channel><title>Cut'),
    "empty": ("application/rss+xml", ""),
}


@dataclass
class Entry:
    """One entry of a feed; changed fields appear in the feed's next response."""

    guid: str
    title: str
    text: str = ""
    link: str | None = None  # absolute; None: an address below this publisher
    published: datetime | None = None


@dataclass
class Feed:
    """A feed; `cache_control` is sent as it is, `etag=False` leaves the validators out."""

    name: str
    title: str
    entries: list[Entry] = field(default_factory=list)
    cache_control: str | None = None
    etag: bool = True


@dataclass(frozen=True)
class Seen:
    """A received request; header names in lower case."""

    path: str
    headers: dict[str, str]


class Publisher:
    """A set of publishers; a context manager, or `start()` and `stop()`."""

    def __init__(self, *, feeds: int = 1, entries: int = 3, port: int = 0) -> None:
        self.feeds = {str(n): sample_feed(str(n), entries) for n in range(1, feeds + 1)}
        self.hits: Counter[str] = Counter()
        self.not_modified: Counter[str] = Counter()
        self.last_hit: dict[str, float] = {}  # the time (monotonic) of each path's last request
        self.seen: deque[Seen] = deque(maxlen=_MOST_SEEN)
        self.hang: set[str] = set()  # paths that are not answered before the publisher stops
        self.status: int | None = None  # of every response, during an outage
        self.files: dict[str, tuple[bytes, str]] = {}  # by path: body and content type
        self.port = port
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: OSError | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def host(self) -> str:
        """The "host:port" that sources of this publisher share."""
        return f"127.0.0.1:{self.port}"

    def serve(self, path: str, body: bytes, content_type: str) -> None:
        """Respond to a path with a document, and with 304 to matching validators."""
        self.files[path] = (body, content_type)

    def url(self, path: str) -> str:
        """Return the absolute address of a path."""
        return f"http://{self.host}{path}"

    def start(self) -> None:
        """Listen; returns when requests are served."""
        self._ready.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="publisher", daemon=True)
        self._thread.start()
        if not self._ready.wait(LONGEST_START):
            raise TimeoutError("The publisher did not start.")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Close all connections and stop listening; a second call does nothing."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(LONGEST_START)
        self._thread = None

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)  # HEAD comes along
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            self.port = runner.addresses[0][1]
            self._ready.set()
            await self._stop.wait()
        except OSError as error:
            self._failure = error
            self._ready.set()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.hits[path] += 1
        self.last_hit[path] = time.monotonic()
        self.seen.append(Seen(path, {name.lower(): value for name, value in request.headers.items()}))
        area, _, rest = path.strip("/").partition("/")
        if self.status is not None:
            area, path = str(self.status), ""
        name = rest.removesuffix(".xml")
        if area == "slow" or path in self.hang:
            await self._stopping().wait()
            return web.Response(text="too late")
        if path in self.files:
            return self._file(request, *self.files[path])
        if area == "good" and name in self.feeds:
            return self._good(request, self.feeds[name])
        if area == "moved":
            return web.Response(status=301, headers={"Location": f"/good/{rest}"})
        if area == "endless":
            return await self._endless(request)
        return self._scripted(area)

    def _good(self, request: web.Request, feed: Feed) -> web.Response:
        body = render(feed, self.url(""))
        headers = {"Cache-Control": feed.cache_control} if feed.cache_control else {}
        if feed.etag:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            headers["Last-Modified"] = format_datetime(_newest(feed), usegmt=True)
            if request.headers.get("If-None-Match") == headers["ETag"]:
                self.not_modified[request.path] += 1
                return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers, content_type="application/rss+xml", charset="utf-8")

    def _file(self, request: web.Request, body: bytes, content_type: str) -> web.Response:
        headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"'}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            self.not_modified[request.path] += 1
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers, content_type=content_type)

    def _scripted(self, area: str) -> web.Response:
        if area in _BODIES:
            content_type, text = _BODIES[area]
            return web.Response(text=text, content_type=content_type)
        if area == "loop":
            return web.Response(status=302, headers={"Location": "/loop"})
        if area == "429":
            return web.Response(status=429, headers={"Retry-After": "120"}, text="Slow down.")
        if area in {"410", "500", "502"}:
            return web.Response(status=int(area), text=f"status {area} as asked for")
        return web.Response(status=404, text="nothing here")

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/rss+xml"})
        await response.prepare(request)
        try:
            await response.write(b'<?xml version="1.0"?><rss version="2.0"><channel><title>Endless</title>')
            while not self._stopping().is_set():
                await response.write(_CHUNK)
                await asyncio.sleep(0)
        except ConnectionError:
            pass  # the reader had enough, which is what the test waits for
        return response

    def _stopping(self) -> asyncio.Event:
        if self._stop is None:
            raise RuntimeError("The publisher is not started.")
        return self._stop


def refused() -> str:
    """Return an address on loopback without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}/feed.xml"


def sample_feed(name: str, entries: int) -> Feed:
    """Return a feed with entries an hour apart, newest first, ending at 2026-01-02 00:00 UTC."""
    newest = datetime(2026, 1, 2, tzinfo=UTC)
    return Feed(
        name,
        f"Feed {name}",
        [
            Entry(
                guid=f"{name}-{n}",
                title=f"Entry {n} of feed {name}",
                text=f"Text {n} of feed {name}.",
                published=newest - timedelta(hours=entries - n),
            )
            for n in range(entries, 0, -1)
        ],
    )


def render(feed: Feed, base: str) -> bytes:
    """Return a feed as RSS 2.0; `base` is the publisher's address, for entries without a link of their own."""
    items = "".join(
        f"<item><guid isPermaLink='false'>{escape(entry.guid)}</guid><title>{escape(entry.title)}</title>"
        f"<link>{escape(entry.link or f'{base}/entries/{feed.name}/{entry.guid}')}</link>"
        f"<description>{escape(entry.text)}</description>"
        + (f"<pubDate>{format_datetime(entry.published)}</pubDate>" if entry.published else "")
        + "</item>"
        for entry in feed.entries
    )
    return (
        f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>{escape(feed.title)}</title>"
        f"<link>{escape(base)}/</link><description>For tests</description>{items}</channel></rss>"
    ).encode()


def _newest(feed: Feed) -> datetime:
    return max((e.published for e in feed.entries if e.published), default=datetime(2026, 1, 1, tzinfo=UTC))
