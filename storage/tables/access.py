"""Tables of accounts, sessions and API tokens."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import big_integer, metadata

# API tokens, of which only digests are stored.
portal_token = Table(
    "portal_token",
    metadata,
    Column("id", Text, primary_key=True),  # part of the token, not secret
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("last_used", UtcDateTime),
    Column("revoked", UtcDateTime),
    Index("uq_portal_token_digest", "digest", unique=True),
    Index(
        "uq_portal_token_name",  # a name can be reused after its token is revoked
        "name",
        unique=True,
        postgresql_where=text("revoked IS NULL"),
        sqlite_where=text("revoked IS NULL"),
    ),
)
# Accounts of the review desk.
account = Table(
    "account",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),  # its argon2id hash
    Column("created", UtcDateTime, nullable=False),
    Column("password_set", UtcDateTime, nullable=False),
    Column("last_sign_in", UtcDateTime),
    Column("disabled", UtcDateTime),
    sqlite_autoincrement=True,
)
# Sessions, of whose tokens only digests are stored.
session = Table(
    "session",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account_id", big_integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("last_used", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Index("ix_session_account_id", "account_id"),
    Index("ix_session_expires", "expires"),
)
# Failed sign-ins, by account name ("name:ana") and origin ("address:192.0.2.7").
sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last", UtcDateTime, nullable=False),
    Column("blocked_until", UtcDateTime),
)
