"""Store what the desk's users choose, folders of sources, pictures of posts, and editors' descriptions of images.

Revision: 0021, after 0020
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from storage.engine.connect import UtcDateTime
from storage.online_migrations import create_index, drop_index

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
oldest_code = "0016"

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_DIGEST = sa.text("digest")
_INDEXES = {
    "ix_source_name": ["name", "id"],
    "ix_source_folder": ["folder", "name", "id"],
    "ix_source_last_new": ["last_new", "id"],
}


def upgrade() -> None:
    may_exist: Any = {"if_not_exists": True} if op.get_bind().dialect.name == "postgresql" else {}
    op.add_column("source", sa.Column("undescribed", sa.Text(), nullable=False, server_default="allow"), **may_exist)
    op.add_column("source", sa.Column("folder", sa.Text(), nullable=False, server_default=""), **may_exist)
    op.add_column("activity", sa.Column("descriptions", _json, nullable=True), **may_exist)
    op.create_table(
        "desk_setting",
        sa.Column("account_id", _id, nullable=False),
        sa.Column("layout", sa.Text(), nullable=False, server_default="cards"),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("digest", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("digest_sent", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="pk_desk_setting"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_desk_setting_account_id"), ondelete="CASCADE"
        ),
        if_not_exists=True,
    )
    op.create_table(
        "saved_view",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("account_id", _id, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_view"),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_saved_view_account_id_name")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_saved_view_account_id"), ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_table(
        "upload",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("activity_id", _id, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", "activity_id", name="pk_upload"),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_upload_activity_id"), ondelete="CASCADE"
        ),
        if_not_exists=True,
    )
    create_index("ix_upload_activity_id", "upload", ["activity_id"])
    create_index(
        "ix_desk_setting_digest", "desk_setting", ["digest_sent"], postgresql_where=_DIGEST, sqlite_where=_DIGEST
    )
    for name, columns in _INDEXES.items():
        create_index(name, "source", columns)


def downgrade() -> None:
    for name in _INDEXES:
        drop_index(name, "source")
    op.drop_table("upload")
    op.drop_table("saved_view")
    op.drop_table("desk_setting")
    op.drop_column("activity", "descriptions")
    op.drop_column("source", "folder")
    op.drop_column("source", "undescribed")
