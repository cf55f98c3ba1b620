"""Read links of feeds and entries in a tree. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aggregator.sources.rss.feedparser_marks import OWN
from aggregator.sources.rss.namespaces import ATOM
from aggregator.sources.rss.xml_tree.markup import HTML, address_of, resolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

    from aggregator.sources.rss.fields import Fields
    from aggregator.sources.rss.xml_tree.markup import Surroundings

_ATOM = f"{{{ATOM}}}"
_BARE_REFERENCE = re.compile("&([A-Za-z0-9_]+);")


def add_link(
    fields: Fields,
    element: _Element,
    attributes: dict[str, str],
    inner: Surroundings,
    text: Callable[[_Element, str], str],
) -> None:
    """Record a link element; `text` reads a link written as text."""
    link = with_href(attributes)
    link.setdefault("rel", "alternate")
    link.setdefault("type", "application/atom+xml" if link["rel"] == "self" else HTML)
    fields.setdefault("links", []).append(link)
    if inner.lang:
        link["lang"] = inner.lang
    if "href" in link:
        link["href"] = resolved(inner.base, link["href"])
        return
    link["href"] = text(element, inner.base)
    if link["href"] and not element.tag.startswith(_ATOM):
        link[OWN] = "1"


def with_href(attributes: dict[str, str]) -> dict[str, str]:
    """Return attributes with the address under "href", whichever attribute holds it."""
    href = attributes.get("url", attributes.get("uri", attributes.get("href")))
    if not href:
        return dict(attributes)
    return {**{name: value for name, value in attributes.items() if name not in {"url", "uri"}}, "href": href}


def text_of_link(element: _Element, base: str) -> str:
    """Return the address in an entry's link element; repair queries that look damaged."""
    return _BARE_REFERENCE.sub(r"&\g<1>", address_of(element, base).replace("&amp;", "&"))


def text_of_feed_link(element: _Element, base: str) -> str:
    """Return the address in a feed's own link element."""
    return _BARE_REFERENCE.sub(r"&\g<1>", address_of(element, base))
