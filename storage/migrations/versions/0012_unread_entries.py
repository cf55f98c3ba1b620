"""Keep entries that can't be read yet; store threads, and the posts that reposted quotes are about.

Revision: 0012, after 0011
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import big_integer

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COLUMNS: dict[str, Any] = {"thread": sa.Text(), "quoted_key": sa.Text(), "quoted_actor_id": big_integer}


def upgrade() -> None:
    op.create_table(
        "unread_entry",
        sa.Column("id", big_integer, primary_key=True, autoincrement=True),
        sa.Column("source_id", big_integer, sa.ForeignKey("source.id"), nullable=False),
        sa.Column("native_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.UniqueConstraint("source_id", "native_id"),
        sqlite_autoincrement=True,
    )
    for name, type_ in _COLUMNS.items():
        op.add_column("activity", sa.Column(name, type_, nullable=True))
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_activity_{name}", "activity", [name], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_index(f"ix_activity_{name}", "activity")
        op.execute(f"ALTER TABLE activity DROP COLUMN {name}")
    op.drop_table("unread_entry")
