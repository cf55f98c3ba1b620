"""Store connected accounts, begun authorizations, and the last use of each credential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, delete, or_, select, update

from aggregator.domain.access.credentials import Credential
from storage.engine import upsert
from storage.polling.source_lists import SourceLists
from storage.tables.api import credential, credential_request, credential_use

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy import Connection, Row


class Sealed(NamedTuple):
    """A connected account with its encrypted tokens."""

    credential: Credential
    sealed: str


class AuthorizationRequest(NamedTuple):
    """An authorization that a person has begun; `sealed` has the app and the PKCE verifier."""

    service: str
    who: str
    is_owner: bool
    redirect_url: str
    sealed: str
    until: datetime


class ConnectedAccounts:
    """The connected accounts, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, service: str | None = None) -> list[Credential]:
        """Return all connected accounts, or those of a service, oldest first."""
        chosen = select(credential).order_by(credential.c.id)
        if service is not None:
            chosen = chosen.where(credential.c.service == service)
        return [_credential(row) for row in self._connection.execute(chosen)]

    def get(self, credential_id: int) -> Sealed | None:
        """Return a connected account with its encrypted tokens."""
        row = self._connection.execute(select(credential).where(credential.c.id == credential_id)).one_or_none()
        return None if row is None else Sealed(_credential(row), row.sealed)

    def owned_sources(self, service: str, kind: str, now: datetime) -> set[int]:
        """Return the sources of a kind that are read at the owner's price."""
        owners = {row.subject for row in self.all(service) if row.is_owner and row.is_usable(now)}
        if not owners:
            return set()
        return {source.id for source in SourceLists(self._connection).following(kind, owners)}

    def put(self, connected: Credential, sealed: str) -> Credential:
        """Store a connected account; one of the same account and app is replaced, with its id."""
        values = {**_values(connected), "sealed": sealed, "lease_until": None}
        key = ["service", "subject", "app"]
        changing = [name for name in values if name not in key]
        statement = upsert.statement(self._connection, credential, index=key, changing=changing)
        row = self._connection.execute(statement.values(**values).returning(credential)).one()
        return _credential(row)

    def claim_renewal(self, credential_id: int, now: datetime, until: datetime, due: datetime) -> bool:
        """Claim the renewal of an access token that ends before `due`; False if another process has it or did it."""
        free = or_(credential.c.lease_until.is_(None), credential.c.lease_until <= now)
        claimed = and_(credential.c.id == credential_id, free, credential.c.access_expires <= due)
        return self._connection.execute(update(credential).where(claimed).values(lease_until=until)).rowcount > 0

    def end_renewal(self, credential_id: int, problem: str | None = None) -> None:
        """Release a claim without new tokens; a problem means that the account must be connected again."""
        values: dict[str, Any] = {"lease_until": None, **({"problem": problem} if problem else {})}
        self._connection.execute(update(credential).where(credential.c.id == credential_id).values(**values))

    def expire(self, credential_id: int, now: datetime) -> None:
        """End an access token, so that its next use renews it."""
        self._connection.execute(update(credential).where(credential.c.id == credential_id).values(access_expires=now))

    def remove(self, credential_id: int) -> None:
        """Delete a connected account with its tokens."""
        self._connection.execute(delete(credential).where(credential.c.id == credential_id))

    def begin(self, digest: str, request: AuthorizationRequest) -> None:
        """Store an authorization that a person has begun."""
        self._connection.execute(credential_request.insert().values(digest=digest, **request._asdict()))

    def take(self, digest: str, who: str, now: datetime) -> AuthorizationRequest | None:
        """Return an authorization that a user has begun, once; expired ones are deleted."""
        self._connection.execute(delete(credential_request).where(credential_request.c.until <= now))
        columns = [credential_request.c[name] for name in AuthorizationRequest._fields]
        chosen = (credential_request.c.digest == digest) & (credential_request.c.who == who)
        taken = delete(credential_request).where(chosen).returning(*columns)
        row = self._connection.execute(taken).one_or_none()
        return None if row is None else AuthorizationRequest(*row)

    def used(self, service: str, key: str, now: datetime, *, every: timedelta) -> None:
        """Record the use of a credential, at most once per `every`."""
        statement = upsert.statement(
            self._connection,
            credential_use,
            index=["service", "credential"],
            changing=["at"],
            where=credential_use.c.at <= now - every,
        )
        self._connection.execute(statement, [{"service": service, "credential": key, "at": now}])

    def uses(self) -> dict[tuple[str, str], datetime]:
        """Return the last use of each credential, by service and id."""
        rows = self._connection.execute(select(credential_use))
        return {(row.service, row.credential): row.at for row in rows}


def _credential(row: Row[Any]) -> Credential:
    return Credential(
        row.id,
        row.service,
        row.subject,
        row.name,
        row.app,
        row.is_owner,
        row.access_expires,
        row.expires,
        row.created,
        row.renewed,
        row.problem,
    )


def _values(connected: Credential) -> dict[str, Any]:
    names = ("service", "subject", "name", "app", "is_owner", "access_expires", "expires", "created", "renewed")
    return {name: getattr(connected, name) for name in names} | {"problem": connected.problem}
