"""Collect the authors of feeds and entries from a tree, as they are written. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.sources.rss.xml_tree.markup import repaired, resolved
from aggregator.sources.rss.xml_tree.names import name_of

if TYPE_CHECKING:
    from lxml.etree import _Element

    from aggregator.sources.rss.fields import Fields
    from aggregator.sources.rss.xml_tree.markup import Surroundings

_PERSON = {
    "name": "name",
    "itunes_name": "name",
    "email": "email",
    "itunes_email": "email",
    "uri": "href",
    "url": "href",
    "homepage": "href",
}
_SHOWS = ("itunes_author", "googleplay_author")  # whose author is that of the whole podcast
AUTHORS = ("author", "managingeditor", "dc_creator", "dc_author", *_SHOWS)


def add_author(fields: Fields, element: _Element, inner: Surroundings) -> None:
    """Record an author element, either a text or a person with name and address."""
    author: Fields = {}
    for child in element:
        key = _PERSON.get(name_of(child))
        if key:
            text = _text(child)
            author[key] = resolved(inner.base, text) if key == "href" else text
    if not author:
        author["name"] = repaired(_own_text(element))
    if name_of(element) in _SHOWS:
        author["fallback"] = True
    fields.setdefault("authors", []).append(author)


def add_source_authors(fields: Fields, source: _Element, inner: Surroundings) -> None:
    """Record the authors of the feed from which an entry was copied."""
    for child in source:
        if name_of(child) == "author":
            add_author(fields.setdefault("source", {}), child, inner)


def _text(element: _Element) -> str:
    return "".join(map(str, element.itertext())).strip()


def _own_text(element: _Element) -> str:
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
