"""Resolve names of elements and attributes as feedparser does, so that a tree gives the same result. Pure.

A construct that may have a meaning for feedparser but is not supported here raises an `UnfamiliarError`, and the
document is read by feedparser.
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
UNKNOWN = "?"  # any name in a namespace unknown to feedparser

_MEDIA = ("http://search.yahoo.com/mrss/", "http://search.yahoo.com/mrss")
_XLINK = "http://www.w3.org/1999/xlink"
_USERLAND = "backend.userland.com/rss"
REPLY = "thr_in-reply-to"
_UNDER_ANY = {"in-reply-to": REPLY, "origlink": "origlink"}  # elements that are read under any prefix
_DECLARATION = re.compile(rb"xmlns:([^\s=<>\"']+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
# One of these prefixes with a local name could form the name of a field that is read here: <title:detail>.
_MEANINGFUL = frozenset(
    {"author", "created", "date", "description", "issued", "modified", "published", "summary", "tagline", "title"}
    | {"updated", "rdf", "xml"}
    | {name.partition("_")[0] for name in HANDLED if "_" in name}
)
_PREFIXES = frozenset(NAMESPACES.values())
# Elements without a meaning of their own that feedparser stores under the name of a field that is read here.
_FIELDS = frozenset(
    {"author_detail", "authors", "created_parsed", "date", "date_parsed", "description_detail", "issued_parsed"}
    | {"icon", "itunes_duration", "links", "logo", "media_content", "media_thumbnail", "modified_parsed"}
    | {"published_parsed", "summary_detail", "tagline_detail", "title_detail", "updated_parsed", "thr_in-reply-to"}
)
# Elements that feedparser stores in fields that are not read here.
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
    """A construct for which only feedparser is known to give feedparser's result."""


@lru_cache(maxsize=4096)
def name_of_tag(tag: str) -> str:
    """Return feedparser's method name for an element: "title", "dc_creator"; `UNKNOWN` for others.

    Raises:
        UnfamiliarError: parsers disagree about the name.
    """
    uri, local = _parted(tag)
    if not local.isascii():
        raise UnfamiliarError(tag)
    prefix = _prefix(uri)
    if prefix is None:
        return _UNDER_ANY.get(local.lower(), UNKNOWN)
    if prefix == "media" and uri not in _MEDIA:  # another spelling is not Media RSS for one of the readers
        raise UnfamiliarError(tag)
    return f"{prefix}_{local.lower()}" if prefix else local.lower()


def check_prefixes(body: bytes) -> None:
    """Check all namespace declarations in a UTF-8 document.

    feedparser looks some elements up by prefix, so each prefix must have exactly one namespace, and no usual prefix may
    have another namespace than the usual one.

    Raises:
        UnfamiliarError: the declarations violate that.
    """
    meanings: dict[str, str | None] = {}
    for prefix, double, single in set(_DECLARATION.findall(body)):
        uri = (double or single).decode("utf-8", "replace")
        name, meaning = prefix.decode("utf-8", "replace").lower(), _prefix(uri)
        usual = name not in _MEANINGFUL if meaning is None else meaning == name or name not in _PREFIXES
        if not usual or meanings.setdefault(name, meaning) != meaning or uri == _XLINK:
            raise UnfamiliarError(name)


def attributes_of(element: _Element) -> dict[str, str]:
    """Return an element's attributes by feedparser's names: "href", "xml:lang", "rdf:about"."""
    found: dict[str, str] = {}
    for tag, value in element.items():
        name = _attribute(str(tag))
        found[name] = str(value).lower() if name in {"rel", "type"} else str(value)
    return found


def pass_over(element: _Element, name: str) -> None:
    """Check that feedparser would ignore the content of an element that is not read.

    Raises:
        UnfamiliarError: feedparser may use some of it.
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
    """Check that an element has no children.

    Raises:
        UnfamiliarError: it has children.
    """
    if len(element):
        raise UnfamiliarError(element.tag)


def _harmless(element: _Element, name: str) -> None:
    if name == UNKNOWN:
        if element.prefix is None:  # without a prefix, feedparser treats it as an element of the feed
            raise UnfamiliarError(element.tag)
    elif name in _FIELDS or (name in HANDLED and name not in _QUIET and not _nests(name)):
        raise UnfamiliarError(name)


def _nests(name: str) -> bool:
    """Return whether an element that feedparser handles may contain others without any effect."""
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
    """Return the usual prefix of a namespace: "" for namespaces of feeds, None for unknown ones."""
    return "" if _USERLAND in uri.lower() else NAMESPACES.get(uri.lower())
