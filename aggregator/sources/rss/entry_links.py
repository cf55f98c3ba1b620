"""Choose the page of an entry or feed among its links, whichever parser read them. Pure.

The publisher's address before a redirector replaced it counts most; then RSS's own `<link>`, then alternates (the first
in the feed's language), and at last an id that is an address.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aggregator.sources.rss.feedparser_marks import OWN, PLAIN_GUID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ORIGINALS = ("feedburner_origlink", "origlink")  # names of elements in a tree

_RELATION = re.compile(r"https?://www\.iana\.org/assignments/(?:link-)?relations?/", re.IGNORECASE)
_PAGES = frozenset({"", "html", "xhtml", "text/html", "application/xhtml+xml"})
_NO_PAGE = re.compile(r"(?:xml|json)$|^(?:image|audio|video)/")
_IN_SITE = re.compile(r"[/?]|\.(?:html?|xhtml|php|aspx?|jsp)$", re.IGNORECASE)  # other ids are no relative addresses
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")


def page_link(fields: Mapping[str, Any], lang: str | None = None) -> str | None:
    """Return the address of the page that an entry or feed is about, as written; None if it has none.

    Args:
        fields: of an entry or a feed: "links", "link" (from an id), and the redirectors' originals.
        lang: the language of the entry, or else of the feed.
    """
    for name in [str(name) for name in fields if str(name).endswith("origlink")]:  # under any prefix
        original = _text(fields, name)
        if original and original.lower().startswith(("http://", "https://")):
            return original
    links = [link for link in _list(fields, "links") if isinstance(link, dict) and _is_web(_text(link, "href"))]
    own = [link for link in links if _get(link, OWN)]
    chosen = own or _alternates(links)
    return _in_language(chosen, lang) if chosen else _permalink(fields)


def is_alternate(relation: str) -> bool:
    """Return whether a relation of a link, or none, means another form of the same thing."""
    names = _RELATION.sub("", relation).lower().split()
    return not names or "alternate" in names


def _permalink(fields: Mapping[str, Any]) -> str | None:
    """Return an id that is the address of the page."""
    candidates = [_text(fields, "link"), None if _get(fields, PLAIN_GUID) else _text(fields, "id")]
    return next((address for address in candidates if address and _IN_SITE.search(address) and _is_web(address)), None)


def _alternates(links: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the alternates that are pages, or else those of a type that people can open."""
    alternates = [link for link in links if is_alternate(_text(link, "rel") or "")]
    kinds = [(_text(link, "type") or "").partition(";")[0].strip().lower() for link in alternates]
    pages = [link for link, kind in zip(alternates, kinds, strict=True) if kind in _PAGES]
    return pages or [link for link, kind in zip(alternates, kinds, strict=True) if not _NO_PAGE.search(kind)]


def _in_language(links: Sequence[Mapping[str, Any]], lang: str | None) -> str | None:
    expected = _primary(lang)
    for link in links:
        language = _primary(_text(link, "hreflang"))
        if not language or language == (_primary(_text(link, "lang")) or expected):
            return _text(link, "href")
    return _text(links[0], "href")


def _primary(tag: str | None) -> str:
    return (tag or "").replace("_", "-").partition("-")[0].strip().lower()


def _is_web(address: str | None) -> bool:
    if not address:
        return False
    scheme = _SCHEME.match(address)
    return scheme is None or scheme[1].lower() in {"http", "https"}


def _get(values: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - feedparser is untyped
    return dict.get(values, name) if isinstance(values, dict) else None  # without feedparser's aliases


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = _get(values, name)
    return value.strip() or None if isinstance(value, str) else None


def _list(values: Mapping[str, Any], name: str) -> list[Any]:
    value = _get(values, name)
    return value if isinstance(value, list) else []
