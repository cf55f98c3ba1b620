"""Serve the files that browsers and crawlers look for by name: robots.txt, llms.txt, icons and the manifest."""

# Annotations are evaluated: FastAPI reads them when the routes are added.
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from aggregator.reader.serialization import encode
from aggregator.web.cache_control import SITE_FILE
from aggregator.web.responses import answer

if TYPE_CHECKING:
    from aggregator.config.portal_folder import Configuration
    from aggregator.web.pages import Pages

_TEXT = "text/plain; charset=utf-8"
# Names that browsers request without a link, and the file with each.
_ICONS = {"favicon.ico": "favicon.ico", "apple-touch-icon.png": "icon-180.png"}
_MANIFEST_ICONS = (("icon-192.png", "192x192"), ("icon-512.png", "512x512"))
_DEFAULT_INTRO = "Posts, news and events from all sources of this portal, newest first."


class SiteFiles:
    """The files of one portal."""

    def __init__(self, pages: "Pages", configuration: "Configuration") -> None:
        self._pages = pages
        self._configuration = configuration

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        for name, file in _ICONS.items():
            app.router.add_route(f"/{name}", self._icon(file), include_in_schema=False)
        for path, endpoint in (
            ("/robots.txt", self.robots),
            ("/llms.txt", self.llms),
            ("/manifest.webmanifest", self.manifest),
        ):
            app.router.add_route(path, endpoint, include_in_schema=False)

    def _icon(self, name: str) -> Any:  # noqa: ANN401 - an endpoint
        asset = self._pages.assets[name]

        async def icon(request: Request) -> Response:
            return answer(request, asset.content, asset.media_type, cache=SITE_FILE)

        return icon

    async def robots(self, request: Request) -> Response:
        """Return the rules for crawlers: searches and further pages have endless addresses."""
        prefix = self._pages.link("")
        rules = ("/review", "/api/", "/*?*q=", "/*?*cursor=", "/*?*archive=", "/*?*since=", "/*?*until=")
        lines = [
            "User-agent: *",
            *(f"Disallow: {prefix}{rule}" for rule in rules),
            f"Allow: {prefix}/",
            "",
            f"Sitemap: {self._pages.base(request)}/sitemap.xml",
            "",
        ]
        return answer(request, "\n".join(lines).encode(), _TEXT, cache=SITE_FILE)

    async def llms(self, request: Request) -> Response:
        """Return an introduction for language models (llmstxt.org)."""
        portal = self._configuration.portal
        values: dict[str, Any] = {
            "name": portal.name,
            "intro": portal.intro or _DEFAULT_INTRO,
            "base": self._pages.base(request),
            "topics": self._configuration.vocabulary.topics,
        }
        return answer(request, self._pages.render("llms.txt", values), "text/markdown; charset=utf-8", cache=SITE_FILE)

    async def manifest(self, request: Request) -> Response:
        """Return the web app manifest."""
        name = self._configuration.portal.name or "Activity Stream"
        made = {
            "name": name,
            "short_name": name[:30],
            "start_url": self._pages.link("/"),
            "scope": self._pages.link("/"),
            "display": "minimal-ui",
            "background_color": "#ffffff",
            "theme_color": "#0d6169",
            "icons": [
                {"src": self._pages.link(self._pages.assets[file].path), "sizes": sizes, "type": "image/png"}
                for file, sizes in _MANIFEST_ICONS
            ],
        }
        return answer(request, encode(made), "application/manifest+json", cache=SITE_FILE)
