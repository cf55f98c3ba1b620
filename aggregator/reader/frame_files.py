"""Serve the frame of a site: its style sheet, its logo and its accessibility statement."""

# Annotations are evaluated: FastAPI reads them when the routes are added.
import hashlib
import mimetypes
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aggregator.domain.errors import NotFoundError
from aggregator.domain.site_frame import theme_css
from aggregator.reader.languages import here, spoken_portal
from aggregator.web.cache_control import ALWAYS_ASK, IMMUTABLE
from aggregator.web.responses import HTML, answer

if TYPE_CHECKING:
    from aggregator.config.portal_folder import Configuration
    from aggregator.reader.languages import Languages
    from aggregator.web.pages import Pages

_CSS = "text/css; charset=utf-8"
_DIGEST_BYTES = 6


class FrameFiles:
    """The files and pages that `portal.toml` describes."""

    def __init__(self, configuration: "Configuration", pages: "Pages", languages: "Languages") -> None:
        self._languages = languages
        self._configuration = configuration
        self._pages = pages

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/site/{version}/theme.css", self.theme, include_in_schema=False)
        app.add_api_route("/site/{version}/logo", self.logo, include_in_schema=False)
        app.add_api_route("/accessibility", self.accessibility, include_in_schema=False, response_class=HTMLResponse)

    def values(self) -> dict[str, Any]:
        """Return what the templates of all pages show of the portal."""
        theme, logo = theme_css(self._configuration.portal.site), self._configuration.logo
        return {
            "portal": spoken_portal(self._configuration),
            "languages": self._languages.several,
            "here": here(),
            "theme_path": f"/site/{_version(theme.encode())}/theme.css" if theme else None,
            "logo_path": f"/site/{_version(logo[1])}/logo" if logo else None,
        }

    async def theme(self, request: Request, version: str) -> Response:
        """Return the style sheet with the site's colors and fonts."""
        return _file(request, version, theme_css(self._configuration.portal.site).encode(), _CSS)

    async def logo(self, request: Request, version: str) -> Response:
        """Return the logo."""
        logo = self._configuration.logo
        if logo is None:
            raise NotFoundError("This site has no logo.")
        return _file(request, version, logo[1], mimetypes.guess_type(logo[0])[0] or "application/octet-stream")

    async def accessibility(self, request: Request) -> Response:
        """Return the accessibility statement."""
        if self._configuration.portal.accessibility is None:
            raise NotFoundError("This site has no accessibility statement yet.")
        return answer(request, self._pages.render("accessibility.html", {}), HTML)


def _file(request: Request, version: str, content: bytes, media_type: str) -> Response:
    """Return a file; a page of another release may request its own version, which is not cached."""
    return answer(request, content, media_type, cache=IMMUTABLE if version == _version(content) else ALWAYS_ASK)


def _version(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()
