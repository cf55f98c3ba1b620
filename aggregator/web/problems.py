"""Return errors as RFC 9457 problem details, or as a page for browsers."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import structlog
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from aggregator.domain.errors import AggregatorError
from aggregator.web.cache_control import NO_STORE
from aggregator.web.responses import HTML

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aggregator.web.pages import Pages

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER = 10  # seconds

_log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """What went wrong, for programs and for people (RFC 9457)."""

    type: Annotated[str, Field(description="Address of the documentation of this code", examples=["/docs#bad-limit"])]
    title: Annotated[str, Field(description="The kind of problem, the same at every time", examples=["Bad limit"])]
    status: Annotated[int, Field(description="The HTTP status, again", ge=400, le=599, examples=[400])]
    detail: Annotated[
        str,
        Field(
            description="A sentence on what went wrong this time and what to do",
            examples=["limit is '500', but it must be a whole number from 1 to 100."],
        ),
    ]
    code: Annotated[str, Field(description="Stable, for programs to act upon", examples=["bad-limit"])]
    instance: Annotated[str, Field(description="The path that was asked for", examples=["/api/v1/activities"])]


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """The status, title and description that all problems of a code share."""

    status: HTTPStatus
    title: str
    meaning: str


KINDS: Mapping[str, ProblemKind] = {
    "bad-request": ProblemKind(HTTPStatus.BAD_REQUEST, "Bad request", "The request is invalid."),
    "not-found": ProblemKind(HTTPStatus.NOT_FOUND, "Not found", "No page at this address."),
    "method-not-allowed": ProblemKind(
        HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", "This address does not support the method; see Allow."
    ),
    "internal-error": ProblemKind(
        HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error", "The error has been logged. Try again later."
    ),
    "store-unavailable": ProblemKind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Database unavailable",
        "The database is unavailable. Try again after Retry-After.",
    ),
    "schema": ProblemKind(
        HTTPStatus.SERVICE_UNAVAILABLE, "Database schema out of date", "The database needs a migration."
    ),
    "setup": ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, "Not set up", "The installation is not set up."),
}


class Problems:
    """Converts exceptions to responses; a code that isn't in `kinds` is an internal error."""

    def __init__(self, pages: Pages, kinds: Mapping[str, ProblemKind], *, api_prefix: str) -> None:
        self.kinds: Mapping[str, ProblemKind] = {**KINDS, **kinds}
        self._pages = pages
        self._api_prefix = api_prefix

    def install(self, app: FastAPI) -> None:
        """Register the handlers for expected errors; `LastResort` handles the rest."""
        app.add_exception_handler(HTTPException, self._of_routing)
        app.add_exception_handler(AggregatorError, self._of_ours)

    def respond(self, request: Request, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
        """Return a problem as JSON, or as a page if a browser asked for one."""
        kind = self.kinds[code]
        problem = Problem(
            type=self._pages.link(f"/docs#{code}"),
            title=kind.title,
            status=kind.status,
            detail=detail,
            code=code,
            instance=request.url.path,
        )
        vary = ", ".join(filter(None, ((headers or {}).get("Vary"), "Accept")))
        headers = {**(headers or {}), "Cache-Control": NO_STORE, "Vary": vary}
        if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(_RETRY_AFTER)
        if self._wants_page(request):
            body, media_type = self._pages.render("problem.html", {"problem": problem}), HTML
        else:
            body, media_type = problem.model_dump_json().encode(), MEDIA_TYPE
        return Response(body, kind.status, headers, media_type)

    def _wants_page(self, request: Request) -> bool:
        return not request.url.path.startswith(self._api_prefix) and "text/html" in request.headers.get("accept", "")

    async def _of_ours(self, request: Request, error: Exception) -> Response:
        code = getattr(error, "code", "")
        if code not in self.kinds:  # not caused by a request, so it must be fixed and is logged as an internal error
            raise error
        if self.kinds[code].status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.respond(request, code, str(error), getattr(error, "headers", None))
        # The message names internal hosts and files: it is logged, but not returned.
        _log.warning("request failed", path=request.url.path, code=code, error=str(error))
        return self.respond(request, code, self.kinds[code].meaning)

    async def _of_routing(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.BAD_REQUEST
        path = request.url.path
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            detail = f"{request.method} is not supported on {path}; use GET or HEAD."
            return self.respond(request, "method-not-allowed", detail, {"Allow": "GET, HEAD"})
        if status == HTTPStatus.NOT_FOUND:
            hint = "Check the address." if self._wants_page(request) else f"See {self._pages.link('/docs')}."
            return self.respond(request, "not-found", f"No page at {path}. {hint}")
        detail = getattr(error, "detail", "The request is invalid.")
        return self.respond(request, "bad-request", detail)


class LastResort:
    """Returns a problem for unexpected errors, inside the middleware that completes headers."""

    def __init__(self, app: ASGIApp, problems: Problems) -> None:
        self._app = app
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; log unexpected errors and return a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            if started:
                raise  # the response has started; the server closes the connection
            from starlette.requests import Request

            request = Request(scope)
            _log.exception("request failed", path=request.url.path, method=request.method)
            detail = "An internal error occurred. It has been logged. Try again later."
            await self._problems.respond(request, "internal-error", detail)(scope, receive, send)
