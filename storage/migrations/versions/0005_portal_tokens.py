"""Add API tokens for portals.

Revision: 0005, after 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "portal_token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("last_used", UtcDateTime(), nullable=True),
        sa.Column("revoked", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_token")),
    )
    op.create_index("uq_portal_token_digest", "portal_token", ["digest"], unique=True)
    stands = sa.text("revoked IS NULL")
    op.create_index(
        "uq_portal_token_name", "portal_token", ["name"], unique=True, postgresql_where=stands, sqlite_where=stands
    )


def downgrade() -> None:
    op.drop_table("portal_token")
