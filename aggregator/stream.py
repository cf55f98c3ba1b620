"""What a reader asks of the merged stream, and what it gets: `Query`, `Cursor`, `Page`, `Changes`."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.errors import BadCursorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.activity import Activity, ActivityKind, Actor
    from aggregator.source import Source

DEFAULT_LIMIT = 20
MOST = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CURSOR = re.compile(r"1\.(\d{1,18})\.(\d{1,19})")
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the stream: just after the item at `(position, id)`. Opaque and versioned on the wire."""

    position: datetime
    id: int

    def __str__(self) -> str:
        plain = f"1.{(self.position - _EPOCH) // _MICROSECOND}.{self.id}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor that an earlier page gave.

        Raises:
            BadCursorError: the text is not such a cursor.
        """
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
            match = _CURSOR.fullmatch(plain)
            if match is None or int(match[2]) > _LARGEST_ID:
                raise BadCursorError(text)
            cursor = cls(_EPOCH + int(match[1]) * _MICROSECOND, int(match[2]))
        except (binascii.Error, UnicodeError, ValueError, OverflowError):
            raise BadCursorError(text) from None
        if str(cursor) != text:  # one place has one spelling
            raise BadCursorError(text)
        return cursor


@dataclass(frozen=True, slots=True)
class Query:
    """Which part of the stream: visible items, newest first. Empty filters mean all."""

    kinds: frozenset[ActivityKind] = frozenset()
    sources: frozenset[str] = frozenset()  # slugs
    limit: int = DEFAULT_LIMIT
    after: Cursor | None = None
    stitch: bool = True  # reposts of one original that stand close together are one entry
    not_withheld_in: frozenset[str] = frozenset()  # without what its network withholds in these countries


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the stream; `next` is None on the last one. `revision` is the stream's when it was read."""

    items: Sequence[Activity]
    next: Cursor | None
    revision: int
    others: Mapping[int, Sequence[Activity]] = field(default_factory=dict)  # reposts that collapsed, by the id shown


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that changed after a revision, each thing once, in revision order.

    `activities` are those shown now; `gone` are ids that left the public stream (deleted, hidden, withdrawn), with
    their revision. `upto` is the revision to ask from next; `more` says that there is more already.
    """

    activities: Sequence[Activity]
    gone: Sequence[tuple[int, int]]  # (id, revision)
    sources: Sequence[Source]
    actors: Sequence[Actor]
    upto: int
    more: bool
