"""Table of the counts that metrics are computed from."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from storage.tables.metadata import metadata

# What polls did, added up by UTC day: a few dozen rows a day, however many sources there are. `subject` is a kind of
# source or a network. Old days are added up in a row whose day is "", so that the totals never decrease.
daily_count = Table(
    "daily_count",
    metadata,
    Column("day", Text, primary_key=True),  # "2026-05-04"
    Column("measure", Text, primary_key=True),  # see `aggregator/domain/monitoring/counts.py`
    Column("subject", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    postgresql_with={"fillfactor": 50},  # each poll updates a few rows, in place while the page has space
)
