"""Have users prove again who they are before they change accounts, without losing what they entered."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import RedirectResponse, Response

from aggregator.config import passwords
from aggregator.config.credential_encryption import HeaderCipher
from aggregator.domain.access.accounts import Role
from aggregator.domain.access.recovery_codes import LONGEST
from aggregator.domain.errors import SignInError
from aggregator.review.attempts import client_of
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.errors import ConflictError, TooManyTriesError
from aggregator.review.passkey_ceremonies import PasskeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aggregator.domain.access.accounts import Account
    from aggregator.domain.secrets import Secret
    from aggregator.review.auth import Gate
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.passkeys import PasskeyChecks
    from aggregator.review.sign_on import SignOn

PAGE = f"{HOME}/confirm"
_PLACE = "pending form"  # to which the encrypted form is bound
_LASTS = timedelta(minutes=15)
_LARGEST = 64 * 1024  # characters of a form that is kept


class Pending(NamedTuple):
    """A request that waits for a confirmation."""

    method: str
    path: str  # from HOME on
    query: str
    fields: str  # of its form, URL-encoded

    @property
    def address(self) -> str:
        """The path with the query."""
        return self.path + (f"?{self.query}" if self.query else "")


class ConfirmationPages:
    """The page on which users confirm who they are.

    Args:
        desk: what the desk's sections share.
        gate: the sessions.
        keys: the keys that encrypt forms that wait.
        checks: checks passkeys; None: there are none.
        sign_on: the sign-on provider, if there is one.
    """

    def __init__(
        self,
        desk: DeskContext,
        gate: Gate,
        keys: Callable[[], tuple[Secret, ...]],
        checks: PasskeyChecks | None,
        sign_on: SignOn | None,
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._keys = keys
        self._checks = checks
        self._sign_on = sign_on
        self.perform: Callable[[DeskRequest, Pending], Response] | None = None  # set by the app, which knows all routes

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/confirm", Role.VIEWER, self.page)
        yield DeskRoute("POST", "/confirm", Role.VIEWER, self.by_password)
        yield DeskRoute("POST", "/confirm/continue", Role.VIEWER, self.resume)
        if self._checks is not None:
            yield DeskRoute("GET", "/confirm/passkey", Role.VIEWER, self._checks.confirm_options)
            yield DeskRoute("POST", "/confirm/passkey", Role.VIEWER, self.by_passkey)

    def ask(self, request: DeskRequest, route: DeskRoute) -> Response:
        """Keep a request, and show the page."""
        url = request.http.url
        path = url.path[url.path.index(HOME) :]  # without the prefix of the public address
        fields = request.form.encoded() if route.method == "POST" else ""
        if len(fields) > _LARGEST:
            raise ConflictError("Confirm your sign-in first: this form is too large to be kept meanwhile.")
        until = (request.now + _LASTS).isoformat()
        pending = {"method": route.method, "path": path, "query": url.query, "fields": fields, "until": until}
        sealed = HeaderCipher(*self._keys()).close(_PLACE, pending)
        with self._desk.store.writing(lock_stream=False) as tx:
            self._gate.set_pending(tx, request.session, sealed)
        return RedirectResponse(self._desk.pages.link(PAGE), status_code=303)

    def page(self, request: DeskRequest) -> Response:
        """Show the ways to confirm; after a confirmation, the way back to what waits."""
        pending = self._pending(request)
        if request.is_confirmed and (pending is None or pending.method == "GET"):
            return self.resume(request)
        return self._page(request)

    def by_password(self, request: DeskRequest) -> Response:
        """Confirm by the password, and a code if the user has an authenticator app."""
        password, code = request.form.raw("password", most=passwords.LONGEST), request.form.text("code", most=LONGEST)
        address = client_of(request.http)
        if self._needs_passkey(request.account):
            return self._page(request, "Your password alone is not enough. Use a passkey.", 422)
        try:
            problem = self._gate.confirmation_problem(request.account, password, code, address, request.now)
        except TooManyTriesError as pause:
            answer = self._page(request, str(pause), 429)
            answer.headers.update(pause.headers)
            return answer
        if problem:
            return self._page(request, problem, 422)
        return self._confirmed(request)

    def by_passkey(self, request: DeskRequest) -> Response:
        """Confirm by a passkey."""
        if self._checks is None:
            raise ConflictError("There are no passkeys here.")
        try:
            self._checks.check_confirmation(request)
        except PasskeyError as problem:
            return self._page(request, str(problem), 422)
        return self._confirmed(request)

    def resume(self, request: DeskRequest) -> Response:
        """Do what waited for the confirmation, once."""
        if not request.is_confirmed:
            return RedirectResponse(self._desk.pages.link(PAGE), status_code=303)
        with self._desk.store.writing() as tx:  # one at a time, so that it is sent once
            pending = self._opened(self._gate.pending(tx, request.session), request)
            self._gate.set_pending(tx, request.session, None)
        if pending is None or self.perform is None:
            return RedirectResponse(self._desk.pages.link(f"{HOME}/account"), status_code=303)
        if pending.method == "GET":
            return RedirectResponse(self._desk.pages.link(pending.address), status_code=303)
        return self.perform(request, pending)

    def _confirmed(self, request: DeskRequest) -> Response:
        with self._desk.store.writing() as tx:
            self._gate.confirm(tx, request.session, request.now)
        return self.resume(request.confirmed())

    def _pending(self, request: DeskRequest) -> Pending | None:
        with self._desk.store.reading() as tx:
            return self._opened(self._gate.pending(tx, request.session), request)

    def _opened(self, sealed: str | None, request: DeskRequest) -> Pending | None:
        try:
            found = {} if sealed is None else HeaderCipher(*self._keys()).open(_PLACE, sealed)
        except SignInError:  # the key has changed
            found = {}
        if not found or found["until"] < request.now.isoformat():
            return None
        return Pending(found["method"], found["path"], found["query"], found["fields"])

    def _needs_passkey(self, account: Account) -> bool:
        """Return whether neither a password nor a code is enough."""
        if not account.passkey_required:
            return False
        with self._desk.store.reading() as tx:
            return bool(tx.access.passkeys.of(account.id)) and tx.access.totp.get(account.id) is None

    def _page(self, request: DeskRequest, complaint: str = "", status: int = 200) -> Response:
        account = request.account
        with self._desk.store.reading() as tx:
            has_password = account.is_local and tx.access.accounts.password_of(account.name) is not None
            has_passkeys = self._checks is not None and bool(tx.access.passkeys.of(account.id))
            has_app = tx.access.totp.get(account.id) is not None
        provider = None if account.is_local or self._sign_on is None else self._sign_on.label
        values = {
            "complaint": complaint,
            "has_password": has_password and not self._needs_passkey(account),
            "has_passkeys": has_passkeys,
            "has_app": has_app,
            "longest_code": LONGEST,
            "provider": provider,
            "is_confirmed": request.is_confirmed,
        }
        return self._desk.page(request, "confirm.html", values, status)
