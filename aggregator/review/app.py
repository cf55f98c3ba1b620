"""Assemble the desk's ASGI app: routes of all sections, authentication and the shared middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from aggregator.domain.access.accounts import Role
from aggregator.review.auth import Gate
from aggregator.review.context import HOME, DeskContext, DeskRequest
from aggregator.review.errors import PROBLEMS, RoleNeededError, SignInNeededError
from aggregator.review.form import BadFormError, Form
from aggregator.review.multipart import MEDIA_TYPE, read_multipart
from aggregator.review.sign_in import SignInPages
from aggregator.web.app import framed
from aggregator.web.cache_control import NO_STORE
from aggregator.web.database_threads import DatabaseThreads
from aggregator.web.dates import Dates
from aggregator.web.pages import Pages
from aggregator.web.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
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
) -> FastAPI:
    """Return the ASGI app, which serves paths below `HOME`.

    The first of `keys` signs form tokens. Cookies are `Secure` if the public URL is https. `pictures` is the reader's
    cache. `probe` reports whether the database answers, so that requests can fail fast.
    """
    parts = urlsplit(public_url or "")
    pages = Pages(
        ["aggregator.review"],
        dates=Dates.of(timezone, locale),
        public_url=public_url,
        prefix=parts.path,
        home=HOME,
        ids_only=store.ids_only,
    )
    problems = Problems(pages, PROBLEMS, api_prefix=f"{HOME}/api/")
    secure = parts.scheme == "https"
    gate = Gate(store, keys, secure=secure, hosts=frozenset(filter(None, (parts.netloc,))))
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
    _add_routes(app, desk, gate, sections(desk), probe)
    return app


def _add_routes(app: FastAPI, desk: DeskContext, gate: Gate, sections: Iterable[Section], probe: Probe | None) -> None:
    """Add the routes, and the role that each change needs, by path, as `app.state.roles`."""
    threads = DatabaseThreads(probe, most=_THREADS, longest=_LONGEST)
    hashing = DatabaseThreads(probe, most=_SIGNING_IN, longest=_LONGEST)
    entrance = SignInPages(desk, gate)
    app.router.routes.append(Route(f"{HOME}/sign-in", _open(threads, entrance.show), methods=["GET"]))
    app.router.routes.append(Route(f"{HOME}/sign-in", _open(hashing, entrance.sign_in), methods=["POST"]))
    app.state.roles = {}
    for section in (entrance, *sections):
        for route in section.routes():
            endpoint = _guarded(desk, gate, threads, route)
            if route.method == "POST":
                app.state.roles[HOME + route.path] = route.role
            app.router.routes.append(Route(HOME + route.path, endpoint, methods=[route.method]))


def _open(
    threads: DatabaseThreads, handle: Callable[[Request, Form], Response]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that needs no session."""

    async def endpoint(request: Request) -> Response:
        form = await _form(request)
        return await threads.run(handle, request, form)

    return endpoint


def _guarded(
    desk: DeskContext, gate: Gate, threads: DatabaseThreads, route: DeskRoute
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that checks the session and role and, for changes, the form token."""

    async def endpoint(request: Request) -> Response:
        form = await _form(request, uploads=route.uploads)
        response = await threads.run(_enter, desk, gate, route, request, form)
        return response if isinstance(response, Response) else await response

    return endpoint


def _enter(
    desk: DeskContext, gate: Gate, route: DeskRoute, request: Request, form: Form
) -> Response | Awaitable[Response]:
    now = desk.clock()
    changes = route.method != "GET"
    present = gate.present(request, now)
    if present is None:
        if changes or request.headers.get("x-desk"):
            raise SignInNeededError(
                "You are signed out, so nothing was changed. Sign in in another tab, come back and try again."
            )
        return _to_sign_in(desk, request)
    if changes:
        gate.check(request, present.session, form.text("csrf", most=200))
    if not present.account.role.may(route.role):
        raise RoleNeededError(_role_needed(route.role, present.account.role))
    query = Form(_fields(request.url.query))
    return route.handle(
        DeskRequest(request, present.account, gate.token(present.session), query, form, now, present.session)
    )


def _to_sign_in(desk: DeskContext, request: Request) -> Response:
    path = request.url.path
    here = path[path.index(HOME) :] if HOME in path else HOME
    target = here + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(desk.pages.link(f"{HOME}/sign-in?next={quote(target, safe='/')}"), status_code=303)


def _role_needed(needed: Role, current: Role) -> str:
    return f"This needs the role {needed}; yours is {current}. An admin can change it."


def _article(role: Role) -> str:
    return f"an {role}" if role in {Role.EDITOR, Role.ADMIN} else f"a {role}"


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
    return Form(_fields(bytes(body).decode("ascii", "replace")))


def _fields(encoded: str) -> Mapping[str, Sequence[str]]:
    try:
        return parse_qs(encoded, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise BadFormError(f"The form must be UTF-8 with at most {_MOST_FIELDS} fields.") from None
