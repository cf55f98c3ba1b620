"""Add the state of polite polling: publishing profile, pace, host groups, moves, stable keys.

Revision: 0002, after 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.engine.connect import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

_PARTIAL = (
    ("ix_activity_object_key", ["object_key"], "object_key IS NOT NULL"),
    ("ix_activity_review", ["review", "id"], "review <> 'published'"),
)
_FEEDS_EVERY = 900  # seconds: the interval of every feed before it was configurable
# Services whose many host names share a few machines.
_GROUPS = {
    "blogspot.com": "blogspot.com",
    "feedburner.com": "feedburner.com",
    "feedproxy.google.com": "feedburner.com",
    "livejournal.com": "livejournal.com",
    "medium.com": "medium.com",
    "openrss.org": "openrss.org",
    "redd.it": "reddit.com",
    "reddit.com": "reddit.com",
    "substack.com": "substack.com",
    "tumblr.com": "tumblr.com",
    "wordpress.com": "wordpress.com",
    "youtube.com": "youtube.com",
}


def upgrade() -> None:
    op.add_column("host", sa.Column("strikes", sa.Integer(), nullable=False, server_default="0"))
    groups = op.create_table(
        "host_group",
        sa.Column("suffix", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("spacing", sa.Float(), nullable=True),
        sa.Column("concurrency", sa.Integer(), nullable=True),
        sa.Column("pauses", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("suffix", name=op.f("pk_host_group")),
    )
    op.bulk_insert(groups, [{"suffix": suffix, "name": name, "pauses": "group"} for suffix, name in _GROUPS.items()])
    op.create_table(
        "pace",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("sources", sa.Integer(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_pace")),
    )

    # Renamed in place: altering a column on SQLite copies the table, and dropping the old table deletes its log.
    op.execute('ALTER TABLE source RENAME COLUMN every TO "interval"')
    op.add_column("source", sa.Column("every", sa.Integer(), nullable=True))
    op.add_column("source", sa.Column("ceiling", sa.Integer(), nullable=False, server_default="86400"))
    op.add_column("source", sa.Column("strain", sa.Float(), nullable=False, server_default="0"))
    op.add_column("source", sa.Column("rhythm", _json, nullable=True))
    op.add_column("source", sa.Column("speed", sa.Float(), nullable=True))
    op.add_column("source", sa.Column("moving", _json, nullable=True))
    op.add_column("source", sa.Column("sealed", sa.Text(), nullable=True))
    op.add_column("source", sa.Column("own_host", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE source SET own_host = host")
    source = sa.table("source", *(sa.column(name) for name in ("kind", "every", "interval")))
    usual = sa.and_(source.c.kind == "rss", source.c.interval == _FEEDS_EVERY)
    op.execute(source.update().where(sa.not_(usual)).values(every=source.c.interval))

    op.create_table(
        "source_address",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("source_id", _big, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("left", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_source_address_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_address")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_source_address_source_id", "source_address", ["source_id"])
    op.create_table(
        "audit",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", _json, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_subject", "audit", ["subject"])

    op.add_column("activity", sa.Column("alias", sa.Text(), nullable=True))
    op.add_column("activity", sa.Column("likeness", sa.Text(), nullable=True))
    op.create_index("ix_activity_source_id_alias", "activity", ["source_id", "alias"])
    op.create_index("ix_activity_source_id_likeness", "activity", ["source_id", "likeness"])
    for name, columns, where in _PARTIAL:
        op.drop_index(name, "activity")
        part = sa.text(where)
        op.create_index(name, "activity", columns, postgresql_where=part, sqlite_where=part)


def downgrade() -> None:
    for name, columns, _ in _PARTIAL:
        op.drop_index(name, "activity")
        op.create_index(name, "activity", columns)
    op.drop_index("ix_activity_source_id_likeness", "activity")
    op.drop_index("ix_activity_source_id_alias", "activity")
    op.drop_column("activity", "likeness")
    op.drop_column("activity", "alias")
    op.drop_table("audit")
    op.drop_table("source_address")
    for name in ("sealed", "moving", "speed", "rhythm", "strain", "ceiling", "every", "own_host"):
        op.drop_column("source", name)
    op.execute('ALTER TABLE source RENAME COLUMN "interval" TO every')
    op.drop_table("pace")
    op.drop_table("host_group")
    op.drop_column("host", "strikes")
