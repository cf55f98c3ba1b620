"""List the requirements of Atom (RFC 4287)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lxml import etree

from tests.reader.feeds.looking import (
    LANGUAGE,
    MEDIA_TYPE,
    NAMES,
    all_of,
    at_most_one,
    every,
    is_rfc3339,
    is_uri,
    one_each,
    texts,
    unique,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

_PAGING = {"first", "last", "next", "previous", "current", "prev-archive", "next-archive"}
_REGISTERED = _PAGING | {"alternate", "self", "enclosure", "related", "via"}
_OF_ATOM = frozenset(
    {
        "feed",
        "id",
        "title",
        "subtitle",
        "updated",
        "author",
        "contributor",
        "name",
        "uri",
        "link",
        "entry",
        "published",
        "category",
        "summary",
        "content",
    }
)


def _links(root: _Element, base: str) -> list[tuple[str | None, ...]]:
    return [tuple(link.get(name) for name in ("rel", "type", "hreflang")) for link in all_of(root, base)]


def _has_each(root: _Element, child: str) -> bool:
    return all(all_of(entry, child) for entry in all_of(root, "//a:entry"))


def _moment(entry: _Element, path: str) -> datetime:
    return datetime.fromisoformat(texts(entry, path)[0])


ATOM = (
    ("RFC 4287, 2", "the document is a feed in Atom's namespace", lambda r: r.tag == f"{{{NAMES['a']}}}feed"),
    ("RFC 4287, 2", "xml:lang is a language tag", lambda r: every(r, "//@xml:lang", LANGUAGE.fullmatch)),
    (
        "RFC 4287, 3.1.1.1",
        "text has no child elements",
        lambda r: not all_of(r, "//a:title/*|//a:subtitle/*|//a:summary/*"),
    ),
    (
        "RFC 4287, 3.1.1",
        "type is text, html or xhtml",
        lambda r: every(
            r, "//a:title/@type|//a:summary/@type|//a:subtitle/@type", {"text", "html", "xhtml"}.__contains__
        ),
    ),
    ("RFC 4287, 3.2.1", "a person has one name", lambda r: one_each(r, "//a:author|//a:contributor", "a:name")),
    (
        "RFC 4287, 3.2.2",
        "a person has one uri at most, an address",
        lambda r: at_most_one(r, "//a:author|//a:contributor", "a:uri") and every(r, "//a:uri", is_uri),
    ),
    (
        "RFC 4287, 3.2.3",
        "a person has one email at most",
        lambda r: at_most_one(r, "//a:author|//a:contributor", "a:email"),
    ),
    (
        "RFC 4287, 3.3",
        "dates are of RFC 3339, T and Z in capitals",
        lambda r: every(r, "//a:updated|//a:published", is_rfc3339),
    ),
    (
        "RFC 4287, 4.1.1",
        "the feed has an author, or each entry has",
        lambda r: bool(all_of(r, "a:author")) or _has_each(r, "a:author"),
    ),
    *(
        ("RFC 4287, 4.1.1", f"the feed has one {name}", lambda r, name=name: len(all_of(r, f"a:{name}")) == 1)
        for name in ("id", "title", "updated")
    ),
    (
        "RFC 4287, 4.1.1",
        "the feed has one subtitle, generator, icon, logo and rights at most",
        lambda r: at_most_one(r, "/a:feed", "a:subtitle", "a:generator", "a:icon", "a:logo", "a:rights"),
    ),
    (
        "RFC 4287, 4.1.1",
        "the feed has one alternate link at most of a type and language",
        lambda r: unique(_links(r, "a:link[@rel='alternate']")),
    ),
    ("RFC 4287, 4.1.1", "a feed should say its own address", lambda r: len(all_of(r, "a:link[@rel='self']")) == 1),
    *(
        ("RFC 4287, 4.1.2", f"an entry has one {name}", lambda r, name=name: one_each(r, "//a:entry", f"a:{name}"))
        for name in ("id", "title", "updated")
    ),
    (
        "RFC 4287, 4.1.2",
        "an entry has content or an alternate link",
        lambda r: all(all_of(e, "a:content|a:link[@rel='alternate']") for e in all_of(r, "//a:entry")),
    ),
    (
        "RFC 4287, 4.1.2",
        "an entry has one content, published, rights, source and summary at most",
        lambda r: at_most_one(r, "//a:entry", "a:content", "a:published", "a:rights", "a:source", "a:summary"),
    ),
    (
        "RFC 4287, 4.1.2",
        "an entry has one alternate link at most of a type and language",
        lambda r: all(unique(_links(e, "a:link[@rel='alternate']")) for e in all_of(r, "//a:entry")),
    ),
    (
        "RFC 4287, 4.1.1",
        "entries that share an id differ in when they were updated",
        lambda r: unique((texts(e, "a:id")[0], texts(e, "a:updated")[0]) for e in all_of(r, "//a:entry")),
    ),
    ("RFC 4287, 4.1.1.1", "titles are not empty", lambda r: every(r, "//a:title", str.strip)),
    ("RFC 4287, 4.1.3", "HTML content has no child elements", lambda r: not all_of(r, "//a:content[@type='html']/*")),
    (
        "RFC 4287, 4.1.3.1",
        "the type of content is text, html, xhtml or a media type",
        lambda r: every(r, "//a:content/@type", lambda t: t in {"text", "html", "xhtml"} or MEDIA_TYPE.fullmatch(t)),
    ),
    (
        "RFC 4287, 4.2.2",
        "a category has a term",
        lambda r: all((c.get("term") or "").strip() for c in all_of(r, "//a:category")),
    ),
    ("RFC 4287, 4.2.2.2", "a category's scheme is an address", lambda r: every(r, "//a:category/@scheme", is_uri)),
    ("RFC 4287, 4.2.6", "ids are absolute addresses", lambda r: every(r, "//a:id", is_uri)),
    (
        "RFC 4287, 4.2.7",
        "a link has an href",
        lambda r: all(is_uri(link.get("href") or "") for link in all_of(r, "//a:link")),
    ),
    (
        "RFC 4287, 4.2.7.2",
        "relations are registered names",
        lambda r: every(r, "//a:link/@rel", _REGISTERED.__contains__),
    ),
    ("RFC 4287, 4.2.7.3", "types of links are media types", lambda r: every(r, "//a:link/@type", MEDIA_TYPE.fullmatch)),
    ("RFC 4287, 4.2.7.6", "lengths of links are numbers", lambda r: every(r, "//a:link/@length", str.isdecimal)),
    (
        "RFC 4287, 4.2.9",
        "an entry was not published after it was updated",
        lambda r: all(
            _moment(e, "a:published") <= _moment(e, "a:updated") for e in all_of(r, "//a:entry[a:published]")
        ),
    ),
    (
        "RFC 4287, 6",
        "nothing in Atom's namespace that Atom does not know",
        lambda r: {etree.QName(e).localname for e in all_of(r, "//a:*")} <= _OF_ATOM,
    ),
)
