"""Tables of sources, hosts and the fetch log."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import big_integer, json_document, metadata

# Rate limits of hosts, for all workers. `running` maps the token of each running request to its latest end (Unix
# seconds), so that the slots of a dead worker expire.
host = Table(
    "host",
    metadata,
    Column("name", Text, primary_key=True),  # host group and port
    Column("next_start", UtcDateTime, nullable=False),
    Column("running", json_document, nullable=False),
    Column("paused_until", UtcDateTime),
    Column("pause_reason", Text),
    Column("strikes", Integer, nullable=False, server_default="0"),  # pauses for which the host gave no duration
)
# Groups of hosts and their limits. The longest suffix that matches a host's name wins.
host_group = Table(
    "host_group",
    metadata,
    Column("suffix", Text, primary_key=True),  # "tumblr.com": that host and its subdomains
    Column("name", Text, nullable=False),  # of the group; several suffixes may share one
    Column("spacing", Float),  # seconds; None: the default
    Column("concurrency", Integer),  # None: the default
    Column("pauses", Text, nullable=False),  # "group" or "url": the scope of a pause after a 429 or 503
)
# The measured poll demand of each kind of source.
pace = Table(
    "pace",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("level", Float, nullable=False),  # the daily average of the sum of all poll weights
    Column("sources", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
source = Table(
    "source",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("own_host", Text, nullable=False, server_default=""),  # name and port
    Column("host", Text, nullable=False),  # the name of its rate limit: host group and port
    Column("options", json_document, nullable=False),
    Column("policy", Text, nullable=False),
    Column("delay", Integer),  # seconds until new items are published, under the policy "delay"
    Column("on_edit", Text, nullable=False, server_default="stay"),  # how edits of approved items are treated
    Column("undescribed", Text, nullable=False, server_default="allow"),  # items with images without description
    Column("folder", Text, nullable=False, server_default=""),  # a group on the desk's page of sources
    Column("trusted", json_document),  # authors whose items need no review: handles or names
    Column(
        "managed", Text, nullable=False, server_default=""
    ),  # the file that defines its settings; "": people set them
    Column("state", Text, nullable=False),
    Column("state_reason", Text, nullable=False),
    Column("every", Integer),  # seconds between polls; None: adaptive
    Column("floor", Integer, nullable=False),  # seconds: minimum between polls
    Column("ceiling", Integer, nullable=False, server_default="86400"),  # seconds: maximum
    Column("interval", Integer, nullable=False),  # seconds, from the last response
    Column("due", UtcDateTime),
    Column("due_reason", Text, nullable=False),
    Column("asked", UtcDateTime),  # a poll was requested then
    # The leases of the version before, which may run beside this one: see `source_lease`. Not used any more.
    Column("lease_token", Text),
    Column("lease_until", UtcDateTime),
    Column("unfinished", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False),
    Column("strain", Float, nullable=False, server_default="0"),  # the sum of their weights
    Column("fetch_state", json_document, nullable=False),
    Column("rhythm", json_document),  # the publishing profile
    Column("speed", Float),  # the poll weight; None: not adaptive
    Column("appetite", Float),  # dollars a day for reading everything; None: free or unknown
    Column("moving", json_document),  # a permanent redirect that was seen
    Column("watch", json_document),  # the last publishing times and document facts, see `monitoring.watching`
    Column("silent_from", UtcDateTime),  # if it publishes nothing until then, it has gone silent; None: unknown
    Column("sealed", Text),  # secret headers, encrypted
    Column("created", UtcDateTime, nullable=False),
    Column("last_polled", UtcDateTime),
    Column("last_success", UtcDateTime),
    Column("last_new", UtcDateTime),
    Column("last_outcome", Text),
    Column("last_error", Text),
    Column("last_error_code", Text),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("kind", "address"),
    Index("ix_source_state_due", "state", "due"),
    Index("ix_source_state_failures", "state", "failures"),
    Index("ix_source_revision", "revision"),
    Index("ix_source_host_last_polled", "host", "last_polled"),
    Index("ix_source_silent_from", "silent_from"),
    Index("ix_source_name", "name", "id"),
    Index("ix_source_folder", "folder", "name", "id"),
    Index("ix_source_last_new", "last_new", "id"),
    # Counts and sums by state and kind are read from this index alone.
    Index("ix_source_totals", "state", "kind", "last_polled", "speed"),
    Index(
        "ix_source_asked",
        "asked",
        postgresql_where=text("asked IS NOT NULL"),
        sqlite_where=text("asked IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)
# The sources that a poll has leased, or whose last polls never ended: a few thousand rows for any number of sources.
source_lease = Table(
    "source_lease",
    metadata,
    Column("source_id", big_integer, ForeignKey("source.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("host", Text, nullable=False),  # as in `source`, when it was leased
    Column("token", Text),  # None: the lease ended
    Column("until", UtcDateTime),
    Column("unfinished", Integer, nullable=False, server_default="0"),  # polls in a row that started and never ended
)
# Former addresses of sources.
source_address = Table(
    "source_address",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("source_id", big_integer, ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
    Column("address", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("left", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_source_address_source_id", "source_id"),
    sqlite_autoincrement=True,
)
fetch_log = Table(
    "fetch_log",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("source_id", big_integer, ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
    Column("started", UtcDateTime, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("status", Integer),
    Column("bytes", BigInteger, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("new", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("error_code", Text),
    Column("message", Text),
    Column("next_poll", UtcDateTime, nullable=False),
    Column("next_reason", Text, nullable=False),
    Index("ix_fetch_log_source_id_id", "source_id", "id"),
    Index("ix_fetch_log_started", "started"),
    sqlite_autoincrement=True,
)
