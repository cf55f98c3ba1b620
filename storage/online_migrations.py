"""Change tables while the system runs: helpers of migrations, see `docs/migrations.md`."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from alembic.script import Script

from aggregator.domain.errors import SchemaError
from storage.tables.migrations import background_migration, schema_compatibility

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from alembic.runtime.migration import MigrationContext, MigrationInfo
    from sqlalchemy import Connection

LOCK_LIMIT = 0.5  # seconds to wait for a lock, behind which requests wait as well
STATEMENT_LIMIT = 600.0  # seconds per statement of a migration
_INDEX_LIMIT = 6 * 3600.0  # seconds for building an index beside the running system
_INVALID = sa.text(
    "SELECT NOT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE c.relname = :name AND pg_table_is_visible(c.oid)"
)


def create_index(name: str, table: str, columns: Sequence[str], **options: Any) -> None:  # noqa: ANN401  # Alembic's own
    """Create an index without blocking readers or writers. May be repeated.

    PostgreSQL commits what the migration did before, and builds the index outside of a transaction. An attempt that was
    interrupted leaves an invalid index, which is replaced.
    """
    if op.get_bind().dialect.name != "postgresql":
        op.create_index(name, table, list(columns), **options)
        return
    with _outside_transaction():
        if op.get_bind().execute(_INVALID, {"name": name}).scalar():
            op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
        op.create_index(name, table, list(columns), postgresql_concurrently=True, if_not_exists=True, **options)


def drop_index(name: str, table: str) -> None:
    """Remove an index without blocking readers or writers. May be repeated."""
    if op.get_bind().dialect.name != "postgresql":
        op.drop_index(name, table)
        return
    with _outside_transaction():
        op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)


def start_backfill(name: str) -> None:
    """Let the workers run a backfill of `storage.backfills` beside the system. May be repeated."""
    bind = op.get_bind()
    known = bind.execute(sa.select(background_migration.c.name).where(background_migration.c.name == name)).scalar()
    if known is None:
        bind.execute(background_migration.insert().values(name=name, created=datetime.now(UTC)))


def require_backfill(name: str) -> None:
    """Check that a backfill has finished, before a migration removes what it read.

    Raises:
        SchemaError: it hasn't.
    """
    row = background_migration.c.name == name
    chosen = sa.select(background_migration.c.finished).where(row, background_migration.c.finished.is_not(None))
    if op.get_bind().execute(chosen).first() is None:
        raise SchemaError(
            f"The background migration {name!r} hasn't finished; run 'aggregator migrate --wait' with the version "
            "before this one."
        )


def note_compatibility(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Store the oldest code that can use the schema, in the transaction of the migration itself."""
    del heads, run_args
    connection, script = ctx.connection, step.up_revision
    if connection is None or not isinstance(script, Script):
        return
    if not sa.inspect(connection).has_table(schema_compatibility.name):  # before 0017
        return
    connection.execute(schema_compatibility.delete().where(schema_compatibility.c.revision == script.revision))
    if step.is_upgrade:
        oldest = getattr(script.module, "oldest_code", script.revision)
        connection.execute(schema_compatibility.insert().values(revision=script.revision, oldest_code=oldest))


@contextmanager
def _outside_transaction() -> Iterator[None]:
    """Let statements wait for older transactions: a concurrent index blocks nothing meanwhile."""
    with op.get_context().autocommit_block():
        set_limits(op.get_bind(), _INDEX_LIMIT, 0)
        yield
        set_limits(op.get_bind(), STATEMENT_LIMIT, LOCK_LIMIT)


def set_limits(connection: Connection, statement: float, lock: float) -> None:
    """Set the limits of a PostgreSQL session in seconds; 0: none."""
    connection.exec_driver_sql(f"SET statement_timeout = {int(statement * 1000)}")
    connection.exec_driver_sql(f"SET lock_timeout = {int(lock * 1000)}")
    driver: Any = connection.connection.driver_connection
    driver.answer_limit = statement + 1
