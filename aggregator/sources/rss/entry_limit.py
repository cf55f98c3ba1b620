"""Limit documents to their newest entries before they use much time and memory. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from aggregator.sources.rss.dates import read_date
from aggregator.sources.rss.limits import MOST_ENTRIES
from aggregator.sources.rss.time_zones import ANYWHERE, Region

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_DATES = 20_000  # of entries that are compared; of more, only those at both ends
_ENDS = 50
_DATED = 0.9  # the share of entries with dates from which on dates decide
_NAMES = rb"pubdate|published|issued|date|updated|modified|created"
_ENTRY_START = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?(?:item|entry)[\s/>]", re.IGNORECASE)
_ENTRY_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?(?:item|entry)\s*>", re.IGNORECASE)
_DATE = re.compile(
    rb"<(?:[A-Za-z_][\w.-]{0,30}:)?(" + _NAMES + rb")(?:\s[^<>]{0,300})?>\s*(?:<!\[CDATA\[)?([^<>\]]{4,100})",
    re.IGNORECASE,
)
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def shortened(body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Remove all but the newest `MOST_ENTRIES` entries, keep the text around them, and return a note about it."""
    if sum(body.count(name) for name in (b"item", b"entry", b"ITEM", b"ENTRY", b"Item", b"Entry")) <= MOST_ENTRIES:
        return body, ()
    starts = [found.start() for found in _ENTRY_START.finditer(body)]
    if len(starts) <= MOST_ENTRIES:
        return body, ()
    end = body.find(b">", starts[-1]) + 1
    for end_tag in _ENTRY_END.finditer(body, starts[-1]):
        end = max(end, end_tag.end())
    ends = [*starts[1:], end]
    few = len(starts) <= _MOST_DATES
    dates = [
        _date_in(body, start, end) if few or index < _ENDS or index >= len(starts) - _ENDS else None
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    chosen, notes = newest(dates)
    kept = b"".join(body[starts[index] : ends[index]] for index in chosen)
    return body[: starts[0]] + kept + body[end:], notes


def newest(dates: Sequence[object], region: Region = ANYWHERE) -> tuple[Sequence[int], tuple[str, ...]]:
    """Return the indices of the newest entries in their order, and a note if there are more.

    Without dates, feeds list the newest first; where the dates ascend, the last ones are the newest.

    Args:
        dates: of the entries as written; anything else for those without one.
        region: where the feed comes from.
    """
    count = len(dates)
    if count <= MOST_ENTRIES:
        return range(count), ()
    known = [read_date(date, region) for date in dates]
    if sum(date is not None for date in known) >= _DATED * count:
        order = sorted(range(count), key=lambda index: known[index] or _LONG_AGO, reverse=True)
        return sorted(order[:MOST_ENTRIES]), (_note(count, "newest"),)
    if _ascend([date for date in known if date is not None]):
        return range(count - MOST_ENTRIES, count), (_note(count, "last"),)
    return range(MOST_ENTRIES), (_note(count, "first"),)


def _ascend(dates: Sequence[datetime]) -> bool:
    steps = [(later > earlier) - (later < earlier) for earlier, later in pairwise(dates)]
    return sum(steps) > 0


def _date_in(body: bytes, start: int, end: int) -> str | None:
    """Return the date of an entry as written: that of its publication before that of its last change."""
    found: dict[bytes, bytes] = {
        name.lower(): value for name, value in reversed(_DATE.findall(body[start : min(end, start + 65536)]))
    }
    for name in _NAMES.split(b"|"):
        if name in found:
            return found[name].decode("utf-8", "replace").strip()
    return None


def _note(count: int, which: str) -> str:
    return f"The feed has {count} entries; the {which} {MOST_ENTRIES} were read."
