"""Collect authors from a tree with the same result as feedparser, whose author fields affect each other. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.sources.rss.fast_xml.markup import address_of, bare_text, text_of
from aggregator.sources.rss.fast_xml.names import UnfamiliarError, name_of_tag, pass_over
from aggregator.sources.rss.feedparser_reader import person_in

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


def add_author(fields: Fields, element: _Element, inner: Surroundings) -> None:
    """Record an author element, either a text or a person with name, mail and address.

    Raises:
        UnfamiliarError: only feedparser can interpret part of it.
    """
    authors: list[Fields] = fields.setdefault("authors", [])
    authors.append({})
    for child in element:
        name = name_of_tag(child.tag)
        if name in _PERSON:
            _save(fields, _PERSON[name], _value(child, _PERSON[name], inner))
        else:
            pass_over(child, name)
    if len(element) and not authors[-1]:
        raise UnfamiliarError(element.tag)
    fields["author"] = "" if len(element) else text_of(element)
    _settle(fields)


def add_owner(fields: Fields, element: _Element, inner: Surroundings) -> None:
    """Record the iTunes owner of a feed, whose name feedparser also assigns to the last author.

    Raises:
        UnfamiliarError: as `add_author`.
    """
    for child in element:
        name = name_of_tag(child.tag)
        if _PERSON.get(name) in {"name", "email"}:
            fields.setdefault("authors", [{}])
            _save(fields, _PERSON[name], _value(child, _PERSON[name], inner), detail=False)
        else:
            pass_over(child, name)


def _value(element: _Element, key: str, inner: Surroundings) -> str:
    if element.keys():
        raise UnfamiliarError(element.tag)
    return address_of(element, inner.base) if key == "href" else bare_text(element)


def _save(fields: Fields, key: str, value: str, *, detail: bool = True) -> None:
    if detail:
        fields.setdefault("author_detail", {})[key] = value
    _settle(fields)
    fields["authors"][-1][key] = value


def _settle(fields: Fields) -> None:
    """Synchronize the author text with the details of the last author, in either direction."""
    last: Fields = fields["authors"][-1]
    if last:
        name, email = last.get("name"), last.get("email")
        if name and email:
            fields["author"] = f"{name} ({email})"
        elif name or email:
            fields["author"] = name or email
        return
    author = fields.get("author")
    if not author:
        return
    found = person_in(author) if "@" in author else {"name": author}
    if found:
        fields.setdefault("author_detail", last)
        last.update(found)
