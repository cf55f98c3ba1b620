"""Read the types of objects, which lexicons define. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.source_api.untrusted_json import text

if TYPE_CHECKING:
    from aggregator.source_api.untrusted_json import Record


def type_of(value: Record) -> str:
    """Return the lexicon type of an object."""
    return text(value.get("$type"), 200)
