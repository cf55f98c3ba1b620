"""Describe a body that is not a feed, and find the feed links of a page. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import NamedTuple

from aggregator.text.html import plain_text
from aggregator.text.urls import canonical_url

_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json", "application/json"})
_PROLOG = re.compile(rb"(?s)(?:\s+|<\?.*?\?>|<!--.*?-->|<!(?!doctype\s+html)[^>\[]*(?:\[.*?\])?\s*>)*", re.IGNORECASE)
_ROOT = re.compile(rb"<(!doctype\s+html|[a-z_][\w:.-]*)", re.IGNORECASE)
_TITLE = re.compile(r"(?is)<title[^>]{0,300}>([^<]{0,300})")
_BOMS = b"\xef\xbb\xbf\xff\xfe\x00"
_HEAD = 256 * 1024  # bytes of a page that are examined
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
    return root(body) in {"html", "head", "body", "meta", "title", "div", "p", "script", "link"}


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
    """An HTML page."""

    words: str  # description for people
    feed: str | None  # URL of its first feed link


def page(body: bytes, url: str) -> Page | None:
    """Describe the HTML page at `url`; return None for any other body."""
    if not is_html(body):
        return None
    links = feed_links(body, url)
    return Page(seen(body, ""), links[0] if links else None)


def feed_links(body: bytes, url: str) -> list[str]:
    """Return the URLs of the feed links of the HTML page at `url`, in its order."""
    parser = _Page(url)
    parser.feed(_page(body))
    return list(dict.fromkeys(parser.links))


def _page(body: bytes) -> str:
    return body[:_HEAD].decode("utf-8", "replace")


class _Page(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self._base = url

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "base" and values.get("href"):
            self._base = canonical_url(values["href"], self._base) or self._base
        elif tag == "link" and "alternate" in values.get("rel", "").lower().split():
            kind = values.get("type", "").partition(";")[0].strip().lower()
            link = canonical_url(values.get("href", ""), self._base) if values.get("href") else None
            if link and kind in _FEED_TYPES:
                self.links.append(link)
