"""Keep which trace took the last revision, so that a reader can end it.

Revision: 0018, after 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
oldest_code = "0016"


def upgrade() -> None:
    op.add_column("stream", sa.Column("trace", sa.Text()))


def downgrade() -> None:
    op.drop_column("stream", "trace")
