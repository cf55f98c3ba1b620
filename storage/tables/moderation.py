"""Tables of pending edits, rules, freezes, the audit log and alerts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import big_integer, json_document, metadata

# The history: who decided or changed what, when and why. `who` is "system", "command line" or a person's name. Each
# row's hash is made over the row and the hash before it; triggers refuse to change or delete rows. It never holds
# anything that others wrote: what must go from the stream must not stay here.
audit = Table(
    "audit",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),  # "source moved"
    Column("subject", Text, nullable=False),  # "source:nasa", "activity:12"
    Column("detail", json_document),
    Column("batch", Text),  # what was decided together, and is undone together
    Column("hash", Text, nullable=False, server_default=""),
    Index("ix_audit_subject", "subject", "id"),
    Index(
        "ix_audit_batch", "batch", postgresql_where=text("batch IS NOT NULL"), sqlite_where=text("batch IS NOT NULL")
    ),
    sqlite_autoincrement=True,
)
# An edit of what a person approved, which waits for a person too; kept afterwards, so that it is not asked twice.
held_edit = Table(
    "held_edit",
    metadata,
    Column("activity_id", big_integer, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("arrived", UtcDateTime, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("entry_digest", Text, nullable=False),
    Column("content", json_document, nullable=False),  # the whole of it, as `Screened`
    Column("raw", LargeBinary),
    Column("dealt_with", UtcDateTime),
)
# Which waiting activities are in whose hands, so that two people do not read the same.
handout = Table(
    "handout",
    metadata,
    Column("activity_id", big_integer, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("account", Text, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Index("ix_handout_account", "account"),
)
# What editors set up to be done with what comes.
rule = Table(
    "rule",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("place", Integer, nullable=False),  # the lowest comes first
    Column("action", Text, nullable=False),  # "keep", "hold", "hide", "tag" or "pin"
    Column("value", Text),  # the tag; for how many days it is pinned
    Column("every", Boolean, nullable=False),  # all conditions must hold, or any
    Column("conditions", json_document, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("until", UtcDateTime),
    Column("created", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    Column("author", Text, nullable=False),
    Column("acted", BigInteger, nullable=False, server_default="0"),  # how often
    Column("last_acted", UtcDateTime),
    sqlite_autoincrement=True,
)
# Times in which nothing new is shown.
freeze = Table(
    "freeze",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("source_id", big_integer, ForeignKey("source.id", ondelete="CASCADE")),  # none: all of them
    Column("until", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("begun", UtcDateTime, nullable=False),
    Column("ended", UtcDateTime),  # before its time
    Index("ix_freeze_until", "until"),
    sqlite_autoincrement=True,
)
# What people are told: a source stopped, the queue grows old. `told` is when it went out by mail or webhook.
alert = Table(
    "alert",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),  # "source-stopped", "queue-old"
    Column("subject", Text, nullable=False),  # "source:nasa", "queue"
    Column("sentence", Text, nullable=False),
    Column("opened", UtcDateTime, nullable=False),
    Column("closed", UtcDateTime),
    Column("told", UtcDateTime),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_try", UtcDateTime),
    Column("problem", Text),  # why it could not be told
    Index(
        "uq_alert_open",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("closed IS NULL"),
        sqlite_where=text("closed IS NULL"),
    ),
    sqlite_autoincrement=True,
)
