"""Share refusals of services, store connected accounts, and resume the sources that refusals stopped.

Revision: 0011, after 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ENDED = ("credentials", "not-allowed", "account-missing", "account-suspended", "account-protected")
_source = sa.table(
    "source",
    sa.column("state", sa.Text()),
    sa.column("state_reason", sa.Text()),
    sa.column("last_error_code", sa.Text()),
    sa.column("due", UtcDateTime()),
    sa.column("due_reason", sa.Text()),
)


def upgrade() -> None:
    op.create_table(
        "api_refusal",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.Column("polls", sa.Boolean(), nullable=False),
        sa.Column("replaced_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("service", "credential", "endpoint", name="pk_api_refusal"),
    )
    op.create_table(
        "refused_value",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("host", "endpoint", "value", name="pk_refused_value"),
    )
    _create_credentials()
    op.add_column("spend", sa.Column("owned", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("meter", sa.Column("balance", sa.BigInteger(), nullable=True))
    op.add_column("meter", sa.Column("balance_at", UtcDateTime(), nullable=True))
    # Former releases stopped them for good; now they are probed. They were polled when they were stopped, so are due.
    stopped = (_source.c.state == "stopped") & _source.c.last_error_code.in_(_ENDED)
    op.execute(_source.update().where(stopped).values(state="active", state_reason="", due_reason="probed again"))


def _create_credentials() -> None:
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "credential",
        sa.Column("id", id_, autoincrement=True, nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("is_owner", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("access_expires", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("renewed", UtcDateTime(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_credential"),
        sa.UniqueConstraint("service", "subject", "app", name="uq_credential_service_subject_app"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "credential_request",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("is_owner", sa.Boolean(), nullable=False),
        sa.Column("redirect_url", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_credential_request"),
    )
    op.create_table(
        "credential_use",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "credential", name="pk_credential_use"),
    )


def downgrade() -> None:
    op.drop_table("credential_use")
    op.drop_table("credential_request")
    op.drop_table("credential")
    with op.batch_alter_table("spend") as table:
        table.drop_column("owned")
    with op.batch_alter_table("meter") as table:
        table.drop_column("balance_at")
        table.drop_column("balance")
    op.drop_table("refused_value")
    op.drop_table("api_refusal")
