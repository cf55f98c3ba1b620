"""Store the time of the last change, for `Last-Modified`.

Revision: 0009, after 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stream", sa.Column("changed", UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("stream") as table:
        table.drop_column("changed")
