"""Read texts, addresses and markup of elements. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from html.entities import entitydefs
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin
from xml.sax.saxutils import escape

from aggregator.sources.rss.base64_text import text_in_base64
from aggregator.sources.rss.document import UNDETERMINED
from aggregator.sources.rss.xml_tree.names import attributes_of

if TYPE_CHECKING:
    from lxml.etree import _Element

    from aggregator.sources.rss.fields import Fields

PLAIN, HTML, XHTML_TYPE = "text/plain", "text/html", "application/xhtml+xml"

_TYPES = {"text": PLAIN, "plain": PLAIN, "html": HTML, "xhtml": XHTML_TYPE, **{x: x for x in (PLAIN, HTML, XHTML_TYPE)}}
_SLASHES = re.compile("^([A-Za-z][A-Za-z0-9+-.]*://)/*")
# Windows-1252 characters at the code points of unused Unicode control characters.
_CP1252 = {code: text for code in range(0x80, 0xA0) if (text := bytes([code]).decode("cp1252", "ignore"))}
_CONTROL = re.compile("[\x80-\x9f]")
_CLOSING_TAG, _TAG = re.compile(r"</\w+>"), re.compile(r"</?(\w+)")
_REFERENCE, _NAMED = re.compile(r"&#?\w+;"), re.compile(r"&(\w+);")
_HTML_TAG_NAMES = (
    "a abbr acronym address applet area article aside audio b base basefont bdi bdo big blockquote body br button "
    "canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed "
    "fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i "
    "iframe img input ins kbd label legend li link main map mark menu meta meter nav noscript object ol optgroup "
    "option output p param picture pre progress q rp rt ruby s samp script section select small source span strike "
    "strong style sub summary sup table tbody td template textarea tfoot th thead time title tr track tt u ul var "
    "video wbr"
)
_HTML_TAGS = frozenset(_HTML_TAG_NAMES.split())
_QUOTE = {'"': "&quot;"}


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
    """Return the text of an element, with that of child elements, which do not belong there."""
    return repaired(bare_text(element))


def bare_text(element: _Element) -> str:
    """Return the text without repairing encoding mistakes."""
    return "".join(map(str, element.itertext())).strip() if len(element) else (element.text or "").strip()


def address_of(element: _Element, base: str) -> str:
    """Return the address in an element's text."""
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
    """
    kind, value = _typed(element, attributes, default, atom=atom)
    if kind == PLAIN and not atom and looks_like_html(value):
        kind = HTML
    lang = inner.lang.replace("_", "-") if inner.lang else inner.lang
    return {"type": kind, "language": lang, "base": inner.base, "value": value}


def add_title(fields: Fields, part: Fields) -> None:
    """Record a title; of several, the first that is not empty counts."""
    if not fields.get("title"):
        fields["title"], fields["title_detail"] = part["value"], part


def _typed(element: _Element, attributes: dict[str, str], default: str, *, atom: bool) -> tuple[str, str]:
    """Return the type and the text of an element; child elements are markup, also where its type is another one."""
    if len(element):
        return XHTML_TYPE, _inner_xhtml(element)
    value = text_of(element)
    if attributes.get("mode", "").lower() == "base64":  # Atom 0.3
        value = text_in_base64(value) or value
    declared = attributes.get("type", default).partition(";")[0].strip()
    kind = _TYPES.get(declared)
    if kind is None and atom:
        markup = declared.endswith(("html", "xml"))
        return (HTML if markup else PLAIN), value if markup or declared.startswith("text") else ""
    if kind == XHTML_TYPE:  # text without an element
        return kind, escape(value)
    return kind or default, value


def looks_like_html(text: str) -> bool:
    """Return whether a text is HTML although its type is plain.

    It has a closing tag or a character reference, and no tags or references that HTML does not know.
    """
    if "<" not in text and "&" not in text:
        return False
    if not _CLOSING_TAG.search(text) and not _REFERENCE.search(text):
        return False
    return all(name.lower() in _HTML_TAGS for name in _TAG.findall(text)) and all(
        name in entitydefs for name in _NAMED.findall(text)
    )


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
        local = child.tag.rpartition("}")[2].lower()
        pieces.append(f"<{local}{_attributes(child)}>" if child.keys() else f"<{local}>")
        _write(child, pieces)
        pieces.append(f"</{local}>")
        if child.tail:
            pieces.append(escape(child.tail))


def _attributes(element: _Element) -> str:
    return "".join(
        f' {name}="{escape(value, _QUOTE)}"' for name, value in attributes_of(element).items() if name.isascii()
    )


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
