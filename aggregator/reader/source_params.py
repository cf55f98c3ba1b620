"""The query parameters of the list of sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.reader.query_params import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_SOURCES = 500  # of one page
SOURCES_LIMIT = Parameter(
    "limit",
    "How many sources a page has at most.",
    {"type": "integer", "minimum": 1, "maximum": MOST_SOURCES, "default": MOST_SOURCES},
    100,
)
SOURCES_CURSOR = Parameter(
    "cursor",
    "Where to go on: the `next` of an earlier page.",
    {"type": "string"},
    "cy5taW5pc3RyeS1uZXdz",
)
SOURCES: Sequence[Parameter] = (SOURCES_LIMIT, SOURCES_CURSOR)
