"""Read well-formed feeds that need feedparser: pass it the feed with only the requested entries. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lxml import etree

from aggregator.sources.rss import feedparser_reader
from aggregator.sources.rss.charset import UTF8
from aggregator.sources.rss.fast_xml.document_outline import outline_of, raw_of
from aggregator.sources.rss.fast_xml.names import UnfamiliarError, name_of_tag
from aggregator.sources.rss.fast_xml.reader import TreeEntries
from aggregator.sources.rss.feed_metadata import announced_by
from aggregator.sources.rss.time_zones import region_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.sources.rss.document import Document, Entry
    from aggregator.sources.rss.fast_xml.document_outline import Outline

_PLACE = "entries-stood-here"  # a parsed document contains no such instruction
_CONTENTS = frozenset({"content", "content_encoded", "fullitem", "body"})
_SUMMARIES = frozenset({"summary", "itunes_summary"})


@dataclass(frozen=True, slots=True)
class _SplitEntries:
    """The entries of a document that feedparser reads in part."""

    tree: TreeEntries
    before: bytes
    behind: bytes
    url: str

    @property
    def raws(self) -> Sequence[bytes]:
        """Return the XML of each entry."""
        return self.tree.raws

    def read(self, indices: Sequence[int]) -> list[Entry]:
        """Read some entries with feedparser."""
        if not indices:
            return []
        body = b"".join([self.before, *(self.raws[index] for index in indices), self.behind])
        document = feedparser_reader.read(body, UTF8, self.url)
        if document is None or len(document.entries.raws) != len(indices):
            raise UnfamiliarError("the number of entries")
        read = document.entries.read(range(len(indices)))
        return [replace(entry, raw=self.raws[index]) for entry, index in zip(read, indices, strict=True)]

    def names(self, index: int) -> tuple[str | None, str | None]:
        """Return an entry's id and link."""
        if self.raws[index].count(b"</link>") <= 1:  # else the readers may choose differently among them
            with suppress(UnfamiliarError):
                return self.tree.names(index)
        (entry,) = self.read([index])
        return entry.id, entry.link


def read(body: bytes, content_type: str, url: str = "") -> Document:
    """Read a feed.

    Raises:
        UnfamiliarError: it is not well-formed, or its entries may have a different meaning without each other. Reading
            its entries may also raise this.
        UnreadableError: it is far too large.
    """
    outline = outline_of(body, content_type, url)
    raws = [raw_of(entry) for entry in outline.entries]
    around, announced = outline.scope(), announced_by(outline.root)
    _be_separable(outline, raws)
    before, behind = _shell(outline)
    document = feedparser_reader.read(before + behind, UTF8, url)
    if document is None:
        raise UnfamiliarError(outline.root.tag)
    entries = _SplitEntries(TreeEntries(outline, raws, region_in(document, url)), before, behind, url)
    return replace(document, entries=entries, notes=outline.notes, announced=announced, around=around)


def _be_separable(outline: Outline, raws: Sequence[bytes]) -> None:
    """Raise an error if an element may change what a later one means to feedparser.

    Raises:
        UnfamiliarError: one may.
    """
    if any(b"svg" in raw for raw in raws):
        raise UnfamiliarError("svg")
    names = {name_of_tag(child.tag) for child in outline.feed}
    if names & _CONTENTS or (names & _SUMMARIES and "description" in names):
        raise UnfamiliarError("a content outside of entries")


def _shell(outline: Outline) -> tuple[bytes, bytes]:
    """Remove the entries and return the document before and after them.

    Raises:
        UnfamiliarError: there is other content between or after them.
    """
    if not outline.entries:
        raise UnfamiliarError("no entries")
    first = outline.entries[0]
    parent = first.getparent()
    if parent is None:
        raise UnfamiliarError(first.tag)
    start = parent.index(first)
    if list(parent)[start:] != list(outline.entries):
        raise UnfamiliarError("something between or behind entries")
    place = etree.ProcessingInstruction(_PLACE)
    parent[start:] = [place]
    before, _, behind = etree.tostring(outline.root, encoding="utf-8").partition(etree.tostring(place, with_tail=False))
    return before, behind
