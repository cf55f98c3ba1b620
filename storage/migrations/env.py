"""Run migrations on the engine that the caller configured; Alembic's entry point."""

from __future__ import annotations

from alembic import context

from storage.engine.postgresql import allow_long_statements
from storage.online_migrations import LOCK_LIMIT, STATEMENT_LIMIT, note_compatibility
from storage.tables.metadata import metadata

engine = context.config.attributes["engine"]

with engine.connect() as connection:
    connection = connection.execution_options(writing=True)  # noqa: PLW2901  # the same one, marked
    if connection.dialect.name == "postgresql":
        allow_long_statements(connection, STATEMENT_LIMIT, lock_limit=LOCK_LIMIT)
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
        transaction_per_migration=True,
        compare_type=True,
        on_version_apply=note_compatibility,
        include_name=lambda name, _type, _parents: not (name or "").startswith("activity_words"),  # see `tables`
    )
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        if connection.dialect.name == "postgresql":
            connection.invalidate()  # a pooled connection must not keep the long limits
