"""Describe a body that is not a feed, and find the feed links of a page. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from aggregator.sources.rss.page_links import feed_links_of
from aggregator.text.html import plain_text

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_FEED_TAG = re.compile(rb"<(?:[a-z]{1,10}:)?(?:rss|feed|rdf|channel)[\s>]", re.IGNORECASE)
_HTML_TAG = re.compile(rb"<(?:html|head|body|link|meta)[\s>]", re.IGNORECASE)
_PROLOG = re.compile(rb"(?s)(?:\s+|<\?.*?\?>|<!--.*?-->|<!(?!doctype\s+html)[^>\[]*(?:\[.*?\])?\s*>)*", re.IGNORECASE)
_ROOT = re.compile(rb"<(!doctype\s+html|[a-z_][\w:.-]*)", re.IGNORECASE)
_TITLE = re.compile(r"(?is)<title[^>]{0,300}>([^<]{0,300})")
_BOMS = b"\xef\xbb\xbf\xff\xfe\x00"
_HEAD = 256 * 1024  # bytes that describe a document
_LARGEST_PAGE = 2 * 1024 * 1024  # bytes of a page whose links are read: some have a megabyte of scripts before them
_KB = 1000


def root(body: bytes) -> str:
    """Return the name of the document's first element in lower case, or "" if there is no markup."""
    body = body.lstrip(_BOMS)
    prolog = _PROLOG.match(body[:_HEAD])
    found = _ROOT.match(body, prolog.end() if prolog else 0)
    if found is None:
        return ""
    name = found[1].decode("ascii").lower()
    return "html" if name.startswith("!doctype") else name


def is_html(body: bytes) -> bool:
    """Return whether a body is an HTML page rather than a feed."""
    return root(body) in {"html", "head", "body", "meta", "title", "div", "p", "script", "style", "link"}


def is_json(body: bytes) -> bool:
    """Return whether a body looks like JSON."""
    return body.lstrip(_BOMS + b" \t\r\n")[:1] in {b"{", b"["}


def seen(body: bytes, content_type: str) -> str:
    """Describe a body that is not a feed in a few words: 'an HTML page titled "..."', "image/png of 12 kB"."""
    if not body.strip():
        return "an empty body"
    if is_html(body):
        title = _TITLE.search(_page(body))
        words = plain_text(title[1])[:100] if title else ""
        return f'an HTML page titled "{words}"' if words else "an HTML page"
    if is_json(body):
        return "JSON without a feed"
    name = root(body)
    if name:
        return f"an XML document of <{name[:40]}>"
    size = f"{len(body)} bytes" if len(body) < _KB else f"{round(len(body) / _KB)} kB"
    return f"{content_type.partition(';')[0].strip()[:60] or 'a response without a content type'} of {size}"


class Page(NamedTuple):
    """An HTML page, or another document with Link headers."""

    words: str  # description for people
    feeds: tuple[str, ...]  # URLs of its feeds, the likeliest first


def page(body: bytes, content_type: str, url: str, link_header: str = "") -> Page | None:
    """Describe the HTML page at `url`; return None for other bodies, unless Link headers name feeds of theirs."""
    if is_html(body) or _is_odd_html(body, content_type):
        return Page(seen(body, content_type), tuple(feed_links_of(_text(body), url, link_header)))
    if is_json(body) or root(body):  # may be a feed, whose Link headers name others
        return None
    feeds = tuple(feed_links_of("", url, link_header))
    return Page(seen(body, content_type), feeds) if feeds else None


def feed_links(body: bytes, url: str) -> list[str]:
    """Return the URLs of the feeds that the HTML page at `url` announces, the likeliest first."""
    return feed_links_of(_text(body), url)


def _is_odd_html(body: bytes, content_type: str) -> bool:
    """Return whether a body is a page that begins with something else: a text, or another element."""
    if content_type.partition(";")[0].strip().lower() not in _HTML_TYPES or is_json(body):
        return False
    return _HTML_TAG.search(body, 0, _HEAD) is not None and _FEED_TAG.search(body, 0, _HEAD) is None


def _page(body: bytes) -> str:
    return body[:_HEAD].decode("utf-8", "replace")


def _text(body: bytes) -> str:
    return body[:_LARGEST_PAGE].decode("utf-8", "replace")
