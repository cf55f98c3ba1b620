"""Define what of a calendar is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

READER = 2  # increased when the same bytes get another meaning, so that unchanged calendars are read again


@dataclass(frozen=True, slots=True)
class Window:
    """The range of time for which occurrences are returned."""

    begin: datetime
    end: datetime
    now: datetime  # occurrences after it take precedence if there are too many
