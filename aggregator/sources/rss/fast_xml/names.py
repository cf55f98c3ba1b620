"""Names of elements and attributes as feedparser resolves them, so that a tree can be read to the same effect. Pure.

Whatever is met that may mean something to feedparser, but is not claimed to be understood here, is an
`UnfamiliarError`, and the document goes to feedparser.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from aggregator.sources.rss.feedparser_reader import HANDLED, NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

ATOM = "http://www.w3.org/2005/Atom"
RSS10 = "http://purl.org/rss/1.0/"
XHTML = "{http://www.w3.org/1999/xhtml}"
UNKNOWN = "?"  # stands for every name in a namespace that feedparser does not know

_MEDIA = ("http://search.yahoo.com/mrss/", "http://search.yahoo.com/mrss")
_XLINK = "http://www.w3.org/1999/xlink"
_USERLAND = "backend.userland.com/rss"
REPLY = "thr_in-reply-to"
_DECLARATION = re.compile(rb"xmlns:([^\s=<>\"']+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
# A prefix of these and a local name could spell a field that we read: <title:detail>.
_MEANINGFUL = frozenset(
    {"author", "created", "date", "description", "issued", "modified", "published", "summary", "tagline", "title"}
    | {"updated", "rdf", "xml"}
    | {name.partition("_")[0] for name in HANDLED if "_" in name}
)
_PREFIXES = frozenset(NAMESPACES.values())
# Elements without a meaning of their own that would still be filed under the name of a field that we read.
_FIELDS = frozenset(
    {"author_detail", "authors", "created_parsed", "date", "date_parsed", "description_detail", "issued_parsed"}
    | {"icon", "itunes_duration", "links", "logo", "media_content", "media_thumbnail", "modified_parsed"}
    | {"published_parsed", "summary_detail", "tagline_detail", "title_detail", "updated_parsed", "thr_in-reply-to"}
)
# Elements that feedparser keeps in fields that nobody here reads.
_QUIET = frozenset(
    {"category", "cc_license", "cloud", "copyright", "created"}
    | {"creativecommons_license", "dc_contributor", "dc_date", "dc_language", "dc_publisher", "dc_rights"}
    | {"dc_subject", "dcterms_created", "dcterms_issued", "dcterms_modified", "dcterms_valid", "expirationdate"}
    | {"feedburner_browserfriendly", "generator", "info", "issued", "itunes_block", "itunes_explicit"}
    | {"itunes_keywords", "itunes_subtitle", "keywords", "language", "lastbuilddate", "media_category"}
    | {"media_credit", "media_keywords", "media_license", "media_player", "media_rating", "media_restriction"}
    | {"modified", "pubdate", "published", "rights", "subtitle", "tagline", "updated", "webmaster", "itunes_category"}
)


class UnfamiliarError(Exception):
    """A construct that only feedparser is known to understand as feedparser does."""


@lru_cache(maxsize=4096)
def name_of_tag(tag: str) -> str:
    """Return the name that feedparser's methods have for an element: "title", "dc_creator"; `UNKNOWN` for others.

    Raises:
        UnfamiliarError: the name is one that parsers differ about.
    """
    uri, local = _parted(tag)
    if not local.isascii():
        raise UnfamiliarError(tag)
    prefix = _prefix(uri)
    if prefix is None:
        return REPLY if local.lower() == "in-reply-to" else UNKNOWN
    if prefix == "media" and uri not in _MEDIA:  # to one of the readers another spelling is no Media RSS
        raise UnfamiliarError(tag)
    return f"{prefix}_{local.lower()}" if prefix else local.lower()


def check_prefixes(body: bytes) -> None:
    """Look at all declarations of namespaces in a document in UTF-8.

    feedparser looks some elements up by their prefix, so every prefix must stand for one thing only, and none for
    another than the usual one.

    Raises:
        UnfamiliarError: they do not.
    """
    meanings: dict[str, str | None] = {}
    for prefix, double, single in set(_DECLARATION.findall(body)):
        uri = (double or single).decode("utf-8", "replace")
        name, meaning = prefix.decode("utf-8", "replace").lower(), _prefix(uri)
        usual = name not in _MEANINGFUL if meaning is None else meaning == name or name not in _PREFIXES
        if not usual or meanings.setdefault(name, meaning) != meaning or uri == _XLINK:
            raise UnfamiliarError(name)


def attributes_of(element: _Element) -> dict[str, str]:
    """Return an element's attributes by the names that feedparser has for them: "href", "xml:lang", "rdf:about"."""
    found: dict[str, str] = {}
    for tag, value in element.items():
        name = _attribute(str(tag))
        found[name] = str(value).lower() if name in {"rel", "type"} else str(value)
    return found


def pass_over(element: _Element, name: str) -> None:
    """Make sure that nothing in an element that is not read matters to feedparser.

    Raises:
        UnfamiliarError: something may.
    """
    _harmless(element, name)
    if not len(element):
        return
    if name in HANDLED and not _nests(name):
        raise UnfamiliarError(name)
    for inner in _within(element):
        own = name_of_tag(inner.tag)
        if own in HANDLED and not _nests(own):
            raise UnfamiliarError(own)
        _harmless(inner, own)


def pass_over_children(element: _Element) -> None:
    """Make sure that there are none.

    Raises:
        UnfamiliarError: there are some.
    """
    if len(element):
        raise UnfamiliarError(element.tag)


def _harmless(element: _Element, name: str) -> None:
    if name == UNKNOWN:
        if element.prefix is None:  # without a prefix feedparser takes it for one of the feed's own
            raise UnfamiliarError(element.tag)
    elif name in _FIELDS or (name in HANDLED and name not in _QUIET and not _nests(name)):
        raise UnfamiliarError(name)


def _nests(name: str) -> bool:
    """Whether an element that feedparser handles may hold others without either of them mattering."""
    return name.startswith(("georss_", "gml_")) or name in {"where", "itunes_category"}


def _within(element: _Element) -> Iterator[_Element]:
    inner = element.iter()
    next(inner)
    return inner


@lru_cache(maxsize=4096)
def _attribute(tag: str) -> str:
    uri, local = _parted(tag)
    prefix = "xml" if uri == "http://www.w3.org/XML/1998/namespace" else _prefix(uri)
    return f"{prefix}:{local}".lower() if prefix else local.lower()


def _parted(tag: str) -> tuple[str, str]:
    uri, _, local = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
    return uri, local


def _prefix(uri: str) -> str | None:
    """Return the prefix that a namespace stands for, "" for those of feeds themselves, None for unknown ones."""
    return "" if _USERLAND in uri.lower() else NAMESPACES.get(uri.lower())
