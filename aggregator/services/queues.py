"""Name the Celery queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.source_api.kind import QueueClass
from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTROL = "control"  # the queue of all tasks except polls
QUEUES = (CONTROL, *QueueClass)


def former_queues() -> Mapping[str, QueueClass]:
    """Return the queues of the last release, which are consumed for one more release, and their new names."""
    return {kind.former_queue: kind.queue for kind in kinds().values() if kind.former_queue}
