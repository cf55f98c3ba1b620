"""Manage the accounts of the desk, for admins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aggregator.config import passwords
from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import NotFoundError
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from aggregator.domain.access.accounts import Account
    from aggregator.review.context import DeskContext, DeskRequest
    from storage.store import Transaction

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class UserPages:
    """The accounts page."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/people", Role.ADMIN, self.page)
        yield DeskRoute("POST", "/people", Role.ADMIN, self.add, confirm=True)
        yield DeskRoute("POST", "/people/{name}/role", Role.ADMIN, self.role, confirm=True)
        yield DeskRoute("POST", "/people/{name}/password", Role.ADMIN, self.password, confirm=True)
        yield DeskRoute("POST", "/people/{name}/disabled", Role.ADMIN, self.disabled, confirm=True)

    def page(self, request: DeskRequest) -> Response:
        """Show all accounts."""
        return self._page(request)

    def add(self, request: DeskRequest) -> Response:
        """Add an account and show its generated password once."""
        name = request.form.needed("name", most=64)
        role = Role(request.form.choice("role", [role.value for role in Role]))
        if not _NAME.fullmatch(name):
            return self._page(request, "A name must have 1 to 64 letters, digits, dots, hyphens or underscores.", 422)
        password = passwords.generated()
        hash_ = passwords.hashed(password)
        with self._desk.store.writing() as tx:
            added = tx.access.accounts.add(name, role, hash_, request.now)
            if added:
                self._note(tx, request, "added an account", name, {"role": role.value})
        if not added:
            return self._page(request, f"The user {name!r} already exists.", 422)
        return self._page(request, made=(name, password))

    def role(self, request: DeskRequest) -> Response:
        """Change the role of an account."""
        role = Role(request.form.choice("role", [role.value for role in Role]))
        with self._desk.store.writing() as tx:
            account = self._other(tx, request)
            tx.access.accounts.change(account.id, role=role.value)
            self._note(tx, request, "changed a role", account.name, {"from": account.role.value, "to": role.value})
        return self._desk.onward(f"{HOME}/people", f"{account.name} is now {role.value} and signed out everywhere.")

    def password(self, request: DeskRequest) -> Response:
        """Reset the password of an account and show it once."""
        password = passwords.generated()
        hash_ = passwords.hashed(password)
        with self._desk.store.writing() as tx:
            account = self._other(tx, request)
            tx.access.accounts.change(account.id, password=hash_, password_set=request.now)
            self._note(tx, request, "gave a new password", account.name, {})
        return self._page(request, made=(account.name, password))

    def disabled(self, request: DeskRequest) -> Response:
        """Disable or enable an account."""
        off = request.form.choice("to", ["off", "on"]) == "off"
        with self._desk.store.writing() as tx:
            account = self._other(tx, request)
            tx.access.accounts.change(account.id, disabled=request.now if off else None)
            self._note(tx, request, f"{'disabled' if off else 'enabled'} an account", account.name, {})
        return self._desk.onward(f"{HOME}/people", f"{account.name} is {'disabled' if off else 'enabled'}.")

    def _other(self, tx: Transaction, request: DeskRequest) -> Account:
        """Return the account named in the path; admins can't change their own and so lock all out."""
        name = str(request.http.path_params["name"])
        account = tx.access.accounts.get(name)
        if account is None:
            raise NotFoundError(f"No user {name[:64]!r}.")
        if account.id == request.account.id:
            raise ConflictError("Another admin must change your account, or use “My account”.")
        return account

    def _page(
        self, request: DeskRequest, complaint: str = "", status: int = 200, *, made: tuple[str, str] | None = None
    ) -> Response:
        with self._desk.store.reading() as tx:
            accounts = tx.access.accounts.all()
        values: dict[str, Any] = {"accounts": accounts, "roles": list(Role), "complaint": complaint, "made": made}
        return self._desk.page(request, "users.html", values, status)

    def _note(self, tx: Transaction, request: DeskRequest, what: str, name: str, detail: dict[str, Any]) -> None:
        tx.moderation.audit.note(request.now, request.account.name, what, f"account:{name}", detail)
