"""Sign in and out, and manage one's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from aggregator.config import passwords
from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import BadRequestError, NotFoundError
from aggregator.review.attempts import client_of
from aggregator.review.auth import LONGEST_NEXT, safe_next
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.errors import ConflictError, SecondFactorNeededError, TooManyTriesError
from aggregator.review.passkey_ceremonies import PasskeyError
from aggregator.web.responses import HTML

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request

    from aggregator.review.auth import Gate
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.entrance import SignInOptions
    from aggregator.review.form import Form
    from aggregator.review.passkeys import PasskeyChecks
    from aggregator.review.second_factor import CodePages
    from storage.store import Transaction

_WRONG = "Incorrect name or password."
_LONGEST_NAME = 64


class SignInPages:
    """The pages for sign-in and the own account."""

    def __init__(
        self,
        desk: DeskContext,
        gate: Gate,
        options: SignInOptions,
        checks: PasskeyChecks | None,
        codes: CodePages,
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._options = options
        self._checks = checks
        self._codes = codes
        self.end_at_provider: Callable[[str | None], str | None] | None = None  # returns where users sign out there

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes that need a session."""
        yield DeskRoute("POST", "/sign-out", Role.VIEWER, self.sign_out)
        yield DeskRoute("GET", "/account", Role.VIEWER, self.account)
        yield DeskRoute("POST", "/account", Role.VIEWER, self.change_password)
        yield DeskRoute("POST", "/account/sign-out-everywhere", Role.VIEWER, self.sign_out_everywhere)

    def show(self, request: Request, _form: Form) -> Response:
        """Show the form, or redirect a user who is already signed in."""
        target = safe_next(request.query_params.get("next", HOME))
        if self._gate.present(request, self._desk.clock()) is not None:
            return RedirectResponse(self._desk.pages.link(target), status_code=303)
        return self._page(request, target)

    def sign_in(self, request: Request, form: Form) -> Response:
        """Sign in with a new session, even if the browser already has one."""
        now = self._desk.clock()
        self._gate.check(request, self._gate.stranger(request), form.text("csrf", most=200))
        target = safe_next(form.text("next", most=LONGEST_NEXT))
        name = form.text("name", most=_LONGEST_NAME)
        try:
            found = self._gate.sign_in(name, form.raw("password", most=passwords.LONGEST), client_of(request), now)
        except TooManyTriesError as problem:
            answer = self._page(request, target, str(problem), name, status=429)
            answer.headers.update(problem.headers)
            return answer
        except SecondFactorNeededError as problem:
            if problem.has_app:
                return self._codes.ask(request, problem.account, target)
            return self._page(request, target, str(problem), name, status=422)
        if found is None:
            return self._page(request, target, _WRONG, name, status=422)
        answer = RedirectResponse(self._desk.pages.link(target), status_code=303)
        self._gate.hand_over(answer, found[1])
        return answer

    def sign_in_by_passkey(self, request: Request, form: Form) -> Response:
        """Sign in with a passkey."""
        stranger = self._gate.stranger(request)
        self._gate.check(request, stranger, form.text("csrf", most=200))
        target = safe_next(form.text("next", most=LONGEST_NEXT))
        if self._checks is None:
            raise NotFoundError("There are no passkeys here.")
        try:
            token = self._checks.sign_in(form, stranger, client_of(request), self._desk.clock())
        except TooManyTriesError as problem:
            answer = self._page(request, target, str(problem), status=429)
            answer.headers.update(problem.headers)
            return answer
        except PasskeyError as problem:
            return self._page(request, target, str(problem), status=422)
        answer = RedirectResponse(self._desk.pages.link(target), status_code=303)
        self._gate.hand_over(answer, token)
        return answer

    def refuse(self, request: Request, reason: str, status: int) -> Response:
        """Show the sign-in page with a reason."""
        return self._page(request, HOME, reason, status=status)

    def sign_out(self, request: DeskRequest) -> Response:
        """End this session, and offer to end that of the sign-on provider."""
        answer: Response = RedirectResponse(self._desk.pages.link(f"{HOME}/sign-in"), status_code=303)
        with self._desk.store.writing() as tx:
            id_token = self._gate.end(tx, answer, request.session)
            self._note(tx, request, "signed out")
        if request.account.is_local or self.end_at_provider is None:
            return answer
        address = self.end_at_provider(id_token)
        if address is None:
            return answer
        values = {"address": address, "provider": self._label}
        page = Response(self._desk.pages.render("signed-out.html", values), media_type=HTML)
        page.raw_headers.extend(header for header in answer.raw_headers if header[0] == b"set-cookie")
        return page

    def sign_out_everywhere(self, request: DeskRequest) -> Response:
        """End every session of this account."""
        answer = RedirectResponse(self._desk.pages.link(f"{HOME}/sign-in"), status_code=303)
        with self._desk.store.writing() as tx:
            tx.access.accounts.close_all(request.account.id)
            self._gate.end(tx, answer, request.session)
            self._note(tx, request, "signed out everywhere")
        return answer

    def account(self, request: DeskRequest) -> Response:
        """Show the user's account."""
        return self._account(request)

    def _account(self, request: DeskRequest, complaint: str = "", status: int = 200) -> Response:
        with self._desk.store.reading() as tx:
            settings = tx.access.settings.get(request.account.id)
            passkeys = tx.access.passkeys.of(request.account.id)
            app = tx.access.totp.get(request.account.id)
        values = {
            "complaint": complaint,
            "shortest": passwords.SHORTEST,
            "settings": settings,
            "passkeys": passkeys,
            "app": app,
            "may_add_passkeys": self._checks is not None and request.account.is_local,
            "provider": self._label,
            "has_mail": self._options.mail is not None and self._options.mail.is_configured,
        }
        return self._desk.page(request, "account.html", values, status)

    def change_password(self, request: DeskRequest) -> Response:
        """Change the password and end all other sessions."""
        if not request.account.is_local:
            raise ConflictError("Users of the sign-on provider have no password here.")
        new = request.form.raw("password", most=passwords.LONGEST)
        try:
            complaint = self._complaint(request, new)
        except TooManyTriesError as problem:
            answer = self._account(request, str(problem), 429)
            answer.headers.update(problem.headers)
            return answer
        if complaint:
            return self._account(request, complaint, 422)
        hashed = passwords.hashed(new)
        done = self._desk.onward(f"{HOME}/account", "Password changed. You are signed out of all other sessions.")
        with self._desk.store.writing() as tx:
            tx.access.accounts.change(request.account.id, password=hashed, password_set=request.now)
            self._gate.hand_over(done, self._gate.begin(tx, request.account, request.now))
            self._note(tx, request, "changed their password")
        return done

    def _complaint(self, request: DeskRequest, new: str) -> str:
        """Return why a password can't be changed. Guesses at the current one are counted, as at sign-in."""
        name, former = request.account.name, request.form.raw("former", most=passwords.LONGEST)
        if not self._gate.is_confirmed_by(name, former, client_of(request.http), request.now):
            return "The current password is incorrect."
        if new != request.form.raw("again", most=passwords.LONGEST):
            return "The new passwords do not match."
        try:
            passwords.check(new, name)
        except BadRequestError as problem:
            return str(problem)
        return ""

    def _note(self, tx: Transaction, request: DeskRequest, what: str) -> None:
        subject, address = f"account:{request.account.name}", client_of(request.http)
        tx.moderation.audit.note(request.now, request.account.name, what, subject, {"address": address})

    @property
    def _label(self) -> str:
        return "" if self._options.sign_on is None else self._options.sign_on.label

    def _page(
        self, request: Request, target: str, complaint: str = "", name: str = "", *, status: int = 200
    ) -> Response:
        stranger = self._gate.stranger(request)
        values = {
            "token": self._gate.token(stranger),
            "next": target,
            "complaint": complaint,
            "name": name,
            "provider": self._label,
            "has_passkeys": self._checks is not None,
            "has_mail": self._options.mail is not None and self._options.mail.is_configured,
            "has_passwords": self._options.local is None or bool(self._options.local),
        }
        answer = Response(self._desk.pages.render("sign-in.html", values), status, media_type=HTML)
        self._gate.remember(answer, stranger)
        return answer
