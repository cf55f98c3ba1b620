"""Tables of removals and compliance jobs."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Integer,
    Table,
    Text,
)

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import metadata

# Keys that no source may store again: of posts ("x:123") and people ("x:@9").
gone_key = Table(
    "gone_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
)
# When the network was last asked whether a stored item still exists.
checked = Table("checked", metadata, Column("key", Text, primary_key=True), Column("at", UtcDateTime, nullable=False))
# Jobs over lists of ids that a network was asked to check. Their upload and download addresses are never stored.
compliance_job = Table(
    "compliance_job",
    metadata,
    Column("id", Text, primary_key=True),  # the network's
    Column("network", Text, nullable=False),
    Column("type", Text, nullable=False),  # "tweets" or "users"
    Column("ids", Integer, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("status", Text, nullable=False),
    Column("ended", UtcDateTime),
)
