"""Locate the feed, the entries and their inherited attributes in a well-formed document. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from aggregator.sources.rss.charset import decoded
from aggregator.sources.rss.complexity_limits import refuse_tree
from aggregator.sources.rss.entry_limit import shortened
from aggregator.sources.rss.namespaces import USUAL
from aggregator.sources.rss.xml_document import parsed
from aggregator.sources.rss.xml_tree.markup import Surroundings
from aggregator.sources.rss.xml_tree.names import attributes_of, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Outline:
    """Positions in a document."""

    root: etree._Element
    feed: etree._Element  # the element whose children describe the feed
    entries: Sequence[etree._Element]
    inside: Surroundings  # inherited by the feed's own elements
    around: Surroundings  # inherited by the entries
    notes: tuple[str, ...]
    atom: bool = False

    def scope(self) -> str:
        """Return the context outside of an entry that affects how it is read."""
        holders = (self.root, self.feed)
        declarations = [
            (holder.tag, sorted(holder.attrib.items()), sorted(map(str, holder.nsmap.items()))) for holder in holders
        ]
        return repr((declarations, self.around))


def outline_of(body: bytes, content_type: str, url: str = "") -> Outline | None:
    """Parse a document; return None if it is not well-formed, or not RSS, RDF or Atom.

    Args:
        body: the document.
        content_type: the header, for its charset; may be empty.
        url: the document's own URL, against which relative base URLs are resolved; may be empty.

    Raises:
        UnreadableError: it is far too large.
    """
    text, notes = decoded(body, content_type)
    text, cut = shortened(text)
    document = parsed(text, USUAL)
    root = document.root
    if root is None:
        return None
    refuse_tree(root, document.body)
    around = Surroundings(document=url).within(attributes_of(root))
    notes += cut + document.notes
    kind = name_of(root)
    if kind == "feed":
        return Outline(root, root, _named(root, "entry"), around, around, notes, atom=True)
    if kind == "entry":  # a document of its own
        outside = Surroundings(document=url)
        return Outline(root, etree.Element("feed"), [root], outside, outside, notes, atom=True)
    return _rss(root, around, notes) if kind in {"rss", "rdf_rdf"} else None


def _rss(root: etree._Element, around: Surroundings, notes: tuple[str, ...]) -> Outline:
    """Locate the parts of RSS; in RSS 1.0, the entries stand beside the channel."""
    channels = _named(root, "channel")
    feed = channels[0] if channels else root
    inside = around.within(attributes_of(feed))
    entries = [entry for channel in channels for entry in _named(channel, "item")]
    if entries:
        return Outline(root, feed, [*entries, *_named(root, "item")], inside, inside, notes)
    return Outline(root, feed, _named(root, "item"), inside, around, notes)


def _named(element: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in element if name_of(child) == name]


def raw_of(entry: etree._Element) -> bytes:
    """Return the standalone XML of an element."""
    return etree.tostring(entry, encoding="utf-8", with_tail=False)
