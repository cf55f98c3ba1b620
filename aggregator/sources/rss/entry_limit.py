"""Limit documents to their first entries before they use much time and memory. Pure."""

from __future__ import annotations

import re

from aggregator.sources.rss.limits import MOST_ENTRIES

_ENTRY_START = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?(?:item|entry)[\s/>]")
_ENTRY_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?(?:item|entry)\s*>")


def shortened(body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Remove entries after the first `MOST_ENTRIES`, keep the end of the document, and return a note about it."""
    if body.count(b"item") + body.count(b"entry") <= MOST_ENTRIES:
        return body, ()
    starts = list(_ENTRY_START.finditer(body))
    if len(starts) <= MOST_ENTRIES:
        return body, ()
    cut = starts[MOST_ENTRIES].start()
    end = body.find(b">", starts[-1].start()) + 1
    for end_tag in _ENTRY_END.finditer(body, cut):
        end = max(end, end_tag.end())
    return body[:cut] + body[end:], (note_on(len(starts)),)


def note_on(count: int) -> str:
    """Return the note on a document with more entries than are read."""
    return f"The feed has {count} entries; the first {MOST_ENTRIES} were read."
