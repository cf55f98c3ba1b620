"""Build the elements of RSS and Atom: namespaces, and one function to add elements with any text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from aggregator.reader.feeds.sanitize import legible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

    from aggregator.reader.feeds.enclosures import Enclosure
    from aggregator.reader.feeds.feed import Feed

ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}"
DC = "{http://purl.org/dc/elements/1.1/}"
HISTORY = "{http://purl.org/syndication/history/1.0}"
MEDIA = "{http://search.yahoo.com/mrss/}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MEDIA_KINDS = {"image": "image", "audio": "audio", "video": "video", "animation": "video", "file": "document"}


def add(parent: _Element, name: str, text: str | None = None, /, **attributes: str | None) -> _Element:
    """Append an element; None attributes are omitted, a trailing "_" of their names is dropped."""
    made = etree.SubElement(parent, name)
    if text is not None:
        made.text = legible(text)
    for key, value in attributes.items():
        if value is not None:
            made.set(key.rstrip("_"), legible(value))
    return made


def root_of(name: str, namespace: str | None = None) -> _Element:
    """Return a root element, in a default namespace if one is given."""
    if namespace is None:
        return etree.Element(name)
    return etree.Element(f"{{{namespace}}}{name}", nsmap={None: namespace})  # type: ignore[dict-item]  # as above


def in_language(element: _Element, lang: str | None) -> None:
    """Set the language of an element's texts."""
    if lang:
        element.set(LANG, lang)


def paging(feed: Feed) -> Iterator[tuple[str, str]]:
    """Yield the (relation, URL) of a feed's other documents, as defined by RFC 5005."""
    yield "current" if feed.archive else "first", feed.first
    if feed.archive:
        pages: tuple[tuple[str, str | None], ...] = ()
    else:
        pages = (("next", feed.next), ("previous", feed.prev))
    for relation, url in (*pages, ("prev-archive", feed.prev_archive), ("next-archive", feed.next_archive)):
        if url:
            yield relation, url


def add_media(parent: _Element, enclosure: Enclosure, *, sensitive: bool) -> None:
    """Append media:content (Media RSS 1.5.1)."""
    made = add(
        parent,
        f"{MEDIA}content",
        url=enclosure.url,
        fileSize=_whole(enclosure.size),
        type=enclosure.mime,
        medium=_MEDIA_KINDS.get(enclosure.kind),
        duration=_whole(enclosure.duration),
        width=_whole(enclosure.width),
        height=_whole(enclosure.height),
    )
    if enclosure.alt:
        add(made, f"{MEDIA}description", enclosure.alt, type="plain")
    if enclosure.preview and enclosure.kind != "image":
        add(made, f"{MEDIA}thumbnail", url=enclosure.preview)
    if sensitive:
        add(made, f"{MEDIA}rating", "adult", scheme="urn:simple")


def document(root: _Element) -> bytes:
    """Return a document in UTF-8 with its declaration."""
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _whole(number: float | None) -> str | None:
    return str(max(1, round(number))) if number else None
