"""Store accounts of the review desk, their sessions and failed sign-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, func, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aggregator.domain.access.accounts import Account, LinkPurpose, Role
from storage.engine import upsert
from storage.tables.access import account, account_link, desk_setting, session, sign_in_failure, spent_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Connection, Row

    from aggregator.domain.access.accounts import ProviderSession


class Session(NamedTuple):
    """A valid session."""

    account: Account
    last_used: datetime
    confirmed: datetime | None  # when the user last proved who they are


class Accounts:
    """The accounts, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, name: str, role: Role, password: str, now: datetime, **identity: str) -> bool:
        """Add an account with its password hash, or `issuer` and `subject`; return False if the name is taken."""
        statement = upsert.statement(self._connection, account, index=["name"], changing=[])
        values = {"name": name, "role": role.value, "password": password, "created": now, "password_set": now}
        inserted = statement.values(**values, **identity).returning(account.c.id)
        return self._connection.execute(inserted).scalar() is not None

    def get(self, name: str) -> Account | None:
        """Return the account with a name."""
        row = self._connection.execute(select(account).where(account.c.name == name)).one_or_none()
        return None if row is None else account_of(row)

    def by_id(self, id_: int) -> Account | None:
        """Return the account with an id."""
        row = self._connection.execute(select(account).where(account.c.id == id_)).one_or_none()
        return None if row is None else account_of(row)

    def by_subject(self, issuer: str, subject: str) -> Account | None:
        """Return the account of a sign-on provider's user."""
        own = (account.c.issuer == issuer) & (account.c.subject == subject)
        row = self._connection.execute(select(account).where(own)).one_or_none()
        return None if row is None else account_of(row)

    def with_email(self, email: str) -> list[Account]:
        """Return the accounts with a password here that confirmed an e-mail address."""
        chosen = (
            select(account)
            .join(desk_setting, desk_setting.c.account_id == account.c.id)
            .where(func.lower(desk_setting.c.email) == email.lower(), desk_setting.c.email_confirmed.is_not(None))
            .where(account.c.disabled.is_(None), account.c.issuer.is_(None))
            .order_by(account.c.id)
        )
        return [account_of(row) for row in self._connection.execute(chosen)]

    def password_of(self, name: str) -> str | None:
        """Return an account's password hash; None if the account may not sign in."""
        chosen = select(account.c.password).where(account.c.name == name, account.c.disabled.is_(None))
        hash_: str | None = self._connection.execute(chosen).scalar()
        return hash_ or None

    def all(self) -> list[Account]:
        """Return every account, by name."""
        return [account_of(row) for row in self._connection.execute(select(account).order_by(account.c.name))]

    def admins(self, besides: int = 0) -> int:
        """Return the number of admins who may sign in, without one of them."""
        active = (account.c.role == Role.ADMIN.value) & account.c.disabled.is_(None)
        return self._connection.execute(select(func.count()).where(active, account.c.id != besides)).scalar_one()

    def change(self, id_: int, **values: Any) -> None:  # noqa: ANN401  # columns of different types
        """Set columns of an account and end its sessions and password links, since its permissions may have changed."""
        self._connection.execute(update(account).where(account.c.id == id_).values(**values))
        links = (account_link.c.account_id == id_) & (account_link.c.purpose == LinkPurpose.PASSWORD.value)
        self._connection.execute(account_link.delete().where(links))
        self.close_all(id_)

    def rehash(self, id_: int, password: str) -> None:
        """Store a newer hash of the same password."""
        self._connection.execute(update(account).where(account.c.id == id_).values(password=password))

    def require_passkey(self, id_: int, *, required: bool) -> None:
        """Set whether an account needs a passkey after its password."""
        self._connection.execute(update(account).where(account.c.id == id_).values(passkey_required=required))

    # Sessions

    def open(
        self, digest: str, account_id: int, now: datetime, expires: datetime, *, provider: ProviderSession | None = None
    ) -> None:
        """Store a new session, which its user has just confirmed."""
        values = {"digest": digest, "account_id": account_id, "created": now, "last_used": now, "expires": expires}
        others = {} if provider is None else {"provider_session": provider.digest, "id_token": provider.id_token}
        self._connection.execute(session.insert().values(**values, confirmed=now, **others))
        self._connection.execute(update(account).where(account.c.id == account_id).values(last_sign_in=now))

    def session(self, digest: str, now: datetime, *, idle: timedelta) -> Session | None:
        """Return the session with a digest, if it is valid and its account may sign in."""
        row = self._connection.execute(
            select(account, session.c.last_used, session.c.confirmed)
            .join(session, session.c.account_id == account.c.id)
            .where(session.c.digest == digest, session.c.expires > now, session.c.last_used > now - idle)
            .where(account.c.disabled.is_(None))
        ).one_or_none()
        return None if row is None else Session(account_of(row), row.last_used, row.confirmed)

    def touch(self, digest: str, now: datetime) -> None:
        """Record that a session was used."""
        self._connection.execute(update(session).where(session.c.digest == digest).values(last_used=now))

    def confirm(self, digest: str, now: datetime) -> None:
        """Record that the user of a session has proved again who they are."""
        self._connection.execute(update(session).where(session.c.digest == digest).values(confirmed=now))

    def set_pending(self, digest: str, sealed: str | None) -> None:
        """Store the encrypted form that waits for a confirmation, in place of a former one."""
        self._connection.execute(update(session).where(session.c.digest == digest).values(pending=sealed))

    def pending(self, digest: str) -> str | None:
        """Return the encrypted form that waits for a confirmation."""
        sealed: str | None = self._connection.execute(
            select(session.c.pending).where(session.c.digest == digest)
        ).scalar()
        return sealed

    def close(self, digest: str) -> str | None:
        """End a session; return the provider's encrypted ID token, if there was one."""
        ended = session.delete().where(session.c.digest == digest).returning(session.c.id_token)
        id_token: str | None = self._connection.execute(ended).scalar()
        return id_token

    def close_at_provider(self, account_id: int | None, provider_session: str | None) -> int:
        """End the sessions of an account, of a provider's session, or of both; return the number."""
        chosen = session.delete()
        if account_id is not None:
            chosen = chosen.where(session.c.account_id == account_id)
        if provider_session is not None:
            chosen = chosen.where(session.c.provider_session == provider_session)
        if account_id is None and provider_session is None:
            return 0
        return self._connection.execute(chosen).rowcount

    def close_all(self, account_id: int) -> None:
        """End every session of an account."""
        self._connection.execute(session.delete().where(session.c.account_id == account_id))

    def forget(self, now: datetime, before: datetime) -> int:
        """Delete expired sessions, links and tokens, and old failures; return the number."""
        gone = self._connection.execute(session.delete().where(session.c.expires <= now)).rowcount
        for table in (account_link, spent_token):
            gone += self._connection.execute(table.delete().where(table.c.expires <= now)).rowcount
        old = sign_in_failure.delete().where(sign_in_failure.c.last < before)
        return gone + self._connection.execute(old).rowcount

    # Failed sign-ins

    def blocked(self, subjects: Sequence[str], now: datetime) -> datetime | None:
        """Return the end of the longest block of these subjects."""
        until = func.max(sign_in_failure.c.blocked_until)
        chosen = select(until).where(sign_in_failure.c.subject.in_(subjects), sign_in_failure.c.blocked_until > now)
        moment: datetime | None = self._connection.execute(chosen).scalar()
        return moment

    def count_attempt(self, subjects: Sequence[str], now: datetime, *, since: datetime) -> Mapping[str, int]:
        """Count an attempt to sign in, and return the number of consecutive attempts by subject.

        Counts from before `since` are discarded. Concurrent attempts are counted one by one: each subject's row stays
        locked until the transaction ends.
        """
        counts = {}
        for subject in sorted(subjects):  # a fixed order prevents deadlocks
            insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
            statement = insert(sign_in_failure).values(subject=subject, count=1, last=now, blocked_until=None)
            is_old = sign_in_failure.c.last < since
            counted = statement.on_conflict_do_update(
                index_elements=["subject"],
                set_={"count": case((is_old, 1), else_=sign_in_failure.c.count + 1), "last": now},
            )
            counts[subject] = self._connection.execute(counted.returning(sign_in_failure.c.count)).scalar_one()
        return counts

    def block(self, subject: str, until: datetime) -> None:
        """Block sign-ins of a subject until a time."""
        chosen = update(sign_in_failure).where(sign_in_failure.c.subject == subject)
        self._connection.execute(chosen.values(blocked_until=until))

    def uncount(self, subject: str, tries: int) -> None:
        """Undo one attempt, and the block if that attempt caused it; `tries` cause a block."""
        left = sign_in_failure.c.count - 1
        until = case((left < tries, null()), else_=sign_in_failure.c.blocked_until)
        chosen = update(sign_in_failure).where(sign_in_failure.c.subject == subject)
        self._connection.execute(chosen.values(count=left, blocked_until=until))

    def forgive(self, subjects: Sequence[str]) -> None:
        """Delete the failures of subjects that signed in."""
        for subject in sorted(subjects):  # as they are counted: another order could deadlock
            self._connection.execute(sign_in_failure.delete().where(sign_in_failure.c.subject == subject))


def account_of(row: Row[Any]) -> Account:
    """Return the account of a row."""
    return Account(
        row.id, row.name, Role(row.role), row.created, row.password_set, row.last_sign_in, row.disabled,
        row.issuer, row.subject, row.passkey_required,
    )  # fmt: skip
