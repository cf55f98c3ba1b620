"""Share refusals of services, and resume the sources that refusals stopped.

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
    op.add_column("meter", sa.Column("balance", sa.BigInteger(), nullable=True))
    op.add_column("meter", sa.Column("balance_at", UtcDateTime(), nullable=True))
    # Former releases stopped them for good; now they are probed. They were polled when they were stopped, so are due.
    stopped = (_source.c.state == "stopped") & _source.c.last_error_code.in_(_ENDED)
    op.execute(_source.update().where(stopped).values(state="active", state_reason="", due_reason="probed again"))


def downgrade() -> None:
    with op.batch_alter_table("meter") as table:
        table.drop_column("balance_at")
        table.drop_column("balance")
    op.drop_table("refused_value")
    op.drop_table("api_refusal")
