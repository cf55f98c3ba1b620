"""Tables of incidents, of the outages among them, and of the counts that metrics are computed from."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import big_integer, json_document, metadata

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
incident = Table(
    "incident",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),  # "outage", "silence", "wrong"
    Column("subject", Text, nullable=False),  # "host:youtube.com:443", "source:nasa"
    Column("sentence", Text, nullable=False),
    Column("evidence", json_document, nullable=False),
    Column("began", UtcDateTime, nullable=False),
    Column("ended", UtcDateTime),
    Column("notified", UtcDateTime),  # an alert was opened
    Column("snoozed_until", UtcDateTime),  # no alert before
    Column("muted", Boolean, nullable=False, server_default=text("false")),  # no alert, also of later ones
    Index(
        "uq_incident_open",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("ended IS NULL"),
        sqlite_where=text("ended IS NULL"),
    ),
    Index("ix_incident_subject", "subject", "id"),
    sqlite_autoincrement=True,
)
# Outages of host groups. Sources of the host are not polled while `released` is empty, except `canary`.
outage = Table(
    "outage",
    metadata,
    Column("host", Text, primary_key=True),  # host group and port, as `source.host`
    Column("incident_id", big_integer, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("began", UtcDateTime, nullable=False),
    Column("answered_since", UtcDateTime, nullable=False),  # sources with a success since then are not blamed
    Column("next_probe", UtcDateTime, nullable=False),
    Column("probes", Integer, nullable=False, server_default="0"),
    Column("probed", UtcDateTime),  # the last probe was requested then
    Column("canary", big_integer),  # the source that it polls
    Column("released", UtcDateTime),
    Index("ix_outage_incident_id", "incident_id"),
)
