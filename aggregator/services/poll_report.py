"""Report how the poll of a source ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aggregator.domain.polling.results import PollStatus


@dataclass(frozen=True, slots=True)
class Report:
    """The result of polling a source, for people."""

    slug: str
    outcome: PollStatus
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    error: str | None = None
