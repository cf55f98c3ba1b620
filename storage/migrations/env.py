"""Alembic's entry: runs the migrations on the engine that the caller configured."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from storage.tables import metadata

_LOCK_TIMEOUT = "5s"  # a migration that can't get its table gives way to the running system
_STATEMENT_TIMEOUT = "10min"

engine = context.config.attributes["engine"]

with engine.connect() as connection:
    connection = connection.execution_options(writing=True)  # noqa: PLW2901  # the same one, marked
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET statement_timeout = '{_STATEMENT_TIMEOUT}'"))
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
        transaction_per_migration=True,
        compare_type=True,
        include_name=lambda name, _type, _parents: not (name or "").startswith("activity_words"),  # see tables.py
    )
    with context.begin_transaction():
        context.run_migrations()
