"""Tables of the APIs of services: their refusals, and the accounts that are connected."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import big_integer, metadata

# Current refusals of services: a token, a permission or the credits. Its row is the lock of the next probe.
api_refusal = Table(
    "api_refusal",
    metadata,
    Column("service", Text, primary_key=True),
    Column("credential", Text, primary_key=True),  # its id, which doesn't reveal it
    Column("endpoint", Text, primary_key=True),  # "": all endpoints
    Column("code", Text, nullable=False),  # of the error
    Column("reason", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),  # the next probe
    Column("probes", Integer, nullable=False),
    Column("polls", Boolean, nullable=False),  # whether it keeps sources from being read
    Column("replaced_by", Text),  # the new credential of the settings, for which the sources were made due
)
# Parameter values that an endpoint refuses, such as expansions that a plan doesn't include.
refused_value = Table(
    "refused_value",
    metadata,
    Column("host", Text, primary_key=True),  # name and port
    Column("endpoint", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)
# Connected accounts. Their tokens are encrypted; one process at a time renews them.
credential = Table(
    "credential",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("service", Text, nullable=False),
    Column("subject", Text, nullable=False),  # the account's native id
    Column("name", Text, nullable=False),
    Column("app", Text, nullable=False),  # the id of the app
    Column("is_owner", Boolean, nullable=False),  # the account owns the app
    Column("sealed", Text, nullable=False),
    Column("access_expires", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("renewed", UtcDateTime, nullable=False),
    Column("problem", Text),  # why it can't be used any more
    Column("lease_until", UtcDateTime),  # a process renews it
    UniqueConstraint("service", "subject", "app"),
    sqlite_autoincrement=True,
)
# Authorizations that people have begun, of whose `state` parameters only digests are stored.
credential_request = Table(
    "credential_request",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("is_owner", Boolean, nullable=False),
    Column("redirect_url", Text, nullable=False),
    Column("sealed", Text, nullable=False),  # the app and the PKCE verifier, encrypted
    Column("until", UtcDateTime, nullable=False),
)
# The last use of each credential, including that of the settings.
credential_use = Table(
    "credential_use",
    metadata,
    Column("service", Text, primary_key=True),
    Column("credential", Text, primary_key=True),  # its id, which doesn't reveal it
    Column("at", UtcDateTime, nullable=False),
)
