"""Read texts and addresses of elements, character by character as feedparser gives them. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin
from xml.sax.saxutils import escape

from aggregator.sources.rss.document import UNDETERMINED
from aggregator.sources.rss.fast_xml.names import XHTML, UnfamiliarError, attributes_of
from aggregator.sources.rss.feedparser_reader import looks_like_html

if TYPE_CHECKING:
    from lxml.etree import _Element

    from aggregator.sources.rss.fields import Fields

PLAIN, HTML, XHTML_TYPE = "text/plain", "text/html", "application/xhtml+xml"

_TYPES = {"text": PLAIN, "plain": PLAIN, "html": HTML, "xhtml": XHTML_TYPE, **{x: x for x in (PLAIN, HTML, XHTML_TYPE)}}
_SLASHES = re.compile("^([A-Za-z][A-Za-z0-9+-.]*://)/*")
# Windows-1252 characters at the code points of unused Unicode control characters.
_CP1252 = {code: text for code in range(0x80, 0xA0) if (text := bytes([code]).decode("cp1252", "ignore"))}
_CONTROL = re.compile("[\x80-\x9f]")
_XML = "{http://www.w3.org/XML/1998/namespace}"
_ODD_XHTML = frozenset({"svg", "math", "body"})


class Surroundings(NamedTuple):
    """The attributes that an element inherits from its ancestors."""

    base: str = ""  # as an absolute address, or relative to that of a document whose address is not known
    lang: str | None = None  # UNDETERMINED if the document marks it as unknown
    document: str = ""

    def within(self, attributes: dict[str, str]) -> Surroundings:
        """Return the inherited attributes within an element with these attributes."""
        lang = attributes.get("xml:lang", attributes.get("lang"))
        base = attributes.get("xml:base", attributes.get("base")) or ""
        if not base and lang is None:
            return self
        return Surroundings(
            resolved(self.base or self.document, base.strip()) or self.base if base else self.base,
            (lang.strip() or UNDETERMINED) if lang is not None else self.lang,
            self.document,
        )


@lru_cache(maxsize=1024)
def resolved(base: str, address: str) -> str:
    """Resolve an address against a base, which may be empty."""
    if ":///" in address:
        address = _SLASHES.sub(r"\1", address)
    if not base:
        return address
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


def text_of(element: _Element) -> str:
    """Return the text of an element without child elements.

    Raises:
        UnfamiliarError: it has child elements.
    """
    return repaired(bare_text(element))


def inner_text(element: _Element) -> str:
    """Return the text of an element and its child elements, which do not belong there."""
    return "".join(map(str, element.itertext())).strip() if len(element) else (element.text or "").strip()


def bare_text(element: _Element) -> str:
    """Return the text without repairing encoding mistakes, as feedparser does for names of people.

    Raises:
        UnfamiliarError: it has child elements.
    """
    if len(element):
        raise UnfamiliarError(element.tag)
    return (element.text or "").strip()


def address_of(element: _Element, base: str) -> str:
    """Return the address in an element's text.

    Raises:
        UnfamiliarError: it has child elements.
    """
    text = bare_text(element)
    return repaired(resolved(base, text)) if text else ""


def repaired(text: str) -> str:
    """Repair the two most common encoding mistakes: UTF-8 or Windows-1252 decoded as Latin-1."""
    if text.isascii():
        return text
    with suppress(UnicodeError):
        text = text.encode("latin-1").decode("utf-8")
    return text.translate(_CP1252) if _CONTROL.search(text) else text


def part_of(element: _Element, attributes: dict[str, str], inner: Surroundings, default: str, *, atom: bool) -> Fields:
    """Return a text with its type, explicit or not: HTML or plain text.

    Args:
        element: the element with the text.
        attributes: of the element.
        inner: the inherited attributes within the element.
        default: the type if the element has none.
        atom: whether the document is Atom, whose types are reliable.

    Raises:
        UnfamiliarError: its type is unusual, or it has child elements where none are allowed.
    """
    kind = _TYPES.get(attributes.get("type", default))
    if kind is None or "mode" in attributes:
        raise UnfamiliarError(element.tag)
    if kind == XHTML_TYPE:
        if not atom:
            raise UnfamiliarError(element.tag)
        value = _inner_xhtml(element)
    else:
        value = text_of(element)
        if kind == PLAIN and not atom and looks_like_html(value):
            kind = HTML
    lang = inner.lang.replace("_", "-") if inner.lang else inner.lang
    return {"type": kind, "language": lang, "base": inner.base, "value": value}


def _inner_xhtml(element: _Element) -> str:
    """Return the content of an element as text, without the <div> that Atom requires around it."""
    pieces: list[str] = []
    _write(element, pieces)
    while len(pieces) > 1 and not pieces[-1].strip():
        del pieces[-1]
    while len(pieces) > 1 and not pieces[0].strip():
        del pieces[0]
    if pieces and pieces[0].startswith(("<div>", "<div ")) and pieces[-1] == "</div>" and _is_one(pieces):
        pieces = pieces[1:-1]
    return repaired("".join(pieces).strip())


def _write(element: _Element, pieces: list[str]) -> None:
    if element.text:
        pieces.append(escape(element.text))
    for child in element:
        tag = child.tag
        local = tag[len(XHTML) :].lower()
        if not tag.startswith(XHTML) or local in _ODD_XHTML or not local.isascii():
            raise UnfamiliarError(tag)
        pieces.append(f"<{local}{_attributes(child)}>" if child.keys() else f"<{local}>")
        _write(child, pieces)
        pieces.append(f"</{local}>")
        if child.tail:
            pieces.append(escape(child.tail))


def _attributes(element: _Element) -> str:
    attributes = attributes_of(element)
    if any(tag.startswith("{") and not tag.startswith(_XML) for tag in map(str, element.attrib)):
        raise UnfamiliarError(element.tag)  # feedparser gives such an attribute two names
    return "".join(f' {name}="{escape(value, {chr(34): "&quot;"})}"' for name, value in attributes.items())


def _is_one(pieces: list[str]) -> bool:
    """Return whether the first piece opens the same element that the last one closes."""
    depth = 0
    for piece in pieces[:-1]:
        if piece.startswith("</"):
            depth -= 1
            if depth == 0:
                return False
        elif piece.startswith("<"):
            depth += 1
    return True
