"""Request a link for a new password, and open single-use links: no session is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.responses import Response

from aggregator.config import passwords
from aggregator.domain.access.accounts import LinkPurpose
from aggregator.domain.access.api_tokens import digest_of
from aggregator.domain.access.desk_settings import LONGEST_EMAIL, is_email
from aggregator.domain.errors import BadRequestError
from aggregator.review.attempts import client_of, subjects_of_mail
from aggregator.review.errors import TooManyTriesError
from aggregator.web.responses import HTML

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from aggregator.domain.access.accounts import Account, AccountLink
    from aggregator.review.auth import Gate
    from aggregator.review.context import DeskContext
    from aggregator.review.form import Form

_LONGEST_TOKEN = 100  # characters


class AccountMail(Protocol):
    """Mails links and notices, in the background."""

    @property
    def is_configured(self) -> bool:
        """Whether links can be mailed."""
        ...

    def request_reset(self, email: str) -> None:
        """Mail links for new passwords to an address, if accounts have confirmed it."""
        ...

    def mail_reset(self, account: Account, email: str) -> None:
        """Mail a link for a new password to a confirmed address."""
        ...

    def mail_confirmation(self, account: Account, email: str) -> None:
        """Mail a link that confirms an address."""
        ...

    def mail_notice(self, account: Account, email: str, what: str) -> None:
        """Mail a notice of a change to an address."""
        ...


class LinkPages:
    """The pages of links."""

    def __init__(self, desk: DeskContext, gate: Gate, mail: AccountMail) -> None:
        self._desk = desk
        self._gate = gate
        self._mail = mail

    def ask(self, request: Request, _form: Form) -> Response:
        """Show the form that requests a link."""
        return self._page(request, "reset-request.html", {"complaint": "", "email": "", "is_sent": False})

    def send(self, request: Request, form: Form) -> Response:
        """Request a link; the response is the same, whether or not an account has the address."""
        self._check(request, form)
        email = form.text("email", most=LONGEST_EMAIL)
        values = {"complaint": "", "email": email, "is_sent": True}
        if not is_email(email):
            values |= {"complaint": "Enter your e-mail address.", "is_sent": False}
            return self._page(request, "reset-request.html", values, 422)
        try:
            self._gate.attempts.count(subjects_of_mail(email, client_of(request)), self._desk.clock())
        except TooManyTriesError as problem:
            values |= {"complaint": str(problem), "is_sent": False}
            answer = self._page(request, "reset-request.html", values, 429)
            answer.headers.update(problem.headers)
            return answer
        self._mail.request_reset(email)
        return self._page(request, "reset-request.html", values)

    def show_password(self, request: Request, _form: Form) -> Response:
        """Show the form for the new password, without using the link."""
        return self._password_page(request, self._found(request, LinkPurpose.PASSWORD))

    def set_password(self, request: Request, form: Form) -> Response:
        """Set the new password, and end the link and all sessions."""
        self._check(request, form)
        link, now = self._found(request, LinkPurpose.PASSWORD), self._desk.clock()
        if link is None:
            return self._password_page(request, None)
        new, again = (form.raw(field, most=passwords.LONGEST) for field in ("password", "again"))
        try:
            if new != again:
                raise BadRequestError("The new passwords do not match.")  # noqa: TRY301
            passwords.check(new, link.account.name)
        except BadRequestError as problem:
            return self._password_page(request, link, str(problem))
        hashed = passwords.hashed(new)
        with self._desk.store.writing() as tx:
            taken = tx.access.links.take(_digest(request), LinkPurpose.PASSWORD, now)
            if taken is None:
                return self._password_page(request, None)
            account = taken.account
            tx.access.accounts.change(account.id, password=hashed, password_set=now)
            detail = {"address": client_of(request)}
            tx.moderation.audit.note(now, account.name, "reset their password", f"account:{account.name}", detail)
            settings = tx.access.settings.get(account.id)
        if settings.email is not None and settings.email_confirmed is not None:
            self._mail.mail_notice(account, settings.email, "Your password at the review desk was changed with a link.")
        done = "Your password is changed, and all your sessions are ended."
        return self._page(request, "link-done.html", {"title": "New password", "done": done})

    def show_email(self, request: Request, _form: Form) -> Response:
        """Show the button that confirms an address: programs that open links of mails press none."""
        link = self._found(request, LinkPurpose.EMAIL)
        return self._page(request, "confirm-email.html", {"link_": link}, 200 if link else 404)

    def confirm_email(self, request: Request, form: Form) -> Response:
        """Confirm an address, unless it was replaced meanwhile."""
        self._check(request, form)
        now = self._desk.clock()
        with self._desk.store.writing() as tx:
            link = tx.access.links.take(_digest(request), LinkPurpose.EMAIL, now)
            if link is not None and tx.access.settings.get(link.account.id).email == link.email:
                tx.access.settings.change(link.account.id, email_confirmed=now)
                subject = f"account:{link.account.name}"
                tx.moderation.audit.note(now, link.account.name, "confirmed an e-mail address", subject, {})
            else:
                link = None
        if link is None:
            return self._page(request, "confirm-email.html", {"link_": None}, 404)
        values = {"title": "E-mail address", "done": f"Your address {link.email} is confirmed."}
        return self._page(request, "link-done.html", values)

    def _check(self, request: Request, form: Form) -> None:
        self._gate.check(request, self._gate.stranger(request), form.text("csrf", most=200))

    def _found(self, request: Request, purpose: LinkPurpose) -> AccountLink | None:
        with self._desk.store.reading() as tx:
            link = tx.access.links.get(_digest(request), purpose, self._desk.clock())
        is_password = purpose is LinkPurpose.PASSWORD
        return None if link and is_password and not self._gate.may_sign_in_here(link.account) else link

    def _password_page(self, request: Request, link: AccountLink | None, complaint: str = "") -> Response:
        values: dict[str, object] = {"link_": link, "complaint": complaint, "shortest": passwords.SHORTEST}
        values["has_mail"] = self._mail.is_configured
        return self._page(request, "reset.html", values, 404 if link is None else 422 if complaint else 200)

    def _page(self, request: Request, template: str, values: Mapping[str, object], status: int = 200) -> Response:
        stranger = self._gate.stranger(request)
        body = self._desk.pages.render(template, {"token": self._gate.token(stranger), **values})
        answer = Response(body, status, media_type=HTML)
        self._gate.remember(answer, stranger)
        return answer


def _digest(request: Request) -> str:
    return digest_of(request.query_params.get("token", "")[:_LONGEST_TOKEN])
