"""Store passkeys, users of a sign-on provider, single-use links, spent tokens and confirmations of sessions.

Revision: 0022, after 0021
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime
from storage.online_migrations import create_index, drop_index

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None
oldest_code = "0016"  # it knows no other password than "" for users of a provider, which fits none

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ADDED = {
    "account": ("issuer", "subject"),
    "session": ("confirmed", "provider_session", "id_token", "pending"),
    "desk_setting": ("email_confirmed",),
}
_MOMENTS = {"confirmed", "email_confirmed"}


def upgrade() -> None:
    may_exist: Any = {"if_not_exists": True} if op.get_bind().dialect.name == "postgresql" else {}
    for table, names in _ADDED.items():
        for name in names:
            type_: Any = UtcDateTime() if name in _MOMENTS else sa.Text()
            op.add_column(table, sa.Column(name, type_, nullable=True), **may_exist)
    needed: Any = sa.Column("passkey_required", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("account", needed, **may_exist)
    _create_of_account(
        "passkey",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("last_used", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_passkey"),
        sa.UniqueConstraint("credential", name=op.f("uq_passkey_credential")),
        sqlite_autoincrement=True,
    )
    _create_of_account(
        "account_link",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_account_link"),
    )
    op.create_table(
        "spent_token",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_spent_token"),
        if_not_exists=True,
    )
    create_index("ix_passkey_account_id", "passkey", ["account_id"])
    create_index("ix_account_link_account_id", "account_link", ["account_id"])
    create_index("ix_session_provider_session", "session", ["provider_session"])
    create_index("uq_account_subject", "account", ["issuer", "subject"], unique=True)


def _create_of_account(name: str, *parts: sa.schema.SchemaItem, **options: bool) -> None:
    op.create_table(
        name,
        sa.Column("account_id", _id, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f(f"fk_{name}_account_id"), ondelete="CASCADE"),
        *parts,
        **options,
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_index("uq_account_subject", "account")
    drop_index("ix_session_provider_session", "session")
    for table in ("spent_token", "account_link", "passkey"):
        op.drop_table(table)
    op.drop_column("account", "passkey_required")
    for table, names in _ADDED.items():
        for name in names:
            op.drop_column(table, name)
