"""Parse XML documents in UTF-8 with libxml2, after repairs if they need some. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

from aggregator.sources.rss.xml_repairs import repaired, without_doctype

if TYPE_CHECKING:
    from collections.abc import Mapping

_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)


class XmlDocument(NamedTuple):
    """A document, with its tree if it is well-formed."""

    root: etree._Element | None
    body: bytes  # as repaired
    notes: tuple[str, ...] = ()


def parsed(body: bytes, namespaces: Mapping[str, str]) -> XmlDocument:
    """Parse a document; nothing outside of it is read, and entities can't make it much longer.

    Args:
        body: the document in UTF-8.
        namespaces: the usual ones by prefix, for documents that do not declare them.
    """
    document = without_doctype(body)
    body = document.body
    if _has_doctype(body):
        return XmlDocument(None, body)
    root = _root(body)
    if root is not None:
        return XmlDocument(root, body)
    fixed, notes = repaired(body, namespaces, document.entities, html=document.names_html)
    return XmlDocument(_root(fixed) if fixed != body else None, fixed, notes)


def _has_doctype(body: bytes) -> bool:
    """Return whether a document has a type declaration, which may define anything."""
    start = re.search(rb"<\w", body)
    return _DOCTYPE.search(body, 0, start.start() if start else len(body)) is not None


def _root(body: bytes) -> etree._Element | None:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
