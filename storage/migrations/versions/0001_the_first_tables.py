"""Create the first tables.

Revision: 0001, the first
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.engine.connect import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "actor",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("native_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("avatar", sa.Text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actor")),
        sa.UniqueConstraint("network", "native_id", name=op.f("uq_actor_network_native_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_actor_revision", "actor", ["revision"], unique=False)

    op.create_table(
        "host",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_start", UtcDateTime(), nullable=False),
        sa.Column("running", _json, nullable=False),
        sa.Column("paused_until", UtcDateTime(), nullable=True),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_host")),
    )
    op.create_table(
        "source",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("options", _json, nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("due_reason", sa.Text(), nullable=False),
        sa.Column("asked", UtcDateTime(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("fetch_state", _json, nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("last_polled", UtcDateTime(), nullable=True),
        sa.Column("last_success", UtcDateTime(), nullable=True),
        sa.Column("last_new", UtcDateTime(), nullable=True),
        sa.Column("last_outcome", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_code", sa.Text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("kind", "address", name=op.f("uq_source_kind_address")),
        sa.UniqueConstraint("slug", name=op.f("uq_source_slug")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_source_revision", "source", ["revision"], unique=False)
    op.create_index("ix_source_state_due", "source", ["state", "due"], unique=False)

    op.create_table(
        "stream",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("last_tick", UtcDateTime(), nullable=True),
        sa.Column("tag_authority", sa.Text(), nullable=False),
        sa.Column("tag_date", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream")),
    )
    op.create_table(
        "activity",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("source_id", _big, nullable=False),
        sa.Column("native_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("actor_id", _big, nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("lang", sa.Text(), nullable=True),
        sa.Column("published", UtcDateTime(), nullable=True),
        sa.Column("updated", UtcDateTime(), nullable=True),
        sa.Column("detail", _json, nullable=True),
        sa.Column("object", _json, nullable=True),
        sa.Column("topics", _json, nullable=True),
        sa.Column("countries", _json, nullable=True),
        sa.Column("search_text", sa.Text(), nullable=True),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("entry_digest", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("position", UtcDateTime(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("gone", UtcDateTime(), nullable=True),
        sa.Column("gone_reason", sa.Text(), nullable=True),
        sa.Column("review", sa.Text(), nullable=False),
        sa.Column("review_by", sa.Text(), nullable=False),
        sa.Column("review_reason", sa.Text(), nullable=False),
        sa.Column("reviewed", UtcDateTime(), nullable=True),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"], name=op.f("fk_activity_actor_id")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_activity_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
        sa.UniqueConstraint("source_id", "native_id", name=op.f("uq_activity_source_id_native_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_activity_actor_id", "activity", ["actor_id"], unique=False)
    op.create_index("ix_activity_key", "activity", ["key"], unique=False)
    op.create_index("ix_activity_object_key", "activity", ["object_key"], unique=False)
    op.create_index("ix_activity_review", "activity", ["review", "id"], unique=False)
    op.create_index("ix_activity_revision", "activity", ["revision"], unique=False)
    op.create_index(
        "ix_activity_stream",
        "activity",
        ["position", "id"],
        unique=False,
        postgresql_where=sa.text("visible"),
        sqlite_where=sa.text("visible = 1"),
    )
    op.create_index(
        "ix_activity_stream_kind",
        "activity",
        ["kind", "position", "id"],
        unique=False,
        postgresql_where=sa.text("visible"),
        sqlite_where=sa.text("visible = 1"),
    )
    op.create_index(
        "ix_activity_stream_source",
        "activity",
        ["source_id", "position", "id"],
        unique=False,
        postgresql_where=sa.text("visible"),
        sqlite_where=sa.text("visible = 1"),
    )

    op.create_table(
        "fetch_log",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("source_id", _big, nullable=False),
        sa.Column("started", UtcDateTime(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("next_poll", UtcDateTime(), nullable=False),
        sa.Column("next_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_fetch_log_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetch_log")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_fetch_log_source_id_id", "fetch_log", ["source_id", "id"], unique=False)
    op.create_index("ix_fetch_log_started", "fetch_log", ["started"], unique=False)

    op.create_table(
        "activity_version",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("activity_id", _big, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("replaced", UtcDateTime(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("detail", _json, nullable=True),
        sa.Column("object", _json, nullable=True),
        sa.Column("entry_digest", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_activity_version_activity_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_version")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_activity_version_activity_id", "activity_version", ["activity_id"], unique=False)

    op.create_table(
        "raw_payload",
        sa.Column("activity_id", _big, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("stored", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_raw_payload_activity_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_raw_payload")),
    )
    op.create_table(
        "transition",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("activity_id", _big, nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("review", sa.Text(), nullable=False),
        sa.Column("review_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_transition_activity_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transition")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_transition_activity_id", "transition", ["activity_id"], unique=False)
    op.create_index("ix_transition_due", "transition", ["due"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_transition_due", "transition")
    op.drop_index("ix_transition_activity_id", "transition")

    op.drop_table("transition")
    op.drop_table("raw_payload")
    op.drop_index("ix_activity_version_activity_id", "activity_version")

    op.drop_table("activity_version")
    op.drop_index("ix_fetch_log_started", "fetch_log")
    op.drop_index("ix_fetch_log_source_id_id", "fetch_log")

    op.drop_table("fetch_log")
    op.drop_index(
        "ix_activity_stream_source",
        "activity",
        postgresql_where=sa.text("visible"),
        sqlite_where=sa.text("visible = 1"),
    )
    op.drop_index(
        "ix_activity_stream_kind", "activity", postgresql_where=sa.text("visible"), sqlite_where=sa.text("visible = 1")
    )
    op.drop_index(
        "ix_activity_stream", "activity", postgresql_where=sa.text("visible"), sqlite_where=sa.text("visible = 1")
    )
    op.drop_index("ix_activity_revision", "activity")
    op.drop_index("ix_activity_review", "activity")
    op.drop_index("ix_activity_object_key", "activity")
    op.drop_index("ix_activity_key", "activity")
    op.drop_index("ix_activity_actor_id", "activity")

    op.drop_table("activity")
    op.drop_table("stream")
    op.drop_index("ix_source_state_due", "source")
    op.drop_index("ix_source_revision", "source")

    op.drop_table("source")
    op.drop_table("host")
    op.drop_index("ix_actor_revision", "actor")

    op.drop_table("actor")
