"""Documents that are built to cost: refused after one quick look, before the general parser meets them.

That parser's time grows with the square of several things that a feed for readers never has many of.
"""

from __future__ import annotations

from xml.parsers import expat

from aggregator.errors import UnreadableError

_DEEPEST = 200  # elements within each other
_MOST_ATTRIBUTES = 100  # of one element
_MOST_OF_ENTRY = 3_000  # elements within one entry
_MOST_ELEMENTS = 200_000
_LONGEST_BROKEN = 1024 * 1024  # bytes that are guessed at, where the XML is broken
_MOST_BROKEN_TAGS = 30_000


def refuse(body: bytes) -> None:
    """Look at the outline of a document.

    Raises:
        UnreadableError: it is deeper, wider or longer than any feed needs.
    """
    try:
        _Outline().run(body)
    except expat.ExpatError:
        if len(body) > _LONGEST_BROKEN or body.count(b"<") > _MOST_BROKEN_TAGS:
            raise UnreadableError("The feed's XML is broken, and too long to guess at. Tell the publisher.") from None


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
        if self._depth > _DEEPEST or self._elements > _MOST_ELEMENTS or within > _MOST_OF_ENTRY:
            raise UnreadableError("The document has more elements, or deeper ones, than any feed needs.")
        if len(attributes) > 2 * _MOST_ATTRIBUTES:
            raise UnreadableError("The document has more attributes than any feed needs.")

    def _end(self, _: str) -> None:
        if self._depth == self._entry_depth:
            self._entry_depth = 0
        self._depth -= 1
