"""All rooms of the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.review.decisions import DecisionPages
from aggregator.review.items import ItemPages
from aggregator.review.manual import ManualPages
from aggregator.review.queue import QueuePages
from aggregator.review.rules import RulePages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aggregator.review.desk import Desk, Room
    from aggregator.review.manual import Publish


def rooms(desk: Desk, *, publish: Publish) -> Iterable[Room]:
    """Return them; what else they need of the house are arguments."""
    yield QueuePages(desk)
    yield DecisionPages(desk)
    yield ManualPages(desk, publish)
    yield ItemPages(desk)
    yield RulePages(desk)
