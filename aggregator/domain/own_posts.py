"""Define when a post of our own editors is shown. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.activity import Review

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.activity import Activity

SOURCE = "desk"  # slug of the source of our own posts
PICTURE_PATH = "/uploads/"  # of the pictures of posts, in public addresses
PICTURE_NAME = r"[0-9a-f]{32}\.webp"


def is_unpublished(item: Activity) -> bool:
    """Return whether an item is a post of our own that was not shown yet: people hide posts that were shown."""
    return item.source.slug == SOURCE and item.review is Review.HIDDEN and item.review_by == "policy"


class PostState(StrEnum):
    """The plan for a post that is not shown yet; a post that is shown stays so when it is edited."""

    PUBLISH = "publish"  # at once
    SCHEDULE = "schedule"
    DRAFT = "draft"


class PostPlan(NamedTuple):
    """When a post is shown."""

    state: PostState = PostState.PUBLISH
    due: datetime | None = None  # of a scheduled post

    def reason(self, who: str) -> str:
        """Return why the post is shown or not, as its review state gives it."""
        reasons = {
            PostState.PUBLISH: f"added by {who}",
            PostState.SCHEDULE: f"scheduled by {who}",
            PostState.DRAFT: f"a draft of {who}",
        }
        return reasons[self.state]
