"""Assemble the reader's ASGI app."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.middleware import Middleware

from aggregator.config.portal_folder import Configuration
from aggregator.domain.activity import EARLIEST
from aggregator.domain.errors import NotFoundError
from aggregator.domain.secrets import Secret
from aggregator.reader.api import Api
from aggregator.reader.authentication import Authenticator
from aggregator.reader.cache_key import CacheKeyBuilder, headers_of
from aggregator.reader.cache_middleware import CacheMiddleware, Refresher
from aggregator.reader.change_watcher import ChangeWatcher
from aggregator.reader.embed import EmbedRoutes
from aggregator.reader.embed_builder import EmbedBuilder
from aggregator.reader.error_pages import explained
from aggregator.reader.errors import PROBLEMS
from aggregator.reader.feed_endpoints import Feeds
from aggregator.reader.frame_files import FrameFiles
from aggregator.reader.html_pages import DocumentationPages, StreamPages
from aggregator.reader.languages import InLanguage, Languages
from aggregator.reader.metrics.endpoint import PATH as METRICS_PATH
from aggregator.reader.metrics.endpoint import MetricsEndpoint
from aggregator.reader.oembed import OEmbedRoutes
from aggregator.reader.openapi import document
from aggregator.reader.page_metadata import MetadataBuilder
from aggregator.reader.picture_routes import PictureRoutes
from aggregator.reader.rate_limits import Admission, RateLimits
from aggregator.reader.response_cache import ResponseCache
from aggregator.reader.sharing import SharingTerms
from aggregator.reader.site_files import SiteFiles
from aggregator.reader.sitemaps import SitemapRoutes
from aggregator.reader.sse import LiveStream
from aggregator.reader.statistics import StatisticsRoutes
from aggregator.reader.uploads import Uploads
from aggregator.reader.visibility import PUBLIC
from aggregator.web.app import framed
from aggregator.web.database_threads import DatabaseThreads
from aggregator.web.dates import Dates
from aggregator.web.pages import Pages
from aggregator.web.picture_cache import PictureCache
from aggregator.web.problems import Problems

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from zoneinfo import ZoneInfo

    from starlette.types import Message, Receive, Scope, Send

    from aggregator.config.option_values import Rate
    from aggregator.config.settings import Network
    from aggregator.domain.clock import Clock
    from aggregator.reader.metrics.snapshot import FactReaders
    from aggregator.reader.visibility import Audience
    from storage.store import Store


_IN_MEMORY = Secret("memory://")
_PAGES_GOOD_FOR = 300  # seconds, even if the stream doesn't change: events begin and relative times age
_PATIENCE = 1.0  # seconds to wait for the last token uses to be written
_FEEDS = ("/feed.rss", "/feed.atom", "/feed.json", "/feed.as2")
_STATS = ("/stats", "/stats.csv", "/stats.json")
_KEPT = frozenset(
    {"/", "/api/v1/activities", "/api/v1/facets", "/embed", "/embed/items", "/oembed", "/sitemap.xml", *_FEEDS, *_STATS}
)
_KEPT_BELOW = ("/activities/", "/api/v1/activities/", "/sitemap-")
_CONFIGURED = ("/oembed", "/sitemap-pages.xml")  # responses that contain the portal's name or topics
_TELLING_OF_HEALTH = frozenset({"/", "/api/v1/activities"})


class ReaderApp(FastAPI):
    """Serves cached responses before any middleware runs; database work runs in bounded threads."""

    def __init__(
        self,
        hot: ResponseCache,
        threads: DatabaseThreads,
        *,
        across_origins: bool,
        metrics: MetricsEndpoint | None = None,
        **options: Any,  # noqa: ANN401  # FastAPI's own
    ) -> None:
        super().__init__(**options)
        self._metrics = metrics
        self._hot = hot
        self._threads = threads
        self._across_origins = across_origins

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401  # FastAPI's
        """Add a route; a synchronous endpoint runs in a database thread."""
        runs = endpoint if iscoroutinefunction(endpoint) else self._threads.endpoint(endpoint)
        super().add_api_route(path, runs, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        began = time.perf_counter()
        metrics = self._metrics if scope["type"] == "http" else None
        if metrics is not None and scope["path"] == METRICS_PATH:
            metrics.requests.observe(METRICS_PATH, await metrics.respond(scope, send), began)
            return
        headers = headers_of(scope) if scope["type"] == "http" else None
        ready = None if headers is None else self._hot.ready(scope, headers)
        if ready is None:
            await super().__call__(scope, receive, metrics.requests.observing(scope, send, began) if metrics else send)
            return
        start, body = ready
        await send(_by_origin(start) if self._across_origins else start)
        await send(body)
        if metrics is not None:
            metrics.requests.observe(scope["path"], start["status"], began, cached=True)


class _Background:
    """The parts that start and stop with the server."""

    def __init__(self, store: Store, clock: Clock, audience: Audience, fetch: Callable[[str], bytes] | None) -> None:
        self._store = store
        self.pulse = ChangeWatcher(store, clock)
        self.threads = DatabaseThreads(self.pulse)
        self.live = LiveStream(store, self.pulse, clock)
        # A replica may not know yet that a token was revoked.
        self.callers = Authenticator(store.primary, clock, audience, threads=self.threads)
        self.metrics: MetricsEndpoint | None = None
        self.pictures = PictureCache(fetch or _fetch_nothing, store.primary)
        self.pulse.hooks.append(self.callers.recheck)

    def measure(self, metrics: MetricsOptions, trusted_proxies: Sequence[Network], prefix: str) -> None:
        """Serve metrics."""
        self.metrics = MetricsEndpoint(
            metrics.readers,
            metrics.networks,
            store=self._store,
            threads=self.threads,
            trusted_proxies=trusted_proxies,
            prefix=prefix,
        )

    @asynccontextmanager
    async def running(self, refresher: Refresher) -> AsyncIterator[None]:
        self.pulse.start()
        await self.live.start()
        refresher.start()
        yield
        refresher.stop()
        await self.live.stop()
        await self.pulse.stop()
        self.threads.close()
        if self.metrics is not None:
            self.metrics.close()
        self.pictures.close()
        await asyncio.to_thread(self.callers.settle, _PATIENCE)


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """How `/metrics` reads the state of the system, and the networks whose clients may read it without a token."""

    readers: FactReaders
    networks: Sequence[Network]


@dataclass(frozen=True, slots=True)
class _Site:
    """The parts that all routes share."""

    store: Store
    clock: Clock
    background: _Background
    admission: Admission
    pages: Pages
    problems: Problems
    configuration: Configuration
    public_url: str | None
    prefix: str
    languages: Languages
    terms: SharingTerms
    rate: Rate | None


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
    embeddable: frozenset[str] = frozenset(),
    metrics: MetricsOptions | None = None,
) -> FastAPI:
    """Return the ASGI app; it uses the database only for requests.

    The server must not apply forwarding headers itself (uvicorn: `proxy_headers=False`): `trusted_proxies` decides
    which ones are trusted. `audience` is the visibility of machine-readable output without a token; our own pages show
    everything. `fetch` downloads pictures; without it, each has one of our own in its place. Without `metrics` there is
    no `/metrics`.
    """
    configuration = configuration or Configuration(None)
    configuration.check()
    prefix = urlsplit(public_url).path if public_url else ""
    dates, of_readers = Dates.of(timezone, locale), ["aggregator.reader"]
    pages = Pages(of_readers, dates=dates, public_url=public_url, prefix=prefix, ids_only=store.ids_only, clock=clock)
    languages = Languages(configuration, locale)
    frame_files = FrameFiles(configuration, pages, languages)
    pages.know_current(frame_files.values)
    pages.know(explained=explained)
    problems = Problems(pages, PROBLEMS, api_prefix="/api/")
    background = _Background(store, clock, audience, fetch)
    admission = Admission(background.callers, RateLimits(rate, rate_store))
    site = _Site(
        *(store, clock, background, admission, pages, problems, configuration, public_url, prefix, languages),
        terms=SharingTerms(audience, embeddable),
        rate=rate,
    )
    if metrics is not None:
        background.measure(metrics, trusted_proxies, prefix)
    app = _framed_app(site, trusted_proxies, cors_origins)
    _add_routes(app, site, cors_origins, embeddable)
    frame_files.add_to(app)
    if background.metrics is not None:
        background.metrics.requests.know(app.router.routes)
    return app


def _framed_app(site: _Site, trusted_proxies: Sequence[Network], cors_origins: Sequence[str]) -> ReaderApp:
    """Return the app with its response cache and middleware, and no routes yet."""
    background = site.background
    hot = _response_cache(site, trusted_proxies)
    refresher = Refresher(hot, background.pulse)
    app = ReaderApp(
        hot,
        background.threads,
        across_origins=bool(cors_origins),
        metrics=background.metrics,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lambda _app: background.running(refresher),
    )
    app.state.live = background.live
    app.state.probe = background.pulse
    app.state.callers = background.callers
    app.state.pictures = background.pictures
    caching = Middleware(
        CacheMiddleware, hot=hot, pulse=background.pulse, callers=background.callers, refresher=refresher
    )
    framed(
        app,
        pages=site.pages,
        problems=site.problems,
        trusted_proxies=trusted_proxies,
        prefix=site.prefix,
        within=[caching, Middleware(InLanguage, languages=site.languages)],
        cors_origins=cors_origins,
    )
    return app


def _response_cache(site: _Site, trusted_proxies: Sequence[Network]) -> ResponseCache:
    canon = CacheKeyBuilder(
        public_url=site.public_url,
        trusted_proxies=trusted_proxies,
        trusts=lambda authorization: site.background.callers.known(authorization) is not None,
        languages=site.languages,
    )

    def edition(path: str) -> tuple[datetime, object] | None:
        if path.startswith("/api/"):
            return None
        if path.startswith("/feed."):
            return site.configuration.changed, site.configuration.stamp
        if path.startswith(_CONFIGURED):
            return EARLIEST, site.configuration.stamp
        began = site.clock().timestamp() // _PAGES_GOOD_FOR * _PAGES_GOOD_FOR
        return datetime.fromtimestamp(began, UTC), site.configuration.stamp

    return ResponseCache(
        site.background.pulse,
        canon,
        covers=_is_kept,
        edition=edition,
        shows_health=_TELLING_OF_HEALTH.__contains__,
    )


def _add_routes(
    app: ReaderApp,
    site: _Site,
    cors_origins: Sequence[str],
    embeddable: frozenset[str],
) -> None:
    store, clock, pages, configuration = site.store, site.clock, site.pages, site.configuration
    callers, threads, admission = site.background.callers, site.background.threads, site.admission
    Api(
        store,
        clock,
        callers,
        admission,
        pulse=site.background.pulse,
        threads=threads,
        live=site.background.live,
        link=pages.link,
        configuration=configuration,
    ).add_to(app)
    feeds = Feeds(
        store,
        callers,
        admission,
        public_url=site.public_url,
        prefix=site.prefix,
        pages=pages,
        configuration=configuration,
        clock=clock,
    )
    feeds.add_to(app)
    Uploads(store, threads).add_to(app)
    _add_pages(app, site, feeds, cors_origins, embeddable)


def _add_pages(
    app: ReaderApp, site: _Site, feeds: Feeds, cors_origins: Sequence[str], embeddable: frozenset[str]
) -> None:
    store, clock, pages, configuration = site.store, site.clock, site.pages, site.configuration
    threads, admission = site.background.threads, site.admission
    cache = site.background.pictures
    site.background.pulse.hooks.append(cache.follow)
    PictureRoutes(store, threads, pages, cache, site.background.pulse).add_to(app)
    metadata = MetadataBuilder(pages, configuration, site.terms, site.languages)
    StreamPages(
        *(store, clock, pages, admission),
        configuration=configuration,
        as2=feeds.activity,
        metadata=metadata,
    ).add_to(app)
    OEmbedRoutes(store, pages, configuration, site.terms, cors_origins, site.languages).add_to(app)
    SitemapRoutes(store, clock, pages, configuration, site.languages).add_to(app)
    SiteFiles(pages, configuration).add_to(app)
    EmbedRoutes(store, pages, admission, configuration, cors_origins, embeddable=embeddable).add_to(app)
    StatisticsRoutes(store, clock, pages, configuration, metadata).add_to(app)
    EmbedBuilder(store, pages, admission, configuration, metadata).add_to(app)
    DocumentationPages(partial(document, app, site.public_url), pages, site.problems, metadata, site.rate).add_to(app)


def _fetch_nothing(address: str) -> bytes:
    raise NotFoundError(f"{address} is not fetched: this reader has no client.")


def _by_origin(start: Message) -> Message:
    """Add `Vary: Origin`, as the CORS middleware does, since cached responses bypass it."""
    return {**start, "headers": [*start["headers"], (b"vary", b"Origin")]}


def _is_kept(path: str) -> bool:
    """Return whether responses at a path are cached: those that depend only on the stream and its sources' health."""
    return path in _KEPT or path.startswith(_KEPT_BELOW)
