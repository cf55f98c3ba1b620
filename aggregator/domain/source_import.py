"""Define the results of an import of sources."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import timedelta

    from aggregator.domain.source import Policy


class ImportStatus(StrEnum):
    """The result for one source."""

    ADDED = "added"
    PLANNED = "planned"  # a preview: it would be added
    KNOWN = "known"  # it exists already
    FAILED = "failed"


class Lookup(StrEnum):
    """The addresses that an import looks up before adding them."""

    ALL = "all"
    NEEDED = "needed"  # those whose form is ambiguous; documents are fetched by their first poll
    NONE = "none"


class UploadedDocument(NamedTuple):
    """An uploaded list of sources, and the settings of its sources."""

    body: bytes
    name: str  # of its file; "" for pasted text
    policy: Policy  # of sources without one in the document
    delay: timedelta | None
    preview: bool


class ImportLine(NamedTuple):
    """The result for one source, as text."""

    status: ImportStatus
    sentence: str


class ImportReport(NamedTuple):
    """The results for every source of a file."""

    lines: list[ImportLine]
    skipped: int  # outlines without a feed

    def count(self, status: str) -> int:
        """Return the number of sources with a result."""
        return sum(line.status == status for line in self.lines)
