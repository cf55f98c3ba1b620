"""Let only requests pass that have a session, the needed role and a form token, and users who confirmed themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route

from aggregator.domain.errors import NotFoundError
from aggregator.review.context import HOME, DeskRequest
from aggregator.review.errors import RoleNeededError, SignInNeededError
from aggregator.review.form import Form, fields_in

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aggregator.domain.access.accounts import Role
    from aggregator.review.auth import Gate
    from aggregator.review.confirmation import ConfirmationPages, Pending
    from aggregator.review.context import DeskContext, DeskRoute


class Guard:
    """Checks requests, and passes them on to the handlers of their routes."""

    def __init__(self, desk: DeskContext, gate: Gate, confirmation: ConfirmationPages) -> None:
        self._desk = desk
        self._gate = gate
        self._confirmation = confirmation
        self._changes: list[tuple[Route, DeskRoute]] = []
        confirmation.perform = self._perform

    def add(self, route: DeskRoute, endpoint: Route) -> None:
        """Remember a route, so that a request that waits for a confirmation can be passed on later."""
        if route.method == "POST":
            self._changes.append((endpoint, route))

    def enter(self, route: DeskRoute, request: Request, form: Form) -> Response | Awaitable[Response]:
        """Check a request and pass it on.

        Raises:
            SignInNeededError, RoleNeededError, ForeignFormError: it is refused.
        """
        now = self._desk.clock()
        changes = route.method != "GET"
        present = self._gate.present(request, now)
        if present is None:
            if changes or request.headers.get("x-desk"):
                raise SignInNeededError(
                    "You are signed out, so nothing was changed. Sign in in another tab, come back and try again."
                )
            return self._to_sign_in(request)
        if changes:
            self._gate.check(request, present.session, form.text("csrf", most=200))
        _check_role(route, present.account.role)
        entered = DeskRequest(
            request,
            present.account,
            self._gate.token(present.session),
            Form(fields_in(request.url.query)),
            form,
            now,
            present.session,
            is_confirmed=present.is_confirmed(now),
        )
        if route.confirm and not entered.is_confirmed:
            return self._confirmation.ask(entered, route)
        return route.handle(entered)

    def _perform(self, request: DeskRequest, pending: Pending) -> Response:
        """Pass a request on that waited for a confirmation."""
        query_string = pending.query.encode("ascii", "replace")
        scope = {**request.http.scope, "root_path": "", "path": pending.path, "query_string": query_string}
        for endpoint, route in self._changes:
            match, found = endpoint.matches({**scope, "method": "POST"})
            if match is Match.FULL:
                _check_role(route, request.account.role)
                http = Request({**scope, **found})
                query, form = Form(fields_in(pending.query)), Form(fields_in(pending.fields))
                # Only pictures are awaited, which change nothing.
                return cast("Response", route.handle(request.as_request(http, query, form)))
        raise NotFoundError("The page that you came from is gone.")

    def _to_sign_in(self, request: Request) -> Response:
        path = request.url.path
        here = path[path.index(HOME) :] if HOME in path else HOME
        target = here + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(
            self._desk.pages.link(f"{HOME}/sign-in?next={quote(target, safe='/')}"), status_code=303
        )


def _check_role(route: DeskRoute, role: Role) -> None:
    if not role.may(route.role):
        raise RoleNeededError(f"This needs the role {route.role}; yours is {role}. An admin can change it.")
