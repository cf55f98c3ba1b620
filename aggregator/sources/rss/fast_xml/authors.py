"""Collect the authors of feeds and entries from a tree, as they are written. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.sources.rss.fast_xml.markup import repaired, resolved
from aggregator.sources.rss.fast_xml.names import UnfamiliarError, name_of_tag

if TYPE_CHECKING:
    from lxml.etree import _Element

    from aggregator.sources.rss.fast_xml.markup import Surroundings
    from aggregator.sources.rss.fields import Fields

_PERSON = {
    "name": "name",
    "itunes_name": "name",
    "email": "email",
    "itunes_email": "email",
    "uri": "href",
    "url": "href",
    "homepage": "href",
}
_SHOW = "itunes_author"


def add_author(fields: Fields, element: _Element, inner: Surroundings) -> None:
    """Record an author element, either a text or a person with name and address."""
    author: Fields = {}
    for child in element:
        key = _PERSON.get(_name(child))
        if key:
            text = _text(child)
            author[key] = resolved(inner.base, text) if key == "href" else text
    if not author:
        author["name"] = repaired(_text(element))
    if element.tag.startswith("{") and name_of_tag(element.tag) == _SHOW:
        author["fallback"] = True
    fields.setdefault("authors", []).append(author)


def add_source_authors(fields: Fields, source: _Element, inner: Surroundings) -> None:
    """Record the authors of the feed from which an entry was copied."""
    for child in source:
        if _name(child) == "author":
            add_author(fields.setdefault("source", {}), child, inner)


def _name(element: _Element) -> str:
    try:
        return name_of_tag(element.tag)
    except UnfamiliarError:
        return ""


def _text(element: _Element) -> str:
    return "".join(map(str, element.itertext())).strip()
