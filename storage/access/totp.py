"""Store the keys of authenticator apps, and recovery codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from aggregator.domain.access.accounts import AuthenticatorApp
from storage.engine import upsert
from storage.tables.access import recovery_code, totp

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection


class AuthenticatorApps:
    """The authenticator apps, at most one per account, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, account_id: int, sealed: str, step: int, now: datetime) -> bool:
        """Add the app of an account, whose code of a time step was used; return False if it has an app already."""
        statement = upsert.statement(self._connection, totp, index=["account_id"], changing=[])
        stored = statement.values(account_id=account_id, sealed=sealed, last_step=step, created=now)
        return self._connection.execute(stored.returning(totp.c.id)).scalar() is not None

    def get(self, account_id: int) -> AuthenticatorApp | None:
        """Return the app of an account."""
        left = select(func.count()).where(recovery_code.c.account_id == account_id).scalar_subquery()
        chosen = select(totp.c.sealed, totp.c.created, left.label("left")).where(totp.c.account_id == account_id)
        row = self._connection.execute(chosen).one_or_none()
        return None if row is None else AuthenticatorApp(row.sealed, row.created, row.left)

    def accounts(self) -> set[int]:
        """Return the accounts that have an app."""
        return set(self._connection.execute(select(totp.c.account_id)).scalars())

    def use(self, account_id: int, step: int) -> bool:
        """Record that the code of a time step was used; return False if it or a later one was used before."""
        unused = (totp.c.account_id == account_id) & (totp.c.last_step < step)
        return self._connection.execute(update(totp).where(unused).values(last_step=step)).rowcount > 0

    def remove(self, account_id: int) -> bool:
        """Delete the app of an account with its recovery codes; return False if there is none."""
        self._connection.execute(recovery_code.delete().where(recovery_code.c.account_id == account_id))
        return self._connection.execute(totp.delete().where(totp.c.account_id == account_id)).rowcount > 0

    def set_recovery_codes(self, account_id: int, digests: Iterable[str]) -> None:
        """Store the digests of new recovery codes in place of the former ones."""
        self._connection.execute(recovery_code.delete().where(recovery_code.c.account_id == account_id))
        rows = [{"account_id": account_id, "digest": digest} for digest in digests]
        self._connection.execute(recovery_code.insert(), rows)

    def use_recovery_code(self, account_id: int, digest: str) -> bool:
        """Delete a recovery code; return False if there is none."""
        own = (recovery_code.c.account_id == account_id) & (recovery_code.c.digest == digest)
        return self._connection.execute(recovery_code.delete().where(own)).rowcount > 0
