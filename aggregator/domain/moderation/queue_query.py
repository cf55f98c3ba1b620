"""What the review desk asks of its queue. Pure."""

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


class QueueTab(StrEnum):
    """Which items."""

    WAITING = "waiting"  # for a person, with edits of what is shown
    MINE = "mine"  # handed out to whoever asks
    PUBLISHED = "published"
    HIDDEN = "hidden"
    QUARANTINED = "quarantined"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """Which part of the queue, in the order of arrival."""

    pile: QueueTab = QueueTab.WAITING
    source: str = ""  # slug
    kind: ActivityKind | None = None
    topic: str = ""
    country: str = ""  # ISO 3166, two capitals
    words: str = ""  # as they were typed
    search: Search | None = None  # what they mean
    oldest_first: bool = False
    after: int | None = None  # the id of the last item of the page before
    limit: int = PAGE
    account: str = ""  # who asks


class Intention(NamedTuple):
    """What the clock will decide on an activity."""

    due: datetime
    review: Review
    reason: str
