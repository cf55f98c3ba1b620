"""Store which code can use the schema, and backfills; index old records by age.

Revision: 0017, after 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime
from storage.online_migrations import create_index, drop_index

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
oldest_code = "0016"

_HIDDEN = sa.text("review = 'hidden' AND gone IS NULL")
_INDEXES = (
    ("ix_raw_payload_stored", "raw_payload", ["stored"], None),
    ("ix_activity_version_replaced", "activity_version", ["replaced"], None),
    ("ix_activity_hidden", "activity", ["reviewed", "first_seen"], _HIDDEN),
)


def upgrade() -> None:
    op.create_table(
        "schema_compatibility",
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("oldest_code", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_schema_compatibility"),
        if_not_exists=True,
    )
    op.create_table(
        "background_migration",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("changed", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("last_batch", UtcDateTime(), nullable=True),
        sa.Column("finished", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_background_migration"),
        if_not_exists=True,
    )
    for name, table, columns, where in _INDEXES:
        create_index(name, table, columns, postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    for name, table, _, _ in _INDEXES:
        drop_index(name, table)
    op.drop_table("background_migration")
    op.drop_table("schema_compatibility")
