"""Store until when embedded posts can be edited at their network.

Revision: 0013, after 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INDEX, _COLUMN = "ix_activity_object_editable_until", "object_editable_until"
_SET = sa.text(f"{_COLUMN} IS NOT NULL")


def upgrade() -> None:
    op.add_column("activity", sa.Column(_COLUMN, UtcDateTime(), nullable=True))
    op.create_index(_INDEX, "activity", [_COLUMN], postgresql_where=_SET, sqlite_where=_SET)


def downgrade() -> None:
    op.drop_index(_INDEX, "activity")
    op.drop_column("activity", _COLUMN)
