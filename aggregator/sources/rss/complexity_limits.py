"""Reject documents with excessive complexity by a quick check before the general parser sees them.

The parser's time grows with the square of several counts that are small in every normal feed.
"""

from __future__ import annotations

from xml.parsers import expat

from lxml import etree

from aggregator.domain.errors import TooComplexError, UnreadableError
from aggregator.sources.rss.limits import (
    DEEPEST,
    LONGEST_BROKEN,
    MOST_ATTRIBUTES,
    MOST_BROKEN_TAGS,
    MOST_ELEMENTS,
    MOST_OF_ENTRY,
)

_LARGE = "The document has more elements, or deeper ones, than any feed needs."
_WIDE = "The document has more attributes than any feed needs."
_TOO_WIDE = etree.XPath(f"boolean(//@*[{MOST_ATTRIBUTES + 1}])")
_TOO_DEEP = etree.XPath(f"boolean({'/*' * (DEEPEST + 1)})")
_TOO_MANY = etree.XPath(f"count(//*) > {MOST_ELEMENTS}")
_ENTRIES = "*[local-name() = 'item' or local-name() = 'entry']"
_TOO_FULL = etree.XPath(f"boolean(//{_ENTRIES}[count(.//*) > {MOST_OF_ENTRY}])")


def refuse(body: bytes) -> None:
    """Check the outline of a document.

    Raises:
        TooComplexError: it is deeper, wider or longer than any normal feed.
    """
    try:
        _Outline().run(body)
    except (expat.ExpatError, LookupError, ValueError):  # the last two: it names an unknown encoding
        if len(body) > LONGEST_BROKEN or body.count(b"<") > MOST_BROKEN_TAGS:
            raise UnreadableError(
                "The feed's XML is broken, and the document is too long for recovery. Tell the publisher."
            ) from None


def refuse_tree(root: etree._Element, body: bytes) -> None:
    """Apply the same limits to a parsed document; nearly free for a normal one.

    Raises:
        TooComplexError: it is deeper, wider or longer than any normal feed.
    """
    if _TOO_WIDE(root):
        raise TooComplexError(_WIDE)
    if _TOO_DEEP(root):
        raise TooComplexError(_LARGE)
    # The number of "<" is an upper bound for the number of elements.
    if body.count(b"<") > MOST_OF_ENTRY and (_TOO_MANY(root) or _TOO_FULL(root)):
        raise TooComplexError(_LARGE)


class _Outline:
    def __init__(self) -> None:
        self._depth = self._elements = self._entry_depth = self._entry_start = 0

    def run(self, body: bytes) -> None:
        parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.Parse(body, True)

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        self._elements += 1
        if not self._entry_depth and name.rpartition(":")[2].lower() in {"item", "entry"}:
            self._entry_depth, self._entry_start = self._depth, self._elements
        within = self._elements - self._entry_start if self._entry_depth else 0
        if self._depth > DEEPEST or self._elements > MOST_ELEMENTS or within > MOST_OF_ENTRY:
            raise TooComplexError(_LARGE)
        if len(attributes) > 2 * MOST_ATTRIBUTES:
            raise TooComplexError(_WIDE)

    def _end(self, _: str) -> None:
        if self._depth == self._entry_depth:
            self._entry_depth = 0
        self._depth -= 1
