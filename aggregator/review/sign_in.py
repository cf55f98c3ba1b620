"""Signing in and out, and one's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from aggregator.config import passwords
from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import BadRequestError
from aggregator.review.auth import client_of, safe_next
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.errors import TooManyTriesError
from aggregator.web.responses import HTML

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from aggregator.review.auth import Gate
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.form import Form
    from storage.store import Transaction

_WRONG = "Name and password do not fit together."
_LONGEST_NAME = 64


class SigningIn:
    """The entrance."""

    def __init__(self, desk: DeskContext, gate: Gate) -> None:
        self._desk = desk
        self._gate = gate

    def ways(self) -> Iterable[DeskRoute]:
        """Return the routes of those who are in."""
        yield DeskRoute("POST", "/sign-out", Role.VIEWER, self.sign_out)
        yield DeskRoute("GET", "/account", Role.VIEWER, self.account)
        yield DeskRoute("POST", "/account", Role.VIEWER, self.change_password)
        yield DeskRoute("POST", "/account/sign-out-everywhere", Role.VIEWER, self.sign_out_everywhere)

    def show(self, request: Request, _form: Form) -> Response:
        """Show the form, or go on where somebody is signed in already."""
        wanted = safe_next(request.query_params.get("next", HOME))
        if self._gate.present(request, self._desk.clock()) is not None:
            return RedirectResponse(self._desk.pages.link(wanted), status_code=303)
        return self._page(request, wanted)

    def sign_in(self, request: Request, form: Form) -> Response:
        """Sign in; a new session begins, whatever the browser held before."""
        now = self._desk.clock()
        self._gate.check(request, self._gate.stranger(request), form.text("csrf", most=200))
        wanted = safe_next(form.text("next", most=2000))
        name = form.text("name", most=_LONGEST_NAME)
        try:
            found = self._gate.sign_in(name, form.raw("password", most=passwords.LONGEST), client_of(request), now)
        except TooManyTriesError as problem:
            answer = self._page(request, wanted, str(problem), name, status=429)
            answer.headers.update(problem.headers)
            return answer
        if found is None:
            return self._page(request, wanted, _WRONG, name, status=422)
        answer = RedirectResponse(self._desk.pages.link(wanted), status_code=303)
        self._gate.hand_over(answer, found[1])
        return answer

    def sign_out(self, visit: DeskRequest) -> Response:
        """End this session."""
        answer = RedirectResponse(self._desk.pages.link(f"{HOME}/sign-in"), status_code=303)
        with self._desk.store.writing() as tx:
            self._gate.end(tx, answer, visit.session)
            self._note(tx, visit, "signed out")
        return answer

    def sign_out_everywhere(self, visit: DeskRequest) -> Response:
        """End every session of this account."""
        answer = RedirectResponse(self._desk.pages.link(f"{HOME}/sign-in"), status_code=303)
        with self._desk.store.writing() as tx:
            tx.access.accounts.close_all(visit.account.id)
            self._gate.end(tx, answer, visit.session)
            self._note(tx, visit, "signed out everywhere")
        return answer

    def account(self, visit: DeskRequest) -> Response:
        """Show one's own account."""
        return self._desk.page(visit, "account.html", {"complaint": "", "shortest": passwords.SHORTEST})

    def change_password(self, visit: DeskRequest) -> Response:
        """Set a new password; every other session ends."""
        name = visit.account.name
        former, wanted = (visit.form.raw(field, most=passwords.LONGEST) for field in ("former", "password"))
        with self._desk.store.reading() as tx:
            hash_ = tx.access.accounts.password_of(name)
        complaint = self._unfit(name, hash_, former, wanted, visit.form.raw("again", most=passwords.LONGEST))
        if complaint:
            values = {"complaint": complaint, "shortest": passwords.SHORTEST}
            return self._desk.page(visit, "account.html", values, 422)
        new = passwords.hashed(wanted)
        answer = self._desk.onward(f"{HOME}/account", "Your password is changed; everywhere else you are signed out.")
        with self._desk.store.writing() as tx:
            tx.access.accounts.change(visit.account.id, password=new, password_set=visit.now)
            self._gate.hand_over(answer, self._gate.begin(tx, visit.account, visit.now))
            self._note(tx, visit, "changed their password")
        return answer

    def _unfit(self, name: str, hash_: str | None, former: str, wanted: str, again: str) -> str:
        if not passwords.fits(hash_, former):
            return "The present password is another one."
        if wanted != again:
            return "The new password was typed in two ways."
        try:
            passwords.check(wanted, name)
        except BadRequestError as problem:
            return str(problem)
        return ""

    def _note(self, tx: Transaction, visit: DeskRequest, what: str) -> None:
        subject, address = f"account:{visit.account.name}", client_of(visit.request)
        tx.moderation.audit.note(visit.now, visit.account.name, what, subject, {"address": address})

    def _page(
        self, request: Request, wanted: str, complaint: str = "", name: str = "", *, status: int = 200
    ) -> Response:
        stranger = self._gate.stranger(request)
        values = {"token": self._gate.token(stranger), "next": wanted, "complaint": complaint, "name": name}
        answer = Response(self._desk.pages.render("sign-in.html", values), status, media_type=HTML)
        self._gate.remember(answer, stranger)
        return answer
