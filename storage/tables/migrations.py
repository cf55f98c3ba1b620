"""Tables about the schema itself: which code can use it, and backfills that run beside the system."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import metadata

# For each migration, the oldest code that can use the schema after it: the revision that this code calls newest.
schema_compatibility = Table(
    "schema_compatibility",
    metadata,
    Column("revision", Text, primary_key=True),
    Column("oldest_code", Text, nullable=False),
)
# Backfills of `storage/backfills.py`. Their rows are their locks; each batch commits its progress with its changes.
background_migration = Table(
    "background_migration",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created", UtcDateTime, nullable=False),
    Column("position", BigInteger, nullable=False, server_default="0"),  # the last key that was examined
    Column("changed", BigInteger, nullable=False, server_default="0"),  # rows
    Column("last_batch", UtcDateTime),
    Column("finished", UtcDateTime),
    Column("problem", Text),  # why the last batch failed
)
