"""Manage the accounts of the desk, for admins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aggregator.config import passwords
from aggregator.domain.access.accounts import LinkPurpose, Role
from aggregator.domain.access.links import make_link
from aggregator.domain.errors import NotFoundError
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.email import email_in, sent_words, set_email
from aggregator.review.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from aggregator.domain.access.accounts import Account
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.links import AccountMail
    from storage.store import Transaction

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class UserPages:
    """The accounts page.

    Args:
        desk: what the desk's sections share.
        mail: mails links.
    """

    def __init__(self, desk: DeskContext, mail: AccountMail) -> None:
        self._desk = desk
        self._mail = mail

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/people", Role.ADMIN, self.page)
        yield DeskRoute("POST", "/people", Role.ADMIN, self.add, confirm=True)
        yield DeskRoute("POST", "/people/{name}/role", Role.ADMIN, self.role, confirm=True)
        yield DeskRoute("POST", "/people/{name}/email", Role.ADMIN, self.email, confirm=True)
        yield DeskRoute("POST", "/people/{name}/link", Role.ADMIN, self.link, confirm=True)
        yield DeskRoute("POST", "/people/{name}/passkeys", Role.ADMIN, self.passkeys, confirm=True)
        yield DeskRoute("POST", "/people/{name}/totp", Role.ADMIN, self.totp, confirm=True)
        yield DeskRoute("POST", "/people/{name}/disabled", Role.ADMIN, self.disabled, confirm=True)

    def page(self, request: DeskRequest) -> Response:
        """Show all accounts."""
        return self._page(request)

    def add(self, request: DeskRequest) -> Response:
        """Add an account and show the link by which its user sets a password."""
        name = request.form.needed("name", most=64)
        role = Role(request.form.choice("role", [role.value for role in Role]))
        email = email_in(request.form)
        if not _NAME.fullmatch(name):
            return self._page(request, "A name must have 1 to 64 letters, digits, dots, hyphens or underscores.", 422)
        hash_ = passwords.hashed(passwords.generated())  # shown to no one
        with self._desk.store.writing() as tx:
            is_new = tx.access.accounts.add(name, role, hash_, request.now)
            account = tx.access.accounts.get(name) if is_new else None
            if account is not None:
                self._note(tx, request, "added an account", name, {"role": role.value})
                if email is not None:
                    set_email(tx, request, account, email)
            link = "" if account is None else self._new_link(tx, request, account)
        if account is None:
            return self._page(request, f"The user {name!r} already exists.", 422)
        if email is not None:
            self._mail.mail_confirmation(account, email)
        return self._page(request, made=(name, link))

    def role(self, request: DeskRequest) -> Response:
        """Change the role of an account."""
        role = Role(request.form.choice("role", [role.value for role in Role]))
        with self._desk.store.writing() as tx:
            account = self._other(tx, request, is_local=True)
            _keep_an_admin(tx, account, role=role, disable=False)
            tx.access.accounts.change(account.id, role=role.value)
            self._note(tx, request, "changed a role", account.name, {"from": account.role.value, "to": role.value})
        return self._desk.onward(f"{HOME}/people", f"{account.name} is now {role.value} and signed out everywhere.")

    def email(self, request: DeskRequest) -> Response:
        """Set or delete the e-mail address of an account, and mail a link to it."""
        email = email_in(request.form)
        with self._desk.store.writing() as tx:
            account = self._other(tx, request)
            former = set_email(tx, request, account, email)
        if former is not None:
            self._mail.mail_notice(account, former, "An admin changed the e-mail address of your account.")
        if email is None:
            return self._desk.onward(f"{HOME}/people", f"The e-mail address of {account.name} is deleted.")
        self._mail.mail_confirmation(account, email)
        return self._desk.onward(f"{HOME}/people", sent_words(self._mail, email))

    def link(self, request: DeskRequest) -> Response:
        """Show a link for a new password once, or mail it to the confirmed address."""
        is_mailed = request.form.choice("by", ["desk", "mail"], "desk") == "mail"
        with self._desk.store.writing() as tx:
            account = self._other(tx, request, is_local=True)
            if account.disabled is not None:
                raise ConflictError(f"Reactivate {account.name} first.")
            settings = tx.access.settings.get(account.id)
            if is_mailed and not (self._mail.is_configured and settings.email and settings.email_confirmed):
                raise ConflictError(f"{account.name} has no confirmed e-mail address.")
            link = "" if is_mailed else self._new_link(tx, request, account)
            self._note(tx, request, "made a link", account.name, {"with": "e-mail" if is_mailed else "the desk"})
        if is_mailed and settings.email is not None:
            self._mail.mail_reset(account, settings.email)
            return self._desk.onward(f"{HOME}/people", f"A link was sent to {account.name}.")
        return self._page(request, made=(account.name, link))

    def passkeys(self, request: DeskRequest) -> Response:
        """Remove the passkeys of an account, such as those of a lost phone."""
        with self._desk.store.writing() as tx:
            account = self._other(tx, request)
            removed = tx.access.passkeys.remove_all(account.id)
            tx.access.accounts.change(account.id, passkey_required=False)
            self._note(tx, request, "removed passkeys", account.name, {"passkeys": removed})
        return self._desk.onward(f"{HOME}/people", f"{account.name} has no passkeys now and is signed out everywhere.")

    def totp(self, request: DeskRequest) -> Response:
        """Remove the authenticator app of an account, such as that of a lost phone."""
        with self._desk.store.writing() as tx:
            account = self._other(tx, request)
            if not tx.access.totp.remove(account.id):
                raise ConflictError(f"{account.name} has no authenticator app.")
            tx.access.accounts.close_all(account.id)
            self._note(tx, request, "removed a second factor", account.name, {})
        done = f"{account.name} signs in without a code now, and is signed out everywhere."
        return self._desk.onward(f"{HOME}/people", done)

    def disabled(self, request: DeskRequest) -> Response:
        """Deactivate or reactivate an account."""
        off = request.form.choice("to", ["off", "on"]) == "off"
        with self._desk.store.writing() as tx:
            account = self._other(tx, request)
            _keep_an_admin(tx, account, role=None, disable=off)
            tx.access.accounts.change(account.id, disabled=request.now if off else None)
            self._note(tx, request, f"{'disabled' if off else 'enabled'} an account", account.name, {})
        return self._desk.onward(f"{HOME}/people", f"{account.name} is {'deactivated' if off else 'reactivated'}.")

    def _other(self, tx: Transaction, request: DeskRequest, *, is_local: bool = False) -> Account:
        """Return the account named in the path; admins can't change their own and so lock all out."""
        name = str(request.http.path_params["name"])
        account = tx.access.accounts.get(name)
        if account is None:
            raise NotFoundError(f"No user {name[:64]!r}.")
        if account.id == request.account.id:
            raise ConflictError("Another admin must change your account, or use “My account”.")
        if is_local and not account.is_local:
            raise ConflictError(f"{account.name} signs in at {account.issuer}, which decides on the role.")
        return account

    def _new_link(self, tx: Transaction, request: DeskRequest, account: Account) -> str:
        link = make_link(LinkPurpose.PASSWORD)
        tx.access.links.add(link.digest, account.id, link.purpose, request.now + link.lasts)
        return link.address(self._desk.pages.base(request.http))

    def _page(
        self, request: DeskRequest, complaint: str = "", status: int = 200, *, made: tuple[str, str] | None = None
    ) -> Response:
        with self._desk.store.reading() as tx:
            accounts, emails = tx.access.accounts.all(), tx.access.settings.emails()
            passkeys, apps = tx.access.passkeys.counts(), tx.access.totp.accounts()
        values: dict[str, Any] = {
            "accounts": accounts,
            "emails": emails,
            "passkeys": passkeys,
            "apps": apps,
            "roles": list(Role),
            "complaint": complaint,
            "made": made,
            "has_mail": self._mail.is_configured,
        }
        return self._desk.page(request, "users.html", values, status)

    def _note(self, tx: Transaction, request: DeskRequest, what: str, name: str, detail: dict[str, Any]) -> None:
        tx.moderation.audit.note(request.now, request.account.name, what, f"account:{name}", detail)


def _keep_an_admin(tx: Transaction, account: Account, *, role: Role | None, disable: bool) -> None:
    """Refuse a change after which no admin could sign in."""
    if account.is_last_admin(role, disable=disable, others=tx.access.accounts.admins(besides=account.id)):
        raise ConflictError(f"{account.name} is the only active admin; make another user an admin first.")
