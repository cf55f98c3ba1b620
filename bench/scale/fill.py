"""Make sources in bulk, as they are after days of polling."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from storage.store import Store

AT_ONCE = 20_000  # rows per statement
# One source in five is a channel of one of four platforms; the others have hosts of their own, four sources on each.
# They are due within the hour, as polls spread them; one in fifty fails, and one in a thousand is paused.
_SOURCES = text(
    """
INSERT INTO source (slug, kind, name, address, own_host, host, options, policy, state, state_reason, floor, interval,
                    due, due_reason, failures, fetch_state, rhythm, speed, watch, silent_from, created, last_polled,
                    last_success, last_new, last_outcome, last_error, last_error_code, revision)
SELECT 's' || n, 'rss', 'Source number ' || n, 'https://' || domain || '/feed/' || n, domain || '\\:443',
       domain || '\\:443', '{}', 'auto', CASE WHEN n % 1000 = 1 THEN 'paused' ELSE 'active' END, '', 900, 3600,
       CAST(:now AS timestamptz) + ((n * 7919) % 3600000) * INTERVAL '1 millisecond', 'adaptive',
       CASE WHEN n % 50 = 0 THEN 1 + (n / 50) % 60 ELSE 0 END,
       CAST('{"etag"\\: "' || digest || '", "seen"\\: "' || repeat(digest, 12) || '"}' AS json),
       CAST('{"hours"\\: "' || repeat(left(digest, 8), 24) || '"}' AS json), 0.5 + (n % 100) / 100.0,
       CAST('{"gaps"\\: "' || repeat(left(digest, 6), 16) || '"}' AS json),
       CAST(:now AS timestamptz) + (1 + n % 20) * INTERVAL '1 day', CAST(:now AS timestamptz) - INTERVAL '90 days',
       CAST(:now AS timestamptz) - ((n * 7919) % 3600000) * INTERVAL '1 millisecond',
       CAST(:now AS timestamptz) - INTERVAL '1 hour' * CASE WHEN n % 50 = 0 THEN 1 + (n / 50) % 60 ELSE 1 END,
       CAST(:now AS timestamptz) - INTERVAL '1 day', 'unchanged',
       CASE WHEN n % 50 = 0 THEN 'The server answered with status 500.' END,
       CASE WHEN n % 50 = 0 THEN 'http-status' END, n
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n,
     LATERAL (SELECT CASE WHEN n % 5 = 0 THEN 'platform' || n / 5 % 4 ELSE 'host' || n / 5 END || '.example'
              AS domain, md5(CAST(n AS text)) AS digest) AS made
"""
)


def fill_sources(store: Store, count: int, now: datetime) -> float:
    """Store sources; return the seconds."""
    began = time.perf_counter()
    for first in range(1, count + 1, AT_ONCE):
        with store.engine.connect() as connection, connection.begin():
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            last = min(first + AT_ONCE - 1, count)
            connection.execute(_SOURCES, {"first": first, "last": last, "now": now})
    maintain(store)
    return time.perf_counter() - began


def maintain(store: Store) -> None:
    """Vacuum and analyze all tables, as autovacuum does in time."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.connection.driver_connection.answer_limit = 600.0  # type: ignore[union-attr]  # our own class
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))
        connection.invalidate()  # its limits would stay
