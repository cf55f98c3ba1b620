"""Tables of accounts, sessions and API tokens."""

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
    UniqueConstraint,
    false,
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
    Column("password", Text, nullable=False),  # its argon2id hash; "" for users of a sign-on provider
    Column("created", UtcDateTime, nullable=False),
    Column("password_set", UtcDateTime, nullable=False),
    Column("last_sign_in", UtcDateTime),
    Column("disabled", UtcDateTime),
    Column("issuer", Text),  # the sign-on provider, and its id of the user
    Column("subject", Text),
    Column("passkey_required", Boolean, nullable=False, server_default=false()),  # after the password
    Index("uq_account_subject", "issuer", "subject", unique=True),
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
    Column("confirmed", UtcDateTime),  # when the user last proved who they are
    Column("provider_session", Text),  # digest of the provider's id of its session
    Column("id_token", Text),  # of the sign-on provider, encrypted; needed for signing out there
    Column("pending", Text),  # the form that waits for a confirmation, encrypted
    Index("ix_session_account_id", "account_id"),
    Index("ix_session_expires", "expires"),
    Index("ix_session_provider_session", "provider_session"),
)
# Public keys of passkeys.
passkey = Table(
    "passkey",
    metadata,
    Column("account_id", big_integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("credential", Text, nullable=False, unique=True),  # the authenticator's id of it, in base64url
    Column("name", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),  # in COSE's form
    Column("sign_count", BigInteger, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("last_used", UtcDateTime),
    Index("ix_passkey_account_id", "account_id"),
    sqlite_autoincrement=True,
)
# Keys of authenticator apps (TOTP), each accepted after its user entered a first code.
totp = Table(
    "totp",
    metadata,
    Column("account_id", big_integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("sealed", Text, nullable=False),  # the key, encrypted
    Column("last_step", BigInteger, nullable=False),  # of the last code that was used; earlier ones are refused
    Column("created", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
# Digests of recovery codes. Using one deletes it.
recovery_code = Table(
    "recovery_code",
    metadata,
    Column("account_id", big_integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("digest", Text, primary_key=True),
    Index("ix_recovery_code_account_id", "account_id"),
)
# Links that were mailed or handed over, of whose tokens only digests are stored. Using one deletes it.
account_link = Table(
    "account_link",
    metadata,
    Column("account_id", big_integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("digest", Text, primary_key=True),
    Column("purpose", Text, nullable=False),  # "password" or "email"
    Column("email", Text),  # the address that the link confirms
    Column("expires", UtcDateTime, nullable=False),
    Index("ix_account_link_account_id", "account_id"),
)
# Digests of single-use tokens that were used, until they expire.
spent_token = Table(
    "spent_token",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("expires", UtcDateTime, nullable=False),
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
# What users of the review desk chose for themselves; an account without a row has the defaults.
desk_setting = Table(
    "desk_setting",
    metadata,
    Column("account_id", big_integer, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("layout", Text, nullable=False, server_default="cards"),  # of the queue: "cards" or "list"
    Column("email", Text),
    Column("digest", Boolean, nullable=False, server_default=false()),  # a daily summary by e-mail
    Column("email_confirmed", UtcDateTime),  # when the user opened the link that was mailed there
    Column("digest_sent", UtcDateTime),  # when the last one was claimed by the worker that sends it
    Index(
        "ix_desk_setting_digest",
        "digest_sent",
        postgresql_where=text("digest"),
        sqlite_where=text("digest"),
    ),
)
# Filters of the queue that a user gave a name.
saved_view = Table(
    "saved_view",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("account_id", big_integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),  # the query string of the queue's page
    UniqueConstraint("account_id", "name"),
    sqlite_autoincrement=True,
)
