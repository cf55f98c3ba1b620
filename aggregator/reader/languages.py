"""Find the language of a request: by the beginning of its path, or by what the visitor prefers.

An installation has one language, that of `AGGREGATOR_LOCALE`, at the paths of the routes. If `portal.toml` lists more,
each has its pages below its tag ("/fr/stats"); the pages without it are in the language that the visitor prefers.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from starlette.datastructures import MutableHeaders

from aggregator.domain.languages import TRANSLATED, best_language
from aggregator.web.negotiation import tags_of
from aggregator.web.translation import Language, current_language, speaking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.portal_page import Portal

_here: ContextVar[str] = ContextVar("here", default="/")
PLACE = "aggregator.place"  # in the scope: the place, if already known
_BELOW = re.compile(r"/([a-z]{2}(?:-[A-Z]{2})?)(/.*)?")
_API = "/api/"
_OUR_TEXTS = ("text/html", "text/calendar", "application/atom+xml", "application/rss+xml", "application/feed+json")
# Paths that are the same in all languages, and pages whose language a visitor's preference decides.
_WITHOUT = re.compile(
    r"/(?:api|static|site|pictures|avatars|review|oembed|sitemap|robots\.txt|llms\.txt|openapi\.json|manifest|uploads)"
    r"|/activities/\d+\.as2|/stats\.json"
)
_NEGOTIATED = re.compile(r"/(?:activities/\d+|stats|docs|accessibility|embed/builder)?")


class Place(NamedTuple):
    """Where a request goes."""

    path: str  # of the route
    language: Language
    is_negotiated: bool = False  # by the visitor's preference


class Languages:
    """The languages of a portal."""

    def __init__(self, configuration: Configuration, locale: str) -> None:
        self._configuration = configuration
        self._locale = locale
        self._only = Language.of(locale)

    @property
    def several(self) -> Mapping[str, Language]:
        """The languages by their tags, the default one first; empty if there is only one."""
        return _several(self._locale, self._configuration.portal.languages)

    def place(self, path: str, accept_language: bytes) -> Place:
        """Return the place of a request.

        Args:
            path: its path without the prefix of the public URL.
            accept_language: its header.
        """
        if path.startswith(_API):  # has no language, and is often requested
            return Place(path, self._only)
        several = self.several
        if not several:
            return Place(path, self._only)
        below = _BELOW.fullmatch(path)
        if below and below[1] in several and not _WITHOUT.match(below[2] or "/"):
            return Place(below[2] or "/", several[below[1]])
        default = next(iter(several.values()))
        if not _NEGOTIATED.fullmatch(path):
            return Place(path, default)
        preferred = best_language(tags_of(accept_language.decode("latin-1")), several)
        return Place(path, several[preferred] if preferred else default, is_negotiated=True)


def spoken_portal(configuration: Configuration) -> Portal:
    """Return the portal in the current language."""
    return configuration.portal.in_language(current_language().locale)


def here() -> str:
    """Return the path and query of the current request, without its language."""
    return _here.get()


def without_language(path: str) -> str:
    """Return a path without its language."""
    below = _BELOW.fullmatch(path)
    return (below[2] or "/") if below and below[1] in TRANSLATED else path


@lru_cache(maxsize=8)
def _several(locale: str, further: tuple[str, ...]) -> Mapping[str, Language]:
    only = Language.of(locale)
    tags = dict.fromkeys((only.tag, *further))
    if len(tags) == 1:
        return {}
    return {tag: Language.of(locale if tag == only.tag else tag, f"/{tag}") for tag in tags}


class InLanguage:
    """Sets the language of a request, removes it from its path, and names it in the response."""

    def __init__(self, app: ASGIApp, languages: Languages) -> None:
        self._app = app
        self._languages = languages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on to the routes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        place = scope.get(PLACE)
        if place is None:
            accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-language")
            place = self._languages.place(scope["path"], accepted)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                _name_language(MutableHeaders(scope=message), place)
            await send(message)

        query = scope["query_string"].decode("latin-1")
        _here.set(f"{place.path}?{query}" if query else place.path)
        with speaking(place.language):
            await self._app({**scope, "path": place.path, PLACE: place}, receive, named)


def _name_language(headers: MutableHeaders, place: Place) -> None:
    if place.is_negotiated:
        headers.add_vary_header("Accept-Language")
    if headers.get("content-type", "").startswith(_OUR_TEXTS):
        headers["Content-Language"] = place.language.tag
