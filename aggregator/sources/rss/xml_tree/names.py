"""Resolve the names of elements and attributes by their namespaces. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from aggregator.sources.rss.namespaces import USUAL, prefix_of

if TYPE_CHECKING:
    from lxml.etree import _Element

UNKNOWN = "?"  # any name in a namespace that is not read
REPLY = "thr_in-reply-to"
_UNDER_ANY = {"in-reply-to": REPLY, "origlink": "origlink"}  # elements that are read under any prefix


def name_of(element: _Element) -> str:
    """Return the name of an element: "title", "dc_creator"; `UNKNOWN` for others.

    An unknown namespace counts as the usual one of its prefix, and without a prefix as that of feeds: many documents
    misspell the address.
    """
    return _name(element.tag, element.prefix)


@lru_cache(maxsize=4096)
def _name(tag: str, written: str | None) -> str:
    uri, local = _parted(tag)
    prefix = prefix_of(uri)
    local = local.lower()
    if prefix is None:
        prefix = prefix_of(USUAL.get(written.lower(), uri)) if written else ""
    if prefix is None:
        return _UNDER_ANY.get(local, UNKNOWN)
    return f"{prefix}_{local}" if prefix else local


def attributes_of(element: _Element) -> dict[str, str]:
    """Return an element's attributes by name: "href", "xml:lang", "rdf:about".

    Those of unknown namespaces count by their local names, after the element's own.
    """
    found: dict[str, str] = {}
    foreign: dict[str, str] = {}
    for tag, value in element.items():
        name, known = _attribute(str(tag))
        kept = found if known else foreign
        kept[name] = str(value).lower() if name in {"rel", "type"} else str(value)
    return {**foreign, **found} if foreign else found


@lru_cache(maxsize=4096)
def _attribute(tag: str) -> tuple[str, bool]:
    uri, local = _parted(tag)
    prefix = prefix_of(uri)
    return (f"{prefix}:{local}".lower() if prefix else local.lower()), prefix is not None


def _parted(tag: str) -> tuple[str, str]:
    uri, _, local = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
    return uri, local
