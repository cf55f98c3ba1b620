"""Serve oEmbed (oembed.com): other sites turn the address of an item into a preview.

What a consumer shows must end when the item does. So the answer has a frame with our own page rather than the text, and
only a link for content that other sites may not show.
"""

# Annotations are evaluated: FastAPI reads them when the routes are added.
import re
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aggregator.domain.errors import BadRequestError, NotFoundError
from aggregator.reader.errors import UnsupportedFormatError
from aggregator.reader.feeds.xml import add, document, root_of
from aggregator.reader.languages import spoken_portal
from aggregator.reader.lookup import shown
from aggregator.reader.query_params import Parameter, given, whole_number
from aggregator.reader.serialization import encode
from aggregator.reader.structured_data import title_of
from aggregator.web.labels import label
from aggregator.web.responses import HTML, JSON, answer
from aggregator.web.security import policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.activity import Activity
    from aggregator.reader.languages import Languages
    from aggregator.reader.sharing import SharingTerms
    from aggregator.web.pages import Pages
    from storage.store import Store

_LONGEST_ADDRESS = 500
_WIDTH, _HEIGHT = 600, 400  # pixels, if the consumer has the room
_LEAST, _MOST = 1, 10_000
_CACHE_AGE = 300  # seconds
_URL = Parameter("url", "The address of an item's page.", {"type": "string"}, "https://stream.example/activities/12")
_FORMAT = Parameter("format", "The format.", {"enum": ["json", "xml"], "default": "json"}, "json")
_SIZES = tuple(
    Parameter(name, "The largest size in pixels.", {"type": "integer", "minimum": _LEAST}, 600)
    for name in ("maxwidth", "maxheight")
)
_PARAMETERS = (_URL, _FORMAT, *_SIZES)


class OEmbedRoutes:
    """The oEmbed provider of one store, and the pages that its frames show."""

    def __init__(
        self,
        store: "Store",
        pages: "Pages",
        configuration: "Configuration",
        terms: "SharingTerms",
        cors_origins: "Sequence[str]",
        languages: "Languages",
    ) -> None:
        self._store = store
        self._pages = pages
        self._configuration = configuration
        self._terms = terms
        self._languages = languages
        self._can_frame = bool(cors_origins)
        origins = "*" if "*" in cors_origins else " ".join(("'self'", *cors_origins))
        self._policy = policy({"frame-ancestors": origins})

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/oembed", self.describe, include_in_schema=False, response_class=Response)
        app.add_api_route(
            "/activities/{activity_id}/embed", self.frame, include_in_schema=False, response_class=HTMLResponse
        )

    def describe(self, request: Request) -> Response:
        """Return the description of an item's page."""
        values = given(request.scope["query_string"], _PARAMETERS, strict=False)
        written = values.get("format", ["json"])[0]
        if written not in {"json", "xml"}:
            raise UnsupportedFormatError(f"The format is {written[:40]!r}, but it must be json or xml.")
        width = whole_number("maxwidth", values, default=_WIDTH, least=_LEAST, most=_MOST)
        height = whole_number("maxheight", values, default=_HEIGHT, least=_LEAST, most=_MOST)
        base = self._pages.base(request)
        home, item_id = self._place(values.get("url", [""])[0], base)
        item = shown(self._store, item_id)
        described = self._described(item, home, min(width, _WIDTH), min(height, _HEIGHT))
        if written == "xml":
            return answer(request, _xml(described), "text/xml; charset=utf-8")
        return answer(request, encode(described), JSON)

    def frame(self, request: Request, activity_id: str) -> Response:
        """Return one item as a page for a frame."""
        item = shown(self._store, activity_id)
        values: dict[str, Any] = {
            "items": [item],
            "others": {},
            "threads": {},
            "linked_only": lambda network: not self._terms.allow_network(network),
            "title": self._title(item),
        }
        made = answer(request, self._pages.render("embed_item.html", values), HTML)
        made.headers["Content-Security-Policy"] = self._policy
        return made

    def _title(self, item: "Activity") -> str:
        if not self._terms.allow_all(item):
            return label(item.content)
        return title_of(item.object.content if item.object and not item.content.title else item.content)

    def _place(self, address: str, base: str) -> tuple[str, str]:
        """Return the URL below which an item's page is, with its language, and the item's id; raises as `_item`."""
        tag, item_id = _item(address, base)
        language = self._languages.several.get(tag)
        if tag and language is None:
            raise NotFoundError("url is not the address of an item's page here.")
        return base + (language.path if language else ""), item_id

    def _described(self, item: "Activity", base: str, width: int, height: int) -> dict[str, Any]:
        name = spoken_portal(self._configuration).title
        described = {
            "version": "1.0",
            "provider_name": name,
            "provider_url": f"{base}/",
            "cache_age": _CACHE_AGE,
        }
        content, title = item.content, self._title(item)
        described |= {"type": "link", "title": title}
        if not self._terms.allow_all(item):
            return described
        if content.actor:
            described |= {"author_name": content.actor.name}
            described |= {"author_url": content.actor.url} if content.actor.url else {}
        if not self._can_frame:
            return described
        frame = (
            f'<iframe src="{escape(base)}/activities/{item.id}/embed" width="{width}" height="{height}" '
            f'title="{escape(title)}" loading="lazy" sandbox="allow-popups allow-top-navigation-by-user-activation">'
            "</iframe>"
        )
        return {**described, "type": "rich", "html": frame, "width": width, "height": height}


def _item(address: str, base: str) -> tuple[str, str]:
    """Return the language of an address of an item's page, and the item's id.

    Raises:
        BadRequestError: no address is given.
        NotFoundError: it is no page of an item here.
    """
    if not address:
        raise BadRequestError("url is missing: give the address of an item's page.")
    try:
        asked_for, ours = urlsplit(address[:_LONGEST_ADDRESS]), urlsplit(base)
    except ValueError:
        raise BadRequestError("url is no web address.") from None
    match = re.fullmatch(re.escape(ours.path) + r"(?:/([a-z]{2}))?/activities/([0-9]{1,19})/?", asked_for.path)
    if asked_for.netloc.lower() != ours.netloc.lower() or asked_for.scheme not in {"http", "https"} or match is None:
        raise NotFoundError("url is not the address of an item's page here.")
    return match[1] or "", match[2]


def _xml(values: "Mapping[str, Any]") -> bytes:
    root = root_of("oembed")
    for name, value in values.items():
        add(root, name, str(value))
    return document(root)
