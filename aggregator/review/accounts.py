"""People: who works at the desk, for admins."""

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


class PeoplePages:
    """The accounts' page."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def ways(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/people", Role.ADMIN, self.page)
        yield DeskRoute("POST", "/people", Role.ADMIN, self.add)
        yield DeskRoute("POST", "/people/{name}/role", Role.ADMIN, self.role)
        yield DeskRoute("POST", "/people/{name}/password", Role.ADMIN, self.password)
        yield DeskRoute("POST", "/people/{name}/disabled", Role.ADMIN, self.disabled)

    def page(self, visit: DeskRequest) -> Response:
        """Show all accounts."""
        return self._page(visit)

    def add(self, visit: DeskRequest) -> Response:
        """Add an account with a password that is shown this once."""
        name = visit.form.needed("name", most=64)
        role = Role(visit.form.choice("role", [role.value for role in Role]))
        if not _NAME.fullmatch(name):
            return self._page(visit, "A name has 1 to 64 letters, digits, dots, hyphens and underscores.", 422)
        password = passwords.generated()
        hash_ = passwords.hashed(password)
        with self._desk.store.writing() as tx:
            added = tx.access.accounts.add(name, role, hash_, visit.now)
            if added:
                self._note(tx, visit, "added an account", name, {"role": role.value})
        if not added:
            return self._page(visit, f"There is an account {name!r} already.", 422)
        return self._page(visit, made=(name, password))

    def role(self, visit: DeskRequest) -> Response:
        """Give somebody another role."""
        role = Role(visit.form.choice("role", [role.value for role in Role]))
        with self._desk.store.writing() as tx:
            one = self._other(tx, visit)
            tx.access.accounts.change(one.id, role=role.value)
            self._note(tx, visit, "changed a role", one.name, {"from": one.role.value, "to": role.value})
        return self._desk.onward(f"{HOME}/people", f"{one.name} is {role.value} now, and signed out everywhere.")

    def password(self, visit: DeskRequest) -> Response:
        """Give somebody a new password, which is shown this once."""
        password = passwords.generated()
        hash_ = passwords.hashed(password)
        with self._desk.store.writing() as tx:
            one = self._other(tx, visit)
            tx.access.accounts.change(one.id, password=hash_, password_set=visit.now)
            self._note(tx, visit, "gave a new password", one.name, {})
        return self._page(visit, made=(one.name, password))

    def disabled(self, visit: DeskRequest) -> Response:
        """Let somebody sign in no more, or again."""
        off = visit.form.choice("to", ["off", "on"]) == "off"
        with self._desk.store.writing() as tx:
            one = self._other(tx, visit)
            tx.access.accounts.change(one.id, disabled=visit.now if off else None)
            self._note(tx, visit, f"{'disabled' if off else 'enabled'} an account", one.name, {})
        return self._desk.onward(
            f"{HOME}/people", f"{one.name} may {'not sign in any more' if off else 'sign in again'}."
        )

    def _other(self, tx: Transaction, visit: DeskRequest) -> Account:
        """Return the account of an address, which must not be one's own: no admin locks everybody out by mistake."""
        name = str(visit.request.path_params["name"])
        one = tx.access.accounts.get(name)
        if one is None:
            raise NotFoundError(f"There is no account {name[:64]!r}.")
        if one.id == visit.account.id:
            raise ConflictError("Your own account is changed by another admin, or under “My account”.")
        return one

    def _page(
        self, visit: DeskRequest, complaint: str = "", status: int = 200, *, made: tuple[str, str] | None = None
    ) -> Response:
        with self._desk.store.reading() as tx:
            accounts = tx.access.accounts.all()
        values: dict[str, Any] = {"accounts": accounts, "roles": list(Role), "complaint": complaint, "made": made}
        return self._desk.page(visit, "people.html", values, status)

    def _note(self, tx: Transaction, visit: DeskRequest, what: str, name: str, detail: dict[str, Any]) -> None:
        tx.moderation.audit.note(visit.now, visit.account.name, what, f"account:{name}", detail)
