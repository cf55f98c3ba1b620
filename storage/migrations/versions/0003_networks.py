"""Add paid networks: profiles, a ledger and a budget, keys that must not be stored again.

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ACCOUNTS_EVERY = 300  # seconds: the interval of every account on X before polling was adaptive
_TABLES = ("meter", "spend", "reservation", "billed", "gone_key", "checked", "compliance_job")


def upgrade() -> None:
    op.add_column("actor", sa.Column("refresh_after", UtcDateTime(), nullable=True))
    op.create_index("ix_actor_network_refresh_after", "actor", ["network", "refresh_after"])
    op.add_column("activity", sa.Column("object_actor_id", _big, nullable=True))
    part = sa.text("object_actor_id IS NOT NULL")
    op.create_index(
        "ix_activity_object_actor_id", "activity", ["object_actor_id"], postgresql_where=part, sqlite_where=part
    )
    op.add_column("source", sa.Column("appetite", sa.Float(), nullable=True))
    source = sa.table("source", *(sa.column(name) for name in ("kind", "every")))
    usual = sa.and_(source.c.kind == "twitter", source.c.every == _ACCOUNTS_EVERY)
    op.execute(source.update().where(usual).values(every=None))

    op.create_table(
        "meter",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("blocked_until", UtcDateTime(), nullable=True),
        sa.Column("blocked_reason", sa.Text(), nullable=True),
        sa.Column("reported", sa.Integer(), nullable=True),
        sa.Column("reported_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("service", name=op.f("pk_meter")),
    )
    op.create_table(
        "spend",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("users", sa.Integer(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service", "day", "source_id", "endpoint", "purpose", name=op.f("pk_spend")),
    )
    op.create_table(
        "reservation",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_reservation")),
    )
    op.create_table(
        "billed",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service", "day", "item", name=op.f("pk_billed")),
    )
    op.create_table(
        "gone_key",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_gone_key")),
    )
    op.create_table(
        "checked",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_checked")),
    )
    op.create_table(
        "compliance_job",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("ids", sa.Integer(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("ended", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compliance_job")),
    )


def downgrade() -> None:
    for name in reversed(_TABLES):
        op.drop_table(name)
    op.drop_column("source", "appetite")
    op.drop_index("ix_activity_object_actor_id", "activity")
    op.drop_column("activity", "object_actor_id")
    op.drop_index("ix_actor_network_refresh_after", "actor")
    op.drop_column("actor", "refresh_after")
