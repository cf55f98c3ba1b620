"""Read what PostgreSQL's settings are for our connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_NAMES = (
    "autovacuum",
    "default_transaction_isolation",
    "fsync",
    "full_page_writes",
    "idle_in_transaction_session_timeout",
    "is_superuser",
    "log_statement",
    "max_connections",
    "server_encoding",
    "server_version_num",
    "session_replication_role",
    "statement_timeout",
    "synchronous_commit",
)


class Server:
    """The database server, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.is_postgresql = connection.dialect.name == "postgresql"

    def settings(self) -> dict[str, str]:
        """Return PostgreSQL's settings by name; nothing on SQLite."""
        if not self.is_postgresql:
            return {}
        chosen = text("SELECT name, current_setting(name, true) FROM unnest(CAST(:names AS text[])) AS name")
        rows = self._connection.execute(chosen, {"names": list(_NAMES)})
        return {name: value for name, value in rows if value is not None}

    def clock(self) -> datetime | None:
        """Return the server's time; None on SQLite, which has no clock of its own."""
        if not self.is_postgresql:
            return None
        moment: datetime = self._connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment

    def replay_age(self) -> float | None:
        """Return the seconds since the last commit that a replica has replayed; None: it is none.

        A scheduler commits every few seconds, so a higher age is a lag.
        """
        if not self.is_postgresql:
            return None
        age = "extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())"
        value = self._connection.execute(text(f"SELECT {age}")).scalar()  # a constant
        return None if value is None else max(0.0, float(value))

    def may_write(self) -> bool:
        """Return whether this user may write the tables."""
        if not self.is_postgresql:
            return True
        allowed: bool = self._connection.execute(_PRIVILEGES).scalar_one()
        return allowed

    def sealed_headers(self, most: int) -> list[tuple[str, str]]:
        """Return the host and encrypted headers of some sources."""
        chosen = text("SELECT own_host, sealed FROM source WHERE sealed IS NOT NULL AND state <> 'removed' LIMIT :most")
        return [(row[0], row[1]) for row in self._connection.execute(chosen, {"most": most})]


_PRIVILEGES = text(
    "SELECT bool_and(has_table_privilege(name, privilege)) FROM unnest(ARRAY['activity', 'source', 'stream']) AS name, "
    "unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege"
)
