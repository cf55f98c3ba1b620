"""What an import does with each source that a file lists."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import timedelta

    from aggregator.domain.source import Policy


class ImportStatus(StrEnum):
    """What became of one source."""

    ADDED = "added"
    PLANNED = "planned"  # a preview: it would be added
    KNOWN = "known"  # it is there already
    FAILED = "failed"


class Lookup(StrEnum):
    """Which addresses an import looks up before it adds them."""

    ALL = "all"
    NEEDED = "needed"  # those whose form does not show what they are; documents are fetched by their first poll
    NONE = "none"


class UploadedDocument(NamedTuple):
    """A list of sources that a person sent, and how its sources are added."""

    body: bytes
    name: str  # of its file; "" for pasted text
    policy: Policy  # of sources for which the document gives none
    delay: timedelta | None
    preview: bool


class ImportLine(NamedTuple):
    """What became of one source, in words."""

    status: ImportStatus
    sentence: str


class ImportReport(NamedTuple):
    """What became of every source of a file."""

    lines: list[ImportLine]
    skipped: int  # outlines that name nothing to follow

    def count(self, status: str) -> int:
        """Return how many sources ended so."""
        return sum(line.status == status for line in self.lines)
