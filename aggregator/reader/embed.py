"""Serve the embed: the stream in other sites, as a custom element or iframe.

Items are rendered here, so that they follow the terms of their networks. Posts of a network whose terms forbid embeds
are links.
"""

# Annotations are evaluated: FastAPI reads them when the routes are added.
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aggregator.domain.errors import BadRequestError
from aggregator.domain.networks import network_of
from aggregator.reader.errors import PROBLEMS
from aggregator.reader.known_filters import refuse_unknown
from aggregator.reader.query_params import (
    COLLAPSE,
    FILTERS,
    LIMIT,
    Parameter,
    given,
    one_of,
    query_of,
    query_string,
)
from aggregator.web.cache_control import ALWAYS_ASK, EMBED_FILE, FRESH, NO_STORE
from aggregator.web.problems import KINDS
from aggregator.web.responses import HTML, answer
from aggregator.web.security import policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.config.portal_folder import Configuration
    from aggregator.reader.rate_limits import Admission
    from aggregator.web.pages import Pages
    from storage.store import Store

THEMES = ("auto", "light", "dark")
_FILES = ("embed.js", "embed.css")
_LONGEST_HEADING = 100
_FEW = 5
MOST_ITEMS = 50

THEME = Parameter("theme", "Colours.", {"type": "string", "enum": list(THEMES), "default": "auto"}, "dark")
HEADING = Parameter("heading", "A heading above it.", {"type": "string", "maxLength": _LONGEST_HEADING}, "Latest")
REFRESH = Parameter("refresh", "Whether the list follows changes of the stream.", {"enum": ["yes", "no"]}, "no")
LINKS = Parameter(
    "links",
    "Absolute links, for pages of other sites that include the list on their server.",
    {"enum": ["absolute"]},
    None,
)
ITEMS: "Sequence[Parameter]" = (LIMIT, *FILTERS, COLLAPSE)
FRAME: "Sequence[Parameter]" = (*ITEMS, THEME, HEADING, REFRESH)
_OWN_PATH = re.compile(rb'( (?:href|src)=")/(?!/)')


class EmbedRoutes:
    """The embed routes of one store."""

    def __init__(
        self,
        store: "Store",
        pages: "Pages",
        admission: "Admission",
        configuration: "Configuration",
        cors_origins: "Sequence[str]",
        *,
        embeddable: frozenset[str],
    ) -> None:
        self._store = store
        self._admission = admission
        self._pages = pages
        self._configuration = configuration
        self._consents = embeddable  # networks that agreed
        framing = " ".join(("'self'", *cors_origins)) if cors_origins else "'self'"
        self._policy = policy({"frame-ancestors": "*" if "*" in cors_origins else framing})

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        for name in _FILES:
            app.router.add_route(f"/{name}", self._file(name), include_in_schema=False)
        app.add_api_route("/embed/items", self.items, include_in_schema=False, response_class=HTMLResponse)
        app.add_api_route("/embed", self.frame, include_in_schema=False, response_class=HTMLResponse)

    def _file(self, name: str) -> Any:  # noqa: ANN401 - an endpoint
        asset = self._pages.assets[name]

        async def file(request: Request) -> Response:
            made = answer(request, asset.content, asset.media_type, cache=EMBED_FILE)
            made.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            made.headers["Access-Control-Allow-Origin"] = "*"  # contains nothing private
            return made

        return file

    def items(self, request: Request) -> Response:
        """Return the list for the custom element, or for pages that include it on their server."""
        values = given(request.scope["query_string"], (*ITEMS, LINKS))
        is_included = "links" in values and one_of("links", values.pop("links")[0], ("absolute",)) == "absolute"
        shown, counted = self._shown(request, values)
        body = self._pages.render("embed_items.html", shown)
        if is_included:
            origin = _origin(self._pages.base(request))
            body = _OWN_PATH.sub(lambda found: found[1] + origin + b"/", body)
        # The element must see the newest items; a server that includes the list may keep it while removals allow.
        made = answer(request, body, HTML, cache=FRESH if is_included else ALWAYS_ASK)
        made.headers.update(counted)
        return made

    def frame(self, request: Request) -> Response:
        """Return the page for an iframe; a mistake in its address is named within the frame."""
        try:
            made = self._frame(request)
        except BadRequestError as problem:
            if _status(problem) != HTTPStatus.BAD_REQUEST:
                raise
            body = self._pages.render("embed_problem.html", {"message": str(problem), "code": problem.code})
            made = Response(body, HTTPStatus.BAD_REQUEST, {"Cache-Control": NO_STORE}, HTML)
        made.headers["Content-Security-Policy"] = self._policy
        return made

    def _frame(self, request: Request) -> Response:
        values = given(request.scope["query_string"], FRAME)
        theme = values.get("theme", ["auto"])[0]
        if theme not in THEMES:
            raise BadRequestError(f"theme is {theme[:40]!r}, but it must be one of: {', '.join(THEMES)}.")
        look = {"theme": theme, "heading": values.get("heading", [""])[0][:_LONGEST_HEADING]}
        refresh = values.get("refresh", ["yes"])[0] != "no"
        filters = {name: value for name, value in values.items() if name not in {"theme", "heading", "refresh"}}
        shown, counted = self._shown(request, filters)
        body = self._pages.render("embed.html", {**shown, **look, "refresh": refresh})
        made = answer(request, body, HTML, cache=ALWAYS_ASK)
        made.headers.update(counted)
        return made

    def _linked_only(self, network: str) -> bool:
        return network not in self._consents and not network_of(network).terms.embeddable

    def _shown(self, request: Request, values: "Mapping[str, list[str]]") -> tuple[dict[str, Any], dict[str, str]]:
        """Return the template's values and the rate limit headers."""
        few = {"limit": [str(_FEW)], **values}
        query = query_of(few, self._configuration.vocabulary.cohorts)
        counted = self._admission.admit(request, values, by_token=False).headers
        with self._store.reading() as tx:
            refuse_unknown(query, tx, self._configuration.vocabulary)
            found = tx.stream.activities.page(query)
            threads = tx.stream.activities.thread_sizes(found.items)
        live = {name: listed for name, listed in values.items() if name not in {"limit", "collapse"}}
        return {
            "items": found.items,
            "others": found.others,
            "threads": threads,
            "more": "/" + query_string(values, limit=None),
            "items_address": "/embed/items" + query_string(values),
            "live": "/api/v1/live" + query_string(live),
            "linked_only": self._linked_only,
        }, counted


def _origin(base: str) -> bytes:
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}".encode()


def _status(problem: BadRequestError) -> HTTPStatus:
    return {**KINDS, **PROBLEMS}[problem.code].status
