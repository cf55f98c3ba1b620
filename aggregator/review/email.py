"""Set the own e-mail address, which is confirmed by a link before anything else is mailed there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import LinkPurpose, Role
from aggregator.domain.access.desk_settings import LONGEST_EMAIL, is_email
from aggregator.review.attempts import client_of, subjects_of_mail
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.errors import ConflictError
from aggregator.review.form import BadFormError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from aggregator.domain.access.accounts import Account
    from aggregator.review.auth import Gate
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.form import Form
    from aggregator.review.links import AccountMail
    from storage.store import Transaction


class EmailPages:
    """The routes of the own e-mail address."""

    def __init__(self, desk: DeskContext, gate: Gate, mail: AccountMail) -> None:
        self._desk = desk
        self._gate = gate
        self._mail = mail

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("POST", "/account/email", Role.VIEWER, self.change, confirm=True)
        yield DeskRoute("POST", "/account/email/again", Role.VIEWER, self.send_again)

    def change(self, request: DeskRequest) -> Response:
        """Set or delete the address, and mail a link to it."""
        email = email_in(request.form)
        if email is not None:
            self._count(request, email)
        with self._desk.store.writing() as tx:
            former = set_email(tx, request, request.account, email)
        if former is not None:
            self._mail.mail_notice(request.account, former, "The e-mail address of your account was changed.")
        if email is None:
            return self._desk.onward(f"{HOME}/account", "Your e-mail address is deleted.")
        self._mail.mail_confirmation(request.account, email)
        return self._desk.onward(f"{HOME}/account", sent_words(self._mail, email))

    def send_again(self, request: DeskRequest) -> Response:
        """Mail another link to an address that is not confirmed."""
        with self._desk.store.reading() as tx:
            settings = tx.access.settings.get(request.account.id)
        if settings.email is None or settings.email_confirmed is not None:
            raise ConflictError("There is no e-mail address to confirm.")
        self._count(request, settings.email)
        self._mail.mail_confirmation(request.account, settings.email)
        return self._desk.onward(f"{HOME}/account", sent_words(self._mail, settings.email))

    def _count(self, request: DeskRequest, email: str) -> None:
        self._gate.attempts.count(subjects_of_mail(email, client_of(request.http)), request.now)


def email_in(form: Form) -> str | None:
    """Return the address in a form; None: it is empty."""
    email = form.text("email", most=LONGEST_EMAIL)
    if email and not is_email(email):
        raise BadFormError(f"{email[:80]!r} isn't an e-mail address.")
    return email or None


def set_email(tx: Transaction, request: DeskRequest, account: Account, email: str | None) -> str | None:
    """Store an address that is not confirmed yet; return the former one, if it was. Links in mail to it end."""
    former = tx.access.settings.get(account.id)
    tx.access.settings.change(account.id, email=email, email_confirmed=None)
    subject = f"account:{account.name}"
    tx.moderation.audit.note(request.now, request.account.name, "changed an e-mail address", subject, {})
    if former.email_confirmed is None or former.email == email:
        return None
    tx.access.links.end(account.id, LinkPurpose.PASSWORD)  # one may wait in the former mailbox
    return former.email


def sent_words(mail: AccountMail, email: str) -> str:
    """Return the message after an address was changed."""
    if not mail.is_configured:
        return "Saved. The address can't be confirmed, since no mail server is configured."
    return f"A link was sent to {email}. Open it to confirm the address."
