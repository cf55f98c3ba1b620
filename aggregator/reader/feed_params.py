"""Document and parse the query parameters that only feeds have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.reader.query_params import CURSOR, FILTERS, LIMIT, Parameter, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
COLLAPSE = Parameter(
    "collapse",
    "`no`: reposts of the same original are separate entries. The default merges those within 40 entries into the "
    "newest, which names the others.",
    {"type": "string", "enum": ["original", "no"], "default": "original"},
    "no",
)
FEED: Sequence[Parameter] = (LIMIT, CURSOR, ARCHIVE, FIRST, COLLAPSE, *FILTERS)


def collapses(values: Mapping[str, Sequence[str]]) -> bool:
    """Return whether a feed merges reposts of the same original.

    Raises:
        BadRequestError: the value is invalid.
    """
    return "collapse" not in values or one_of("collapse", values["collapse"][0], ("original", "no")) == "original"
