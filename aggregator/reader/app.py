"""The reader's app: everything that the public sees, wired together."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.middleware import Middleware

from aggregator.configuration import Configuration
from aggregator.options import Secret
from aggregator.reader.api import Api
from aggregator.reader.audience import PUBLIC
from aggregator.reader.callers import Callers
from aggregator.reader.embed import Embed
from aggregator.reader.hot import Hot, Layer
from aggregator.reader.live import Live
from aggregator.reader.openapi import document
from aggregator.reader.page import DocumentationPages, StreamPages
from aggregator.reader.pulse import Pulse
from aggregator.reader.rationing import Rationing
from aggregator.reader.refusals import PROBLEMS
from aggregator.reader.stills import Stills
from aggregator.reader.syndication import Feeds
from aggregator.web.app import framed
from aggregator.web.dates import Dates
from aggregator.web.pages import Pages
from aggregator.web.problems import Problems
from aggregator.web.proxies import is_trusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from zoneinfo import ZoneInfo

    from starlette.types import Message, Receive, Scope, Send

    from aggregator.options import Rate
    from aggregator.reader.audience import Audience
    from aggregator.settings import Network
    from aggregator.source import Clock
    from storage.store import Store


_IN_MEMORY = Secret("memory://")
_PAGES_GOOD_FOR = 300  # seconds, however quiet the stream is: events begin, and what was "just now" grows old
_PATIENCE = 1.0  # seconds for the last uses of tokens to be written
_FEEDS = ("/feed.rss", "/feed.atom", "/feed.json", "/feed.as2")
_KEPT = frozenset({"/", "/api/v1/activities", "/api/v1/facets", "/embed", "/embed/items", *_FEEDS})
_KEPT_BELOW = ("/activities/", "/api/v1/activities/")


class ReaderApp(FastAPI):
    """An app that gives what is ready before anything else is done."""

    def __init__(self, hot: Hot, *, across_origins: bool, **options: Any) -> None:  # noqa: ANN401  # FastAPI's own
        super().__init__(**options)
        self._hot = hot
        self._across_origins = across_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ready = self._hot.ready(scope) if scope["type"] == "http" else None
        if ready is None:
            await super().__call__(scope, receive, send)
            return
        start, body = ready
        await send(_by_origin(start) if self._across_origins else start)
        await send(body)


def create_app(
    store: Store,
    *,
    clock: Clock,
    public_url: str | None,
    timezone: ZoneInfo,
    locale: str,
    trusted_proxies: Sequence[Network],
    audience: Audience = PUBLIC,
    cors_origins: Sequence[str] = (),
    rate: Rate | None = None,
    rate_store: Secret = _IN_MEMORY,
    configuration: Configuration | None = None,
    fetch: Callable[[str], bytes] | None = None,
    x_embed: bool = False,
) -> FastAPI:
    """Return the ASGI app; it touches the database only when asked something.

    Run it behind a server that does not itself believe forwarding headers (uvicorn: `proxy_headers=False`):
    which proxies are trusted is decided here, by `trusted_proxies`. `audience` says what machine-readable outputs give
    those without a token; our own pages display everything. `fetch` gets the pictures of films; without it there are
    none.
    """
    configuration = configuration or Configuration(None)
    configuration.check()
    prefix = urlsplit(public_url).path if public_url else ""
    pages = Pages(["aggregator.reader"], dates=Dates.of(timezone, locale), public_url=public_url, prefix=prefix)
    pages.know(stills=fetch is not None)
    problems = Problems(pages, PROBLEMS, api_prefix="/api/")
    pulse = Pulse(store, clock)
    live = Live(store, pulse, clock)
    callers = Callers(store, clock, audience)

    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        pulse.start()
        await live.start()
        yield
        await live.stop()
        await pulse.stop()
        await asyncio.to_thread(callers.settle, _PATIENCE)

    hot = Hot(
        pulse,
        covers=lambda path: _is_kept(path.removeprefix(prefix)),
        believes=lambda peer: is_trusted(peer, trusted_proxies),
        edition=lambda: (configuration.stamp, int(clock().timestamp()) // _PAGES_GOOD_FOR),
    )
    app = ReaderApp(hot, across_origins=bool(cors_origins), openapi_url=None, redirect_slashes=False, lifespan=running)
    app.state.live = live
    app.state.callers = callers
    framed(
        app,
        pages=pages,
        problems=problems,
        trusted_proxies=trusted_proxies,
        prefix=prefix,
        within=[Middleware(Layer, hot=hot)],
        cors_origins=cors_origins,
    )
    rationing = Rationing(rate, rate_store)
    Api(
        store,
        clock,
        callers,
        rationing,
        pulse=pulse,
        live=live,
        link=pages.link,
        configuration=configuration,
        locale=locale,
    ).add_to(app)
    feeds = Feeds(
        store,
        callers,
        rationing,
        public_url=public_url,
        prefix=prefix,
        dates=pages.dates,
        configuration=configuration,
        clock=clock,
    )
    feeds.add_to(app)
    if fetch is not None:
        Stills(store, fetch).add_to(app)
    StreamPages(store, clock, pages, configuration=configuration, language=locale, as2=feeds.activity).add_to(app)
    Embed(store, pages, configuration, cors_origins, x_embed=x_embed).add_to(app)
    DocumentationPages(document(app, public_url), pages, problems).add_to(app)
    return app


def _by_origin(start: Message) -> Message:
    """Say of a ready answer what the layer for other origins says of all: who names another gets other headers."""
    return {**start, "headers": [*start["headers"], (b"vary", b"Origin")]}


def _is_kept(path: str) -> bool:
    """Say whether answers at a path are kept: those that follow from the stream and the health of its sources alone."""
    return path in _KEPT or path.startswith(_KEPT_BELOW)
