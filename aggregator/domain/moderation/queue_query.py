"""Define queries of the review queue. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.activity import Review

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aggregator.domain.activity import ActivityKind
    from aggregator.domain.search_query import Search

PAGE = 50  # items
LONG_PAGE = 100  # items, of one line each


class QueueTab(StrEnum):
    """The tabs of the queue."""

    WAITING = "waiting"  # for review, with edits of published items
    MINE = "mine"  # assigned to the user
    PUBLISHED = "published"
    HIDDEN = "hidden"
    QUARANTINED = "quarantined"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """The filters and page of the queue, in order of arrival."""

    pile: QueueTab = QueueTab.WAITING
    source: str = ""  # slug
    kind: ActivityKind | None = None
    topic: str = ""
    country: str = ""  # ISO 3166, two capitals
    words: str = ""  # search text as typed
    search: Search | None = None  # the parsed search
    oldest_first: bool = False
    after: int | None = None  # id of the last item of the previous page
    limit: int = PAGE
    account: str = ""  # name of the user


class Intention(NamedTuple):
    """A scheduled change of an activity's review state."""

    due: datetime
    review: Review
    reason: str
