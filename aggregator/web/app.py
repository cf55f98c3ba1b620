"""Assemble web apps: middleware around the routes, problem details and static files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

from aggregator.domain.errors import NotFoundError
from aggregator.web.cache_control import ALWAYS_ASK, IMMUTABLE
from aggregator.web.problems import LastResort
from aggregator.web.proxies import Forwarded, UnambiguousHost
from aggregator.web.responses import answer
from aggregator.web.security import SecurityHeaders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aggregator.config.settings import Network
    from aggregator.web.pages import Pages
    from aggregator.web.problems import Problems

for _type in ("application/activity+json", "application/feed+json", "application/problem+json"):
    add_compress_type(_type)
remove_compress_type("text/event-stream")  # a compressor per listener costs more than the bytes it saves

# Request headers that CORS allows and response headers that it exposes, besides the safelisted ones.
_ASKED_WITH = ("Authorization", "If-None-Match", "Last-Event-ID")
_TOLD = ("Cache-Status", "ETag", "Last-Modified", "Link", "RateLimit", "RateLimit-Policy", "Retry-After")


def framed(
    app: FastAPI,
    *,
    pages: Pages,
    problems: Problems,
    trusted_proxies: Sequence[Network],
    prefix: str,
    within: Sequence[Middleware] = (),
    cors_origins: Sequence[str] = (),
) -> None:
    """Add middleware to an app that has no routes yet.

    From outside in: CORS (if `cors_origins` is set), proxy headers (`Forwarded`), the middleware in `within`, response
    headers, HEAD, compression, the last resort (so that even internal errors get all headers), and the host check.
    """
    app.add_middleware(UnambiguousHost, refuse=lambda request, detail: problems.respond(request, "bad-request", detail))
    app.add_middleware(LastResort, problems=problems)
    app.add_middleware(CompressMiddleware)
    app.add_middleware(HeadAsGet)
    app.add_middleware(SecurityHeaders, frames=pages.frames)
    for layer in reversed(within):
        app.add_middleware(layer.cls, *layer.args, **layer.kwargs)
    app.add_middleware(Forwarded, trusted=trusted_proxies, prefix=prefix)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=("GET", "HEAD", "OPTIONS"),
            allow_headers=_ASKED_WITH,
            expose_headers=_TOLD,
        )
    problems.install(app)
    app.router.routes.append(_static_files(pages))


def _static_files(pages: Pages) -> Route:
    async def static(request: Request) -> Response:
        asset = pages.assets.get(request.path_params["name"])
        if asset is None:
            raise NotFoundError(f"There is no file {request.path_params['name']!r} here.")
        # During a rollout a page of another release may request its own version: serve the current file, uncached.
        known = request.path_params["version"] == asset.version
        return answer(request, asset.content, asset.media_type, cache=IMMUTABLE if known else ALWAYS_ASK)

    return Route(pages.home + "/static/{version}/{name}", static, methods=["GET"])


class Mounted:
    """Dispatches requests to two apps: those at or below a path to one, all others to the other."""

    def __init__(self, app: ASGIApp, path: str, below: ASGIApp, *, prefix: str) -> None:
        self._app = app
        self._below = below
        # Proxies may strip the prefix of the public URL or keep it.
        self._paths = tuple(start + end for start in dict.fromkeys((path, prefix + path)) for end in ("", "/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to its app; lifespan events go to the first."""
        path = scope.get("path", "")
        is_below = path.startswith(self._paths) and (path in self._paths or path.startswith(self._paths[1::2]))
        await (self._below if is_below else self._app)(scope, receive, send)


class HeadAsGet:
    """Answers HEAD like GET: the same headers without a body, and without waiting for an endless one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass HEAD on as GET and drop the body."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        is_answered = asyncio.Event()

        async def without_body(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
            elif not is_answered.is_set():
                is_answered.set()
                await send({"type": "http.response.body", "body": b""})

        async def until_answered() -> Message:
            """Return a `receive` that yields the request, then a disconnect once the headers are sent."""
            if is_answered.is_set():
                return {"type": "http.disconnect"}
            coming, answered = asyncio.ensure_future(receive()), asyncio.ensure_future(is_answered.wait())
            await asyncio.wait((coming, answered), return_when=asyncio.FIRST_COMPLETED)
            answered.cancel()
            if coming.done():
                return coming.result()
            coming.cancel()
            return {"type": "http.disconnect"}

        await self._app({**scope, "method": "GET"}, until_answered, without_body)
