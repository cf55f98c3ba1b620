"""Tables of paid reads."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Table,
    Text,
)

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import metadata

# A metered service. Its row is the lock under which money is reserved.
meter = Table(
    "meter",
    metadata,
    Column("service", Text, primary_key=True),  # "x"
    Column("blocked_until", UtcDateTime),  # it reported a cap
    Column("blocked_reason", Text),
    Column("reported", Integer),  # posts of this cycle by the service's own count
    Column("reported_at", UtcDateTime),
    Column("balance", BigInteger),  # of prepaid credits, in micros
    Column("balance_at", UtcDateTime),
)
# The ledger of requests and results, by UTC day. `source_id` is 0 for requests without a source.
spend = Table(
    "spend",
    metadata,
    Column("service", Text, primary_key=True),
    Column("day", Text, primary_key=True),  # "2026-05-04"
    Column("source_id", BigInteger, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("requests", Integer, nullable=False),
    Column("posts", Integer, nullable=False),  # each counts once a day
    Column("users", Integer, nullable=False),
    Column("micros", BigInteger, nullable=False),  # millionths of a dollar
    Column("owned", Integer, nullable=False, server_default="0"),  # of the posts: those at the owner's price
)
# Money reserved for running requests, so that all workers together stay within the budget.
reservation = Table(
    "reservation",
    metadata,
    Column("token", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("source_id", BigInteger, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("micros", BigInteger, nullable=False),  # maximum
    Column("until", UtcDateTime, nullable=False),  # after which its worker is dead
)
# Items already billed on a day, since a service bills each once a day; kept for two days.
billed = Table(
    "billed",
    metadata,
    Column("service", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("item", Text, primary_key=True),  # "post:123", "user:9"
)
