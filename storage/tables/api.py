"""Tables of the APIs of services: their refusals, and the parameter values that they refuse."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    Table,
    Text,
)

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import metadata

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
