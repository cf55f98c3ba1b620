"""Render Atom (RFC 4287) with paging and archives (RFC 5005). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from aggregator.reader.feeds.entries import entry_of
from aggregator.reader.feeds.sanitize import language
from aggregator.reader.feeds.xml import (
    ATOM,
    DC,
    HISTORY,
    MEDIA,
    add,
    add_media,
    document,
    in_language,
    paging,
)
from aggregator.web.dates import machine_time

if TYPE_CHECKING:
    from lxml.etree import _Element

    from aggregator.reader.feeds.entries import Author, Entry
    from aggregator.reader.feeds.feed import Feed

MEDIA_TYPE = "application/atom+xml"

_PREFIXES: dict[str | None, str] = {
    None: ATOM.strip("{}"),
    "dc": DC.strip("{}"),
    "fh": HISTORY.strip("{}"),
    "media": MEDIA.strip("{}"),
}


def render(feed: Feed) -> bytes:
    """Return a feed document in UTF-8."""
    root = etree.Element(f"{ATOM}feed", nsmap=_PREFIXES)  # type: ignore[arg-type]  # the stubs forget the default namespace
    in_language(root, language(feed.language))
    add(root, f"{ATOM}id", feed.id)
    add(root, f"{ATOM}title", feed.title)
    add(root, f"{ATOM}subtitle", feed.description)
    add(root, f"{ATOM}updated", machine_time(feed.updated))
    author = add(root, f"{ATOM}author")  # the default for entries without an author: each needs one
    add(author, f"{ATOM}name", feed.title)
    add(author, f"{ATOM}uri", feed.home)
    add(root, f"{ATOM}link", rel="alternate", type="text/html", href=feed.home)
    add(root, f"{ATOM}link", rel="self", type=MEDIA_TYPE, href=feed.self_url)
    for relation, url in paging(feed):
        add(root, f"{ATOM}link", rel=relation, type=MEDIA_TYPE, href=url)
    if feed.archive:
        add(root, f"{HISTORY}archive")
    for item in feed.items:
        _add_entry(root, entry_of(item, feed.terms))
    return document(root)


def _add_entry(feed: _Element, entry: Entry) -> None:
    made = add(feed, f"{ATOM}entry")
    in_language(made, entry.lang)
    add(made, f"{ATOM}id", entry.id)
    add(made, f"{ATOM}title", entry.title)
    add(made, f"{ATOM}published", machine_time(entry.published))
    add(made, f"{ATOM}updated", machine_time(entry.updated))
    _add_person(made, "author", entry.author)
    _add_person(made, "contributor", entry.contributor)
    add(made, f"{ATOM}link", rel="alternate", type="text/html", href=entry.link)
    for enclosure in entry.enclosures:
        size = str(enclosure.size) if enclosure.size else None
        add(
            made,
            f"{ATOM}link",
            rel="enclosure",
            type=enclosure.mime,
            href=enclosure.url,
            length=size,
            title=enclosure.alt or None,
        )
    for category in entry.categories:
        add(made, f"{ATOM}category", term=category.term, scheme=category.scheme)
    # Not atom:source, which requires the metadata of the entry's own feed: only its name is known here.
    add(made, f"{DC}source", entry.source.name)
    add(made, f"{ATOM}summary", entry.summary)
    add(made, f"{ATOM}content", entry.html, type="html")
    for enclosure in entry.enclosures:
        add_media(made, enclosure, sensitive=entry.sensitive)


def _add_person(entry: _Element, role: str, person: Author | None) -> None:
    if person:
        made = add(entry, f"{ATOM}{role}")
        add(made, f"{ATOM}name", person.name)
        if person.url:
            add(made, f"{ATOM}uri", person.url)
