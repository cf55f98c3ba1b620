"""Store the public parts of passkeys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from aggregator.domain.access.accounts import Passkey
from storage.engine import upsert
from storage.tables.access import passkey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row


class Passkeys:
    """The passkeys, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: Passkey) -> bool:
        """Add a passkey; return False if the credential is registered already."""
        statement = upsert.statement(self._connection, passkey, index=["credential"], changing=[])
        values = {"account_id": new.account_id, "credential": new.credential, "name": new.name}
        stored = statement.values(
            **values, public_key=new.public_key, sign_count=new.sign_count, created=new.created
        ).returning(passkey.c.id)
        return self._connection.execute(stored).scalar() is not None

    def of(self, account_id: int) -> list[Passkey]:
        """Return the passkeys of an account, oldest first."""
        chosen = select(passkey).where(passkey.c.account_id == account_id).order_by(passkey.c.id)
        return [_passkey(row) for row in self._connection.execute(chosen)]

    def get(self, credential: str) -> Passkey | None:
        """Return the passkey with a credential id."""
        row = self._connection.execute(select(passkey).where(passkey.c.credential == credential)).one_or_none()
        return None if row is None else _passkey(row)

    def counts(self) -> Mapping[int, int]:
        """Return the number of passkeys by account."""
        chosen = select(passkey.c.account_id, func.count()).group_by(passkey.c.account_id)
        return {row[0]: row[1] for row in self._connection.execute(chosen)}

    def use(self, used: Passkey, sign_count: int, now: datetime) -> bool:
        """Store the new counter; return False if the passkey was used or removed meanwhile."""
        same = (passkey.c.id == used.id) & (passkey.c.sign_count == used.sign_count)
        values = {"sign_count": sign_count, "last_used": now}
        return self._connection.execute(update(passkey).where(same).values(**values)).rowcount > 0

    def remove(self, account_id: int, id_: int) -> str | None:
        """Delete a passkey of an account; return its name."""
        own = (passkey.c.account_id == account_id) & (passkey.c.id == id_)
        name: str | None = self._connection.execute(passkey.delete().where(own).returning(passkey.c.name)).scalar()
        return name

    def remove_all(self, account_id: int) -> int:
        """Delete all passkeys of an account; return the number."""
        return self._connection.execute(passkey.delete().where(passkey.c.account_id == account_id)).rowcount


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        row.id, row.account_id, row.credential, row.name, row.public_key, row.sign_count, row.created, row.last_used
    )
