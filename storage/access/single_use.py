"""Store single-use links of accounts, and tokens that were used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from aggregator.domain.access.accounts import AccountLink, LinkPurpose
from storage.access.accounts import account_of
from storage.engine import upsert
from storage.tables.access import account, account_link, spent_token

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


class Links:
    """The links, within one transaction. Only digests of their tokens are stored."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self, digest: str, account_id: int, purpose: LinkPurpose, expires: datetime, email: str | None = None
    ) -> None:
        """Store a link; former ones for the same purpose end."""
        self.end(account_id, purpose)
        values = {"digest": digest, "account_id": account_id, "purpose": purpose.value, "expires": expires}
        self._connection.execute(account_link.insert().values(**values, email=email))

    def get(self, digest: str, purpose: LinkPurpose, now: datetime) -> AccountLink | None:
        """Return a link that is still valid."""
        own = (account_link.c.digest == digest) & (account_link.c.purpose == purpose.value)
        row = self._connection.execute(
            select(account, account_link.c.email)
            .join(account_link, account_link.c.account_id == account.c.id)
            .where(own, account_link.c.expires > now, account.c.disabled.is_(None))
        ).one_or_none()
        return None if row is None else AccountLink(account_of(row), row.email)

    def take(self, digest: str, purpose: LinkPurpose, now: datetime) -> AccountLink | None:
        """Return a link and delete it, so that it is used only once."""
        found = self.get(digest, purpose, now)
        deleted = self._connection.execute(account_link.delete().where(account_link.c.digest == digest)).rowcount
        return found if deleted else None

    def end(self, account_id: int, purpose: LinkPurpose) -> None:
        """Delete the links of an account for a purpose."""
        own = (account_link.c.account_id == account_id) & (account_link.c.purpose == purpose.value)
        self._connection.execute(account_link.delete().where(own))


class SpentTokens:
    """The used tokens, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def spend(self, digest: str, expires: datetime) -> bool:
        """Record that a token was used; return False if it was used before."""
        statement = upsert.statement(self._connection, spent_token, index=["digest"], changing=[])
        stored = statement.values(digest=digest, expires=expires).returning(spent_token.c.digest)
        return self._connection.execute(stored).scalar() is not None
