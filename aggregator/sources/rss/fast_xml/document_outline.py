"""Locate the feed, the entries and their inherited attributes in a well-formed document. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from aggregator.sources.rss.charset import decoded
from aggregator.sources.rss.complexity_limits import refuse_tree
from aggregator.sources.rss.entry_limit import shortened
from aggregator.sources.rss.fast_xml.channel import pass_over_beside
from aggregator.sources.rss.fast_xml.markup import Surroundings
from aggregator.sources.rss.fast_xml.names import (
    ATOM,
    RSS10,
    UnfamiliarError,
    attributes_of,
    check_prefixes,
    name_of_tag,
)
from aggregator.sources.rss.feedparser_reader import USUAL_NAMESPACES
from aggregator.sources.rss.xml_document import parsed

if TYPE_CHECKING:
    from collections.abc import Sequence

_RSS10 = {RSS10, "http://my.netscape.com/rdf/simple/0.9/"}
_ODD_ATTRIBUTES = frozenset({"lastmod", "href"})  # CDF
_ODD_INSTRUCTION = re.compile(rb"<\?[^\s?]*[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Outline:
    """Positions in a document."""

    root: etree._Element
    feed: etree._Element  # the element whose children describe the feed
    entries: Sequence[etree._Element]
    inside: Surroundings  # indices of the feed's own elements
    around: Surroundings  # indices of the entries
    notes: tuple[str, ...]
    atom: bool = False

    def scope(self) -> str:
        """Return the context outside of an entry that affects how it is read."""
        holders = (self.root, self.feed)
        declarations = [
            (holder.tag, sorted(holder.attrib.items()), sorted(map(str, holder.nsmap.items()))) for holder in holders
        ]
        return repr((declarations, self.around))


def outline_of(body: bytes, content_type: str, url: str = "") -> Outline:
    """Parse a document.

    Args:
        body: the document.
        content_type: the header, for its charset; may be empty.
        url: the document's own URL, against which relative base URLs are resolved; may be empty.

    Raises:
        UnfamiliarError: it is not well-formed, or only feedparser can interpret it or part of it.
        UnreadableError: it is far too large.
    """
    text, notes = decoded(body, content_type)
    text, cut = shortened(text)
    document = parsed(text, USUAL_NAMESPACES)
    root, text = document.root, document.body
    if root is None:
        raise UnfamiliarError("it is not well-formed")
    refuse_tree(root, text)
    check_prefixes(text)
    names = {str(name) for element in root.iter() for name in element.keys()}  # noqa: SIM118 - elements are not mappings
    if _ODD_INSTRUCTION.search(text) or not all(name.isascii() for name in names):
        raise UnfamiliarError("a name that not every edition of XML allows")
    around = Surroundings(document=url).within(attributes_of(root))
    notes += cut + document.notes
    if name_of_tag(root.tag) == "rss":
        return _rss(root, around, notes)
    if name_of_tag(root.tag) == "rdf_rdf" and ATOM.encode() not in text:  # else declaration order would matter
        return _rdf(root, around, notes)
    if root.tag == f"{{{ATOM}}}feed" and not _RSS10 & set(root.nsmap.values()):
        return Outline(root, root, _named(root, "entry"), around, around, notes, atom=True)
    raise UnfamiliarError(root.tag)


def _rss(root: etree._Element, around: Surroundings, notes: tuple[str, ...]) -> Outline:
    channel = _channel(list(root))
    around = around.within(attributes_of(channel))
    return Outline(root, channel, _named(channel, "item"), around, around, notes)


def _rdf(root: etree._Element, around: Surroundings, notes: tuple[str, ...]) -> Outline:
    entries = _named(root, "item")
    beside = [child for child in root if name_of_tag(child.tag) in {"image", "textinput"}]
    for child in beside:
        pass_over_beside(child)
    known = {*entries, *beside}
    channel = _channel([child for child in root if child not in known])
    if not _RSS10 & set(root.nsmap.values()) or len(_named(channel, "item")):
        raise UnfamiliarError(root.tag)
    return Outline(root, channel, entries, around.within(attributes_of(channel)), around, notes)


def _channel(elements: list[etree._Element]) -> etree._Element:
    """Return the single element of a list, which must be a channel."""
    if len(elements) != 1 or name_of_tag(elements[0].tag) != "channel":
        raise UnfamiliarError("several channels, or none")
    if _ODD_ATTRIBUTES & attributes_of(elements[0]).keys():
        raise UnfamiliarError("an attribute of the channel")
    return elements[0]


def _named(element: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in element if name_of_tag(child.tag) == name]


def raw_of(entry: etree._Element) -> bytes:
    """Return the standalone XML of an element."""
    return etree.tostring(entry, encoding="utf-8", with_tail=False)
