"""Read feeds directly from their XML tree, many times as fast as feedparser and with the same result. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aggregator.sources.rss.fast_xml.channel import Channel
from aggregator.sources.rss.fast_xml.document_outline import outline_of, raw_of
from aggregator.sources.rss.fast_xml.entry import Item
from aggregator.sources.rss.fast_xml.markup import Surroundings
from aggregator.sources.rss.fast_xml.names import attributes_of, name_of_tag
from aggregator.sources.rss.feed_metadata import announced_by
from aggregator.sources.rss.fields import document_of
from aggregator.sources.rss.time_zones import region_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.sources.rss.document import Document, Entry
    from aggregator.sources.rss.fast_xml.document_outline import Outline
    from aggregator.sources.rss.fields import Fields
    from aggregator.sources.rss.time_zones import Region


@dataclass(frozen=True, slots=True)
class TreeEntries:
    """The entries of a tree."""

    outline: Outline
    raws: Sequence[bytes]
    region: Region

    def read(self, indices: Sequence[int]) -> list[Entry]:
        """Read some entries."""
        entries, around, atom = self.outline.entries, self.outline.around, self.outline.atom
        return [Item(entries[index], around, self.region, atom=atom).read(self.raws[index]) for index in indices]

    def names(self, index: int) -> tuple[str | None, str | None]:
        """Return an entry's id and link."""
        return Item(self.outline.entries[index], self.outline.around, self.region, atom=self.outline.atom).names()


def read(body: bytes, content_type: str, url: str = "") -> Document:
    """Read a feed.

    Raises:
        UnfamiliarError: it is not well-formed, or only feedparser can interpret part of it. Reading its entries may
            also raise this.
        UnreadableError: it is far too large.
    """
    outline = outline_of(body, content_type, url)
    document = document_of(_fields(outline), atom=outline.atom)
    return replace(
        document,
        entries=TreeEntries(outline, [raw_of(entry) for entry in outline.entries], region_in(document, url)),
        notes=outline.notes,
        announced=announced_by(outline.root),
        around=outline.scope(),
    )


def _fields(outline: Outline) -> Fields:
    """Read the feed's own elements."""
    if name_of_tag(outline.root.tag) == "rdf_rdf":
        lang = None  # feedparser ignores it there
    else:
        lang = Surroundings().within(attributes_of(outline.root)).lang
    channel = Channel(lang, atom=outline.atom)
    entry = "entry" if outline.atom else "item"
    for child in outline.feed:
        if name_of_tag(child.tag) == entry:
            channel.entry()
        else:
            channel.element(child, outline.inside)
    return channel.fields
