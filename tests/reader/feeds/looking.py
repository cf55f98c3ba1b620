"""Find elements and texts of a feed document, and check the formats of dates, addresses and types."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lxml.etree import _Element

NAMES = {
    "a": "http://www.w3.org/2005/Atom",
    "c": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "fh": "http://purl.org/syndication/history/1.0",
    "media": "http://search.yahoo.com/mrss/",
}
_RFC822 = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d ([+-]\d{4}|[A-Z]{1,3})")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
MEDIA_TYPE = re.compile(r"[^\s/;]+/[^\s/;]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
EMAIL = re.compile(r"\S+@\S+")


def all_of(root: _Element, path: str) -> list[_Element]:
    found = root.xpath(path, namespaces=NAMES)
    assert isinstance(found, list)
    return [item for item in found if isinstance(item, etree._Element)]


def texts(root: _Element, path: str) -> list[str]:
    """Return the texts at a path, of elements or attributes."""
    found = root.xpath(path, namespaces=NAMES)
    assert isinstance(found, list)
    return [item if isinstance(item, str) else (getattr(item, "text", None) or "") for item in found]


def is_uri(text: str) -> bool:
    return bool(_URI.fullmatch(text)) and bool(urlsplit(text).scheme)


def is_web(text: str) -> bool:
    return is_uri(text) and urlsplit(text).scheme in {"http", "https"} and bool(urlsplit(text).hostname)


def is_rfc822(text: str) -> bool:
    return bool(_RFC822.fullmatch(text)) and parsedate_to_datetime(text).strftime("%a") == text[:3]


def is_rfc3339(text: str) -> bool:
    return bool(_RFC3339.fullmatch(text)) and datetime.fromisoformat(text).tzinfo is not None


def one_each(root: _Element, parents: str, child: str) -> bool:
    return all(len(all_of(parent, child)) == 1 for parent in all_of(root, parents))


def at_most_one(root: _Element, parents: str, *children: str) -> bool:
    return all(len(all_of(parent, child)) <= 1 for parent in all_of(root, parents) for child in children)


def every(root: _Element, path: str, test: Callable[[str], object]) -> bool:
    return all(test(text) for text in texts(root, path))


def unique(values: Iterable[object]) -> bool:
    found = list(values)
    return len(found) == len(set(found))
