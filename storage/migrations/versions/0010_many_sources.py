"""Index failing sources, and remove the due time of sources that are never polled.

Revision: 0010, after 0009
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from storage.engine.connect import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NEVER = datetime(9998, 12, 31, tzinfo=UTC)  # the former mark of sources that are never polled
_source = sa.table("source", sa.column("due", UtcDateTime()))


def upgrade() -> None:
    op.create_index("ix_source_state_failures", "source", ["state", "failures"])
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("source", "due", nullable=True)
    else:
        _replace_due_in_sqlite(sa.Column("due", UtcDateTime(), nullable=True))
    op.execute(_source.update().where(_source.c.due == _NEVER).values(due=None))


def downgrade() -> None:
    op.execute(_source.update().where(_source.c.due.is_(None)).values(due=_NEVER))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("source", "due", nullable=False)
    else:
        default = f"{_NEVER:%Y-%m-%d %H:%M:%S.%f}"
        _replace_due_in_sqlite(sa.Column("due", UtcDateTime(), nullable=False, server_default=default))
    op.drop_index("ix_source_state_failures", "source")


def _replace_due_in_sqlite(column: sa.Column[object]) -> None:
    """Change the definition of `due` in place: SQLite would rebuild the table, and delete the rows that refer to it."""
    op.drop_index("ix_source_state_due", "source")
    op.execute("ALTER TABLE source RENAME COLUMN due TO former_due")
    op.add_column("source", column)
    op.execute("UPDATE source SET due = former_due")
    op.execute("ALTER TABLE source DROP COLUMN former_due")
    op.create_index("ix_source_state_due", "source", ["state", "due"])
