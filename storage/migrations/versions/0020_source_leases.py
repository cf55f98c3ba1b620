"""Store the leases of sources in a narrow table, which polls change instead of the wide rows of sources.

Revision: 0020, after 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime
from storage.online_migrations import create_index, drop_index

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None
oldest_code = "0016"  # it keeps leases in its own columns: a source may be polled by both versions until it has ended

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LEASED = sa.text("lease_token IS NOT NULL")


def upgrade() -> None:
    drop_index("ix_source_leased", "source")  # first: it ends the transaction, and all else is done in one
    op.create_table(
        "source_lease",
        sa.Column("source_id", _id, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("unfinished", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_source_lease")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_source_lease_source_id"), ondelete="CASCADE"
        ),
    )
    op.execute(
        "INSERT INTO source_lease (source_id, kind, host, token, until, unfinished) "
        "SELECT id, kind, host, lease_token, lease_until, unfinished FROM source WHERE lease_token IS NOT NULL"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE source_lease SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)"
        )


def downgrade() -> None:
    create_index("ix_source_leased", "source", ["host", "kind"], postgresql_where=_LEASED, sqlite_where=_LEASED)
    op.drop_table("source_lease")
