"""Index what a claim and the metrics count, and set how the most changed tables are vacuumed.

Revision: 0019, after 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.online_migrations import create_index, drop_index

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
oldest_code = "0016"

_PARTIAL = {
    "ix_source_leased": (["host", "kind"], "lease_token IS NOT NULL"),
    "ix_source_asked": (["asked"], "asked IS NOT NULL"),
}
# A poll updates its source three times: pages with free space take the new versions without new index entries where no
# indexed column changes. The defaults would vacuum a table of a million rows after 200,000 changes.
_STORAGE = {
    "source": {"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.02", "autovacuum_analyze_scale_factor": "0.05"},
    "host": {"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.02"},
    "activity": {"autovacuum_vacuum_scale_factor": "0.05", "autovacuum_analyze_scale_factor": "0.02"},
    "activity_tag": {"autovacuum_vacuum_scale_factor": "0.05", "autovacuum_vacuum_insert_scale_factor": "0.05"},
    "fetch_log": {"autovacuum_vacuum_scale_factor": "0.05", "autovacuum_vacuum_insert_scale_factor": "0.05"},
}


def upgrade() -> None:
    for name, (columns, condition) in _PARTIAL.items():
        where = sa.text(condition)
        create_index(name, "source", columns, postgresql_where=where, sqlite_where=where)
    create_index("ix_source_host_last_polled", "source", ["host", "last_polled"])
    drop_index("ix_source_host", "source")
    create_index("ix_source_totals", "source", ["state", "kind", "last_polled", "speed"])
    if op.get_bind().dialect.name == "postgresql":
        for table, options in _STORAGE.items():
            op.execute(f"ALTER TABLE {table} SET ({', '.join(f'{name} = {value}' for name, value in options.items())})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, options in _STORAGE.items():
            op.execute(f"ALTER TABLE {table} RESET ({', '.join(options)})")
    create_index("ix_source_host", "source", ["host"])
    for name in ("ix_source_totals", "ix_source_host_last_polled", *_PARTIAL):
        drop_index(name, "source")
