"""Store API tokens for portals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aggregator.domain.access.api_tokens import PortalToken, Scope
from storage.moderation.audit_log import Audit
from storage.tables.access import portal_token

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta
    from typing import Any

    from sqlalchemy import Connection, Row

    from storage.engine.upsert import Insert

_WHO = "operator"  # who runs commands on the server
_STANDS = portal_token.c.revoked.is_(None)


class Tokens:
    """The API tokens, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, token: PortalToken) -> bool:
        """Add a token and an audit entry; return False, without changes, if an active token has its name."""
        is_postgresql = self._connection.dialect.name == "postgresql"
        insert: Insert = postgresql.insert(portal_token) if is_postgresql else sqlite.insert(portal_token)
        values = {"id": token.id, "name": token.name, "scope": token.scope.value, "digest": token.digest}
        statement = insert.values(**values, created=token.created).on_conflict_do_nothing()
        if self._connection.execute(statement.returning(portal_token.c.id)).scalar() is None:
            return False
        self._note(token.created, "token created", token.name, {"id": token.id, "scope": token.scope.value})
        return True

    def by_hash(self, digest: str) -> PortalToken | None:
        """Return the token with a digest, unless it is revoked."""
        row = self._connection.execute(select(portal_token).where(portal_token.c.digest == digest, _STANDS)).first()
        return None if row is None else _token(row)

    def standing(self, digests: Collection[str]) -> set[str]:
        """Return the digests that belong to active tokens."""
        chosen = select(portal_token.c.digest).where(portal_token.c.digest.in_(digests), _STANDS)
        return set(self._connection.execute(chosen).scalars())

    def all(self) -> list[PortalToken]:
        """Return every token, including revoked ones, oldest first."""
        rows = self._connection.execute(select(portal_token).order_by(portal_token.c.created, portal_token.c.id))
        return [_token(row) for row in rows]

    def revoke(self, name: str, now: datetime) -> bool:
        """Revoke a token by name, with an audit entry; return whether it existed."""
        statement = update(portal_token).where(portal_token.c.name == name, _STANDS).values(revoked=now)
        id_ = self._connection.execute(statement.returning(portal_token.c.id)).scalar()
        if id_ is None:
            return False
        self._note(now, "token revoked", name, {"id": id_})
        return True

    def touch(self, token_id: str, now: datetime, *, every: timedelta) -> bool:
        """Record that a token was used, at most once per `every`; return whether it was written."""
        last = portal_token.c.last_used
        due = or_(last.is_(None), last <= now - every)
        statement = update(portal_token).where(portal_token.c.id == token_id, due).values(last_used=now)
        return self._connection.execute(statement).rowcount > 0

    def _note(self, now: datetime, what: str, name: str, detail: dict[str, Any]) -> None:
        Audit(self._connection).note(now, _WHO, what, f"token:{name}", detail)


def _token(row: Row[Any]) -> PortalToken:
    return PortalToken(row.id, row.name, Scope(row.scope), row.digest, row.created, row.last_used, row.revoked)
