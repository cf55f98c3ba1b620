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

# The audit log: who changed what, when and why. `who` is "system", "command line" or a user's name. Each row's
# hash covers the row and the previous hash; triggers reject updates and deletes. It never contains third-party content,
# since removed content must not stay here.
audit = Table(
    "audit",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),  # "source moved"
    Column("subject", Text, nullable=False),  # "source:nasa", "activity:12"
    Column("detail", json_document),
    Column("batch", Text),  # groups decisions that are undone together
    Column("hash", Text, nullable=False, server_default=""),
    Index("ix_audit_subject", "subject", "id"),
    Index(
        "ix_audit_batch", "batch", postgresql_where=text("batch IS NOT NULL"), sqlite_where=text("batch IS NOT NULL")
    ),
    sqlite_autoincrement=True,
)
# A pending edit of an approved activity; kept after the decision, so that the same edit isn't pending again.
held_edit = Table(
    "held_edit",
    metadata,
    Column("activity_id", big_integer, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("arrived", UtcDateTime, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("entry_digest", Text, nullable=False),
    Column("content", json_document, nullable=False),  # the whole entry, as `ScreenedActivity`
    Column("raw", LargeBinary),
    Column("dealt_with", UtcDateTime),
)
# Assignments of waiting activities, so that two people don't review the same ones.
handout = Table(
    "handout",
    metadata,
    Column("activity_id", big_integer, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("account", Text, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Index("ix_handout_account", "account"),
)
# Editors' rules for new items.
rule = Table(
    "rule",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("place", Integer, nullable=False),  # the lowest is evaluated first
    Column("action", Text, nullable=False),  # "keep", "hold", "hide", "tag" or "pin"
    Column("value", Text),  # the tag; the days of a pin
    Column("every", Boolean, nullable=False),  # all conditions must match, or any
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
# Periods in which no new items are published.
freeze = Table(
    "freeze",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("source_id", big_integer, ForeignKey("source.id", ondelete="CASCADE")),  # None: all sources
    Column("until", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("begun", UtcDateTime, nullable=False),
    Column("ended", UtcDateTime),  # ended early
    Index("ix_freeze_until", "until"),
    sqlite_autoincrement=True,
)
# Alerts: a source stopped, the queue is old. `told` is when it was delivered by e-mail or webhook.
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
    Column("problem", Text),  # why the delivery failed
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
