"""Store the keys of authenticator apps (TOTP), and recovery codes.

Revision: 0023, after 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime
from storage.online_migrations import create_index, drop_index

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
oldest_code = "0016"

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "totp",
        sa.Column("account_id", _id, nullable=False),
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_totp_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_totp"),
        sa.UniqueConstraint("account_id", name=op.f("uq_totp_account_id")),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_table(
        "recovery_code",
        sa.Column("account_id", _id, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_recovery_code_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name="pk_recovery_code"),
        if_not_exists=True,
    )
    create_index("ix_recovery_code_account_id", "recovery_code", ["account_id"])


def downgrade() -> None:
    drop_index("ix_recovery_code_account_id", "recovery_code")
    op.drop_table("recovery_code")
    op.drop_table("totp")
