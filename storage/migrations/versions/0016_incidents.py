"""Store incidents, and the facts from which they are recognized.

Revision: 0016, after 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from storage.engine.connect import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_OPEN = sa.text("ended IS NULL")
_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "incident",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("evidence", _json, nullable=False),
        sa.Column("began", UtcDateTime(), nullable=False),
        sa.Column("ended", UtcDateTime(), nullable=True),
        sa.Column("notified", UtcDateTime(), nullable=True),
        sa.Column("snoozed_until", UtcDateTime(), nullable=True),
        sa.Column("muted", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.PrimaryKeyConstraint("id", name="pk_incident"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_incident_open",
        "incident",
        ["kind", "subject"],
        unique=True,
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    )
    op.create_index("ix_incident_subject", "incident", ["subject", "id"])
    op.create_table(
        "outage",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("incident_id", _id, nullable=False),
        sa.Column("began", UtcDateTime(), nullable=False),
        sa.Column("answered_since", UtcDateTime(), nullable=False),
        sa.Column("next_probe", UtcDateTime(), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("probed", UtcDateTime(), nullable=True),
        sa.Column("canary", _id, nullable=True),
        sa.Column("released", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("host", name="pk_outage"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name="fk_outage_incident_id_incident", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_outage_incident_id", "outage", ["incident_id"])
    op.add_column("source", sa.Column("watch", _json, nullable=True))
    op.add_column("source", sa.Column("silent_from", UtcDateTime(), nullable=True))
    op.create_index("ix_source_host", "source", ["host"])
    op.create_index("ix_source_silent_from", "source", ["silent_from"])


def downgrade() -> None:
    op.drop_index("ix_source_silent_from", "source")
    op.drop_index("ix_source_host", "source")
    op.drop_column("source", "silent_from")
    op.drop_column("source", "watch")
    op.drop_table("outage")
    op.drop_table("incident")
