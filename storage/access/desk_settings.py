"""Store settings and saved views of the desk's users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, or_, select, update

from aggregator.domain.access.accounts import Role
from aggregator.domain.access.desk_settings import MOST_VIEWS, DeskSettings, Layout, SavedView
from storage.engine import upsert
from storage.tables.access import account, desk_setting, saved_view

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection


class DigestReceiver(NamedTuple):
    """A user to whom the daily summary is due."""

    account_id: int
    name: str
    email: str
    since: datetime | None  # when the last one was claimed
    role: Role


class DeskSettingsTable:
    """The settings of users, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, account_id: int) -> DeskSettings:
        """Return the settings of a user, or the defaults."""
        chosen = select(desk_setting).where(desk_setting.c.account_id == account_id)
        row = self._connection.execute(chosen).one_or_none()
        if row is None:
            return DeskSettings()
        return DeskSettings(Layout(row.layout), row.email, row.digest, row.digest_sent, row.email_confirmed)

    def change(self, account_id: int, **values: Any) -> None:  # noqa: ANN401  # columns of different types
        """Set columns of a user's settings."""
        statement = upsert.statement(self._connection, desk_setting, index=["account_id"], changing=[*values])
        self._connection.execute(statement.values(account_id=account_id, **values))

    def emails(self) -> Mapping[int, tuple[str, bool]]:
        """Return the e-mail addresses by account, and whether each is confirmed."""
        columns = desk_setting.c.account_id, desk_setting.c.email, desk_setting.c.email_confirmed
        rows = self._connection.execute(select(*columns).where(desk_setting.c.email.is_not(None)))
        return {row.account_id: (row.email, row.email_confirmed is not None) for row in rows}

    def views(self, account_id: int) -> list[SavedView]:
        """Return the saved views of a user, by name."""
        chosen = select(saved_view).where(saved_view.c.account_id == account_id).order_by(saved_view.c.name)
        return [SavedView(row.id, row.name, row.query) for row in self._connection.execute(chosen)]

    def save_view(self, account_id: int, name: str, query: str) -> bool:
        """Save a view, or replace the one with its name; return False if the user has too many."""
        others = (saved_view.c.account_id == account_id) & (saved_view.c.name != name)
        counted = select(func.count()).select_from(saved_view).where(others)
        if self._connection.execute(counted).scalar_one() >= MOST_VIEWS:
            return False
        index = ["account_id", "name"]
        statement = upsert.statement(self._connection, saved_view, index=index, changing=["query"])
        self._connection.execute(statement.values(account_id=account_id, name=name, query=query))
        return True

    def delete_view(self, account_id: int, id_: int) -> bool:
        """Delete a saved view of a user; return whether there was one."""
        own = (saved_view.c.account_id == account_id) & (saved_view.c.id == id_)
        return self._connection.execute(saved_view.delete().where(own)).rowcount > 0

    def claim_digests(self, now: datetime, before: datetime, limit: int) -> list[DigestReceiver]:
        """Claim the summaries of users whose last one was before a time: no other worker sends them."""
        due = or_(desk_setting.c.digest_sent.is_(None), desk_setting.c.digest_sent < before)
        has_digest = desk_setting.c.digest & desk_setting.c.email_confirmed.is_not(None)
        chosen = (
            select(account.c.id, account.c.name, desk_setting.c.email, desk_setting.c.digest_sent, account.c.role)
            .join(desk_setting, desk_setting.c.account_id == account.c.id)
            .where(has_digest, account.c.disabled.is_(None), due)
            .order_by(account.c.id)
            .limit(limit)
            .with_for_update(of=desk_setting, skip_locked=True)
        )
        found = [DigestReceiver(*row[:4], Role(row.role)) for row in self._connection.execute(chosen)]
        if found:
            ids = [receiver.account_id for receiver in found]
            claimed = update(desk_setting).where(desk_setting.c.account_id.in_(ids))
            self._connection.execute(claimed.values(digest_sent=now))
        return found

    def return_digest(self, receiver: DigestReceiver, claimed: datetime) -> None:
        """Let a summary that could not be sent be due again; a later claim or change is kept."""
        own = (desk_setting.c.account_id == receiver.account_id) & (desk_setting.c.digest_sent == claimed)
        self._connection.execute(update(desk_setting).where(own).values(digest_sent=receiver.since))
