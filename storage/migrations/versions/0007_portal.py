"""Add the matching words of tags, and the stories of activities.

Revision: 0007, after 0006
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_ADDED: tuple[sa.Column[Any], ...] = (
    sa.Column("reasons", _json, nullable=True),
    sa.Column("story", sa.Text(), nullable=True),
    sa.Column("story_by_hand", sa.Boolean(), nullable=False, server_default=sa.false()),
)
# The order of a post's links was not stored, so any link will do if all posts use the same one. No revision: nothing
# in mirrors changes.
_LINKED = "(SELECT min(key) FROM activity_link WHERE activity_link.activity_id = activity.id)"
_STORY = (
    "CASE WHEN kind IN ('article', 'event', 'video') THEN key "
    f"ELSE coalesce({_LINKED}, CASE WHEN kind = 'repost' THEN object_key END, key) END"
)


def upgrade() -> None:
    for column in _ADDED:
        op.add_column("activity", column)
    op.execute(f"UPDATE activity SET story = {_STORY}")  # noqa: S608  # all of it is ours
    op.create_index("ix_activity_story", "activity", ["story"])


def downgrade() -> None:
    op.drop_index("ix_activity_story", "activity")
    for column in _ADDED:
        op.drop_column("activity", column.name)
