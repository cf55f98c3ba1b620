"""Document the query parameters that only feeds have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.reader.query_params import COLLAPSE, CURSOR, FILTERS, LIMIT, Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

ARCHIVE = Parameter(
    "archive",
    "An archive document (RFC 5005), instead of a cursor. The feed links to the newest; each links to the one before.",
    {"type": "string"},
    None,
)
FIRST = Parameter(
    "page",
    "For `/feed.as2`: the first page instead of the collection, and instead of a cursor.",
    {"type": "string", "enum": ["first"]},
    None,
)
FEED: Sequence[Parameter] = (LIMIT, CURSOR, ARCHIVE, FIRST, COLLAPSE, *FILTERS)
