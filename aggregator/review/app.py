"""Assemble the desk's ASGI app: routes of all sections, authentication and the shared middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from aggregator.review.auth import Gate
from aggregator.review.context import HOME, DeskContext
from aggregator.review.entrance import Entrance, SignInOptions, Work
from aggregator.review.errors import PROBLEMS
from aggregator.review.form import BadFormError, Form, fields_in
from aggregator.review.guard import Guard
from aggregator.review.multipart import MEDIA_TYPE, read_multipart
from aggregator.web.app import framed
from aggregator.web.cache_control import NO_STORE
from aggregator.web.database_threads import DatabaseThreads
from aggregator.web.dates import Dates
from aggregator.web.pages import Pages
from aggregator.web.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aggregator.config.settings import Network
    from aggregator.domain.clock import Clock
    from aggregator.domain.secrets import Secret
    from aggregator.review.context import DeskRoute, Section
    from aggregator.web.database_threads import Probe
    from aggregator.web.picture_cache import PictureCache
    from storage.store import Store

_LARGEST_FORM = 256 * 1024  # bytes
LARGEST_UPLOAD = 3 * 1024 * 1024  # bytes of a form with a file, or with its text after a preview
_MOST_FIELDS = 3000
_THREADS = 16  # dedicated threads: public requests can't block staff
_SIGNING_IN = 2  # threads for password hashing, so that guesses don't block signed-in users
_AT_PROVIDER = 4  # threads for sign-ins at the provider, which may be slow
_LONGEST = 60.0  # seconds: adding a source includes a fetch
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}


class DeskHeaders:
    """Adds headers that forbid framing and caching; static files may be cached.

    Pages may frame the origins in `frames`.
    """

    def __init__(self, app: ASGIApp, frames: Sequence[str] = ()) -> None:
        self._app = app
        framing = f"; frame-src {' '.join(frames)}" if frames else ""
        self._headers = {**_HEADERS, "Content-Security-Policy": _HEADERS["Content-Security-Policy"] + framing}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the response headers."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if f"{HOME}/static/" not in scope["path"]:
                    headers["Cache-Control"] = NO_STORE
                    if "etag" in headers:
                        del headers["etag"]
            await send(message)

        await self._app(scope, receive, complete if scope["type"] == "http" else send)


def create_desk(
    store: Store,
    *,
    clock: Clock,
    public_url: str | None,
    timezone: ZoneInfo,
    locale: str,
    trusted_proxies: Sequence[Network],
    keys: Callable[[], tuple[Secret, ...]],
    sections: Callable[[DeskContext], Iterable[Section]],
    pictures: PictureCache,
    probe: Probe | None = None,
    sign_in: SignInOptions = SignInOptions(),  # noqa: B008  # it can't change
) -> FastAPI:
    """Return the ASGI app, which serves paths below `HOME`.

    The first of `keys` signs form tokens. Cookies are `Secure` if the public URL is https. `pictures` is the reader's
    cache. `probe` reports whether the database answers, so that requests can fail fast.
    """
    parts = urlsplit(public_url or "")
    dates, of_desk = Dates.of(timezone, locale), ["aggregator.review"]
    pages = Pages(of_desk, dates=dates, public_url=public_url, prefix=parts.path, home=HOME, ids_only=store.ids_only)
    problems = Problems(pages, PROBLEMS, api_prefix=f"{HOME}/api/")
    secure = parts.scheme == "https"
    hosts = frozenset(filter(None, (parts.netloc,)))
    gate = Gate(store, keys, secure=secure, hosts=hosts, local=sign_in.local, sign_on=sign_in.sign_on)
    desk = DeskContext(store, clock, pages, secure, pictures)
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    framed(
        app,
        pages=pages,
        problems=problems,
        trusted_proxies=trusted_proxies,
        prefix=parts.path,
        within=[Middleware(DeskHeaders, frames=pages.frames)],
    )
    _add_routes(app, desk, gate, Entrance(desk, gate, sign_in, keys, public_url), sections(desk), probe)
    return app


def _add_routes(
    app: FastAPI,
    desk: DeskContext,
    gate: Gate,
    entrance: Entrance,
    sections: Iterable[Section],
    probe: Probe | None,
) -> None:
    """Add the routes, and the role that each change needs, by path, as `app.state.roles`."""
    threads = DatabaseThreads(probe, most=_THREADS, longest=_LONGEST)
    counts = {Work.HASHING: _SIGNING_IN, Work.PROVIDER: _AT_PROVIDER}
    others = {work: DatabaseThreads(probe, most=most, longest=_LONGEST) for work, most in counts.items()}
    for found in entrance.open_routes():
        endpoint = _open(others.get(found.work, threads), found.handle)
        app.router.routes.append(Route(found.path, endpoint, methods=[found.method]))
    guard = Guard(desk, gate, entrance.confirmation)
    app.state.roles = {}
    for section in (*entrance.sections(), *sections):
        for route in section.routes():
            if route.method == "POST":
                app.state.roles[HOME + route.path] = route.role
            added = Route(HOME + route.path, _guarded(guard, threads, route), methods=[route.method])
            guard.add(route, added)
            app.router.routes.append(added)


def _open(
    threads: DatabaseThreads, handle: Callable[[Request, Form], Response]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that needs no session."""

    async def endpoint(request: Request) -> Response:
        form = await _form(request)
        return await threads.run(handle, request, form)

    return endpoint


def _guarded(guard: Guard, threads: DatabaseThreads, route: DeskRoute) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that checks the session and role and, for changes, the form token."""

    async def endpoint(request: Request) -> Response:
        form = await _form(request, uploads=route.uploads)
        response = await threads.run(guard.enter, route, request, form)
        return response if isinstance(response, Response) else await response

    return endpoint


async def _form(request: Request, *, uploads: bool = False) -> Form:
    """Read a URL-encoded form, or one with files where uploads are allowed.

    Raises:
        BadFormError: it has another type, is too large, or is not UTF-8.
    """
    if request.method != "POST":
        return Form({})
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    with_file = kind == MEDIA_TYPE and uploads
    if kind != "application/x-www-form-urlencoded" and not with_file:
        raise BadFormError("The form must be application/x-www-form-urlencoded.")
    largest = LARGEST_UPLOAD if with_file else _LARGEST_FORM
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            raise BadFormError(f"The form is larger than {largest // 1024} KB.")
    if with_file:
        return read_multipart(request.headers["content-type"], bytes(body))
    return Form(fields_in(bytes(body).decode("ascii", "replace")))
