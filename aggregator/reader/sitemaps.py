"""Serve the sitemap: an index, the pages of the portal, and the pages of items in parts of bounded size."""

# Annotations are evaluated: FastAPI reads them when the routes are added.
import re
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from aggregator.domain.errors import NotFoundError
from aggregator.reader.feeds.xml import add, document, root_of
from aggregator.web.dates import machine_time
from aggregator.web.responses import answer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.clock import Clock
    from aggregator.reader.languages import Languages
    from aggregator.web.pages import Pages
    from storage.store import Store

MEDIA_TYPE = "application/xml"
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_PAGES = "pages"
_PART = re.compile(r"0|[1-9][0-9]{0,14}")
_FIXED = ("/docs", "/embed/builder", "/stats")


class SitemapRoutes:
    """The sitemap of one store."""

    def __init__(
        self, store: "Store", clock: "Clock", pages: "Pages", configuration: "Configuration", languages: "Languages"
    ) -> None:
        self._store = store
        self._clock = clock
        self._pages = pages
        self._configuration = configuration
        self._languages = languages

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        for path, endpoint in (("/sitemap.xml", self.index), ("/sitemap-{part}.xml", self.part)):
            app.add_api_route(path, endpoint, include_in_schema=False, response_class=Response)

    def index(self, request: Request) -> Response:
        """Return the list of sitemaps."""
        with self._store.reading() as tx:
            parts = tx.stream.sitemap.parts()
        base = self._pages.base(request)
        names = (_PAGES, *map(str, parts))
        entries = ((f"{base}/sitemap-{name}.xml", None) for name in names)
        return answer(request, _document("sitemapindex", "sitemap", entries), MEDIA_TYPE)

    def part(self, request: Request, part: str) -> Response:
        """Return one sitemap."""
        base = self._pages.base(request)
        if part == _PAGES:
            return answer(request, _document("urlset", "url", self._portal_pages(base)), MEDIA_TYPE)
        if not _PART.fullmatch(part):
            raise NotFoundError("There is no such sitemap.")
        now = self._clock()
        with self._store.reading() as tx:
            items = tx.stream.sitemap.entries(int(part))
        if not items:  # a sitemap without addresses is invalid
            raise NotFoundError("There is no such sitemap.")
        homes = self._homes(base)
        entries = ((f"{home}/activities/{item.id}", item.modified(now)) for item in items for home in homes)
        return answer(request, _document("urlset", "url", entries), MEDIA_TYPE)

    def _portal_pages(self, base: str) -> "Iterable[tuple[str, datetime | None]]":
        with self._store.reading() as tx:
            changed = tx.stream.state.mark().changed
        for home in self._homes(base):
            yield f"{home}/", changed
            for path in _FIXED:
                yield home + path, None
            for topic in self._configuration.vocabulary.topics:
                yield f"{home}/?topic={topic.slug}", None

    def _homes(self, base: str) -> list[str]:
        """Return the public URLs below which the canonical addresses of pages are: one for each language."""
        return [base + language.path for language in self._languages.several.values()] or [base]


def _document(root: str, entry: str, entries: "Iterable[tuple[str, datetime | None]]") -> bytes:
    made = root_of(root, _NAMESPACE)
    for address, modified in entries:
        child = add(made, f"{{{_NAMESPACE}}}{entry}")
        add(child, f"{{{_NAMESPACE}}}loc", address)
        if modified is not None:
            add(child, f"{{{_NAMESPACE}}}lastmod", machine_time(modified.replace(microsecond=0)))
    return document(made)
