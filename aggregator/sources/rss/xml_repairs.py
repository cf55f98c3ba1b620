"""Repair the usual mistakes of documents that are not well-formed XML, in linear time. Pure.

Only what has one meaning is repaired: undefined entities of HTML, bare ampersands, characters that XML excludes,
prefixes without a declaration, and text around the feed. Tags that do not match are left to feedparser.
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5
from typing import TYPE_CHECKING, NamedTuple

from aggregator.sources.rss.limits import LONGEST_BROKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DOCTYPE = re.compile(r"<!DOCTYPE\s([^\[<>]{0,1000})(?:\[(.{0,65536}?)\]\s*)?>", re.IGNORECASE | re.DOTALL)
_VALUE = r"(?:[^{0}<>&%]|&#\w{{1,8}};|&(?:amp|quot|apos|gt);){{0,1000}}"
_ENTITY = re.compile(
    rf"<!ENTITY\s+([A-Za-z_][\w.-]{{0,60}})\s+(?:\"({_VALUE.format(chr(34))})\"|'({_VALUE.format(chr(39))})')\s*>"
)
_HTML_DTD = re.compile(r"rss-0\.91|RSS 0\.91|XHTML|/xhtml|netscape", re.IGNORECASE)
_START = re.compile(r"<(?:[A-Za-z][\w.-]{0,20}:)?(?:rss|feed|rdf|channel)(?=[\s>])", re.IGNORECASE)
_NAME = re.compile(r"<([A-Za-z_][\w.:-]*)")
_EXCLUDED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,10}));?|([A-Za-z_][\w.-]{0,60});)?|<(?![A-Za-z_/!?])")
_PREFIX = re.compile(
    r"</?([A-Za-z_][\w.-]{0,40}):[A-Za-z_]|\s([A-Za-z_][\w.-]{0,40}):[A-Za-z_][\w.-]{0,60}\s?=\s?[\"']"
)
_DECLARED = re.compile(r"\sxmlns:([A-Za-z_][\w.-]{0,40})\s?=")
_MOST_PREFIXES = 50
_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})
_SECTIONS = (("<![CDATA[", "]]>"), ("<!--", "-->"), ("<?", "?>"))
_MOST_REFERENCES = 200_000  # in a piece of text; a document with more stays broken
_MOST_GROWTH = 1024 * 1024  # characters by which entities of the document may lengthen it
_VALID = (range(0x20, 0xD800), range(0xE000, 0xFFFE), range(0x10000, 0x110000))
_HIGH, _LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)
_PAIR = re.compile(
    r"&#(?:[xX]([dD][89abAB][0-9a-fA-F]{2})|(5[56][0-9]{3}));&#(?:[xX]([dD][c-fC-F][0-9a-fA-F]{2})|(5[67][0-9]{3}));"
)


class Repaired(NamedTuple):
    """A document after repairs; it may still not be well-formed."""

    body: bytes
    notes: tuple[str, ...] = ()


class DocumentType(NamedTuple):
    """A document without its type declaration."""

    body: bytes
    entities: Mapping[str, str]  # as declared within the document
    names_html: bool = False  # whether its definition elsewhere has the entities of HTML


def without_doctype(body: bytes) -> DocumentType:
    """Remove a document type declaration, and return the entities that it defines as plain text."""
    start = re.search(rb"<[A-Za-z_]", body)
    end = start.start() if start else len(body)
    if b"<!" not in body[:end]:
        return DocumentType(body, {})
    found = re.search(rb"<!DOCTYPE", body[:end], re.IGNORECASE)
    if found is None:
        return DocumentType(body, {})
    head = body[found.start() : found.start() + 70_000].decode("utf-8", "ignore")
    doctype = _DOCTYPE.match(head)
    if doctype is None:
        return DocumentType(body, {})
    entities = {name: unescape(double or single) for name, double, single in _ENTITY.findall(doctype[2] or "")}
    rest = body[found.start() + len(doctype[0].encode()) :]
    return DocumentType(body[: found.start()] + rest, entities, _HTML_DTD.search(doctype[1]) is not None)


def repaired(body: bytes, namespaces: Mapping[str, str], entities: Mapping[str, str], *, html: bool) -> Repaired:
    """Repair a document in UTF-8 that is not well-formed; a very long one is returned unchanged.

    Args:
        body: the document without a type declaration.
        namespaces: by usual prefix.
        entities: declared by the document.
        html: whether the document may use the entities of HTML without a note.
    """
    if len(body) > LONGEST_BROKEN:
        return Repaired(body)
    notes: list[str] = []
    text = _bounds(body.decode("utf-8", "replace"), notes)
    if _EXCLUDED.search(text):
        text = _EXCLUDED.sub("", text)
        notes.append("Control characters were removed.")
    references = _References(entities, html=html)
    pieces = [references.fixed(piece) if markup else piece for markup, piece in _pieces(text)]
    notes += references.notes()
    text = _with_namespaces("".join(pieces), namespaces, notes)
    return Repaired(text.encode("utf-8", "replace"), tuple(notes))


def _bounds(text: str, notes: list[str]) -> str:
    """Remove text before the feed's first element and behind its last one."""
    start = _START.search(text)
    if start is None:
        return text
    before = text[: start.start()]
    if _outside(before).strip():
        text = text[start.start() :]
        notes.append("Text before the feed was ignored.")
    name = _NAME.match(start[0])
    closing = f"</{name[1]}>" if name else ""
    end = text.rfind(closing)
    if end > 0 and _outside(text[end + len(closing) :]).strip():
        text = text[: end + len(closing)]
        notes.append("Text after the feed was ignored.")
    return text


def _outside(text: str) -> str:
    return "".join(piece for markup, piece in _pieces(text) if markup)


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the parts of a document, and whether references have a meaning in them."""
    at, ahead = 0, {opening: text.find(opening) for opening, _ in _SECTIONS}
    while True:
        opening, closing = min(_SECTIONS, key=lambda pair: (ahead[pair[0]] < 0, ahead[pair[0]]))
        start = ahead[opening]
        end = text.find(closing, start + len(opening)) if start >= 0 else -1
        if end < 0:  # no more, or one that is cut off
            yield True, text[at:]
            return
        yield True, text[at:start]
        at = end + len(closing)
        yield False, text[start:at]
        ahead = {name: text.find(name, at) if 0 <= place < at else place for name, place in ahead.items()}


class _References:
    """Replaces references that XML does not know, and counts them."""

    def __init__(self, entities: Mapping[str, str], *, html: bool) -> None:
        self._entities, self._html = entities, html
        self._growth = 0
        self._named: dict[str, None] = {}
        self._bare = self._invalid = 0

    def fixed(self, text: str) -> str:
        if "&" not in text and "<" not in text:
            return text
        return _REFERENCE.sub(self._one, _PAIR.sub(self._pair, text), count=_MOST_REFERENCES)

    def notes(self) -> Iterator[str]:
        """Yield a note for each kind of repair."""
        if self._named:
            yield f"Entities that the feed does not define were read as in HTML: {', '.join(list(self._named)[:5])}."
        if self._bare:
            yield f"Characters & and < that should be written &amp; and &lt; were repaired: {self._bare}."
        if self._invalid:
            yield f"References to characters that do not exist were repaired: {self._invalid}."

    def _pair(self, found: re.Match[str]) -> str:
        high = int(found[1], 16) if found[1] else int(found[2])
        low = int(found[3], 16) if found[3] else int(found[4])
        if high not in _HIGH or low not in _LOW:
            return found[0]
        self._invalid += 1
        return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)

    def _one(self, found: re.Match[str]) -> str:
        hexadecimal, decimal, name = found.groups()
        if hexadecimal or decimal:
            return self._numbered(int(hexadecimal, 16) if hexadecimal else int(decimal), found[0])
        if name in _PREDEFINED:
            return found[0]
        value = self._entities.get(name) if name else None
        if value is None and name and f"{name};" in html5:
            value = html5[f"{name};"]
            if not self._html:
                self._named[f"&{name};"] = None
        if value is not None:
            self._growth += len(value)
            if self._growth <= _MOST_GROWTH:
                return _escaped(value)
        self._bare += 1
        return found[0].replace("&", "&amp;").replace("<", "&lt;")

    def _numbered(self, code: int, reference: str) -> str:
        valid = code in {9, 10, 13} or any(code in codes for codes in _VALID)
        if valid and reference.endswith(";"):
            return reference
        self._invalid += 1
        if valid:
            return f"&#{code};"
        return "" if code < 0x20 or code in {0xFFFE, 0xFFFF} else "\ufffd"  # noqa: PLR2004 - a control character


def _with_namespaces(text: str, namespaces: Mapping[str, str], notes: list[str]) -> str:
    """Declare usual prefixes that the document uses without a declaration."""
    used = {
        tag or attribute
        for markup, piece in _pieces(text)
        if markup and ":" in piece
        for tag, attribute in _PREFIX.findall(piece)
    }
    declared = set(_DECLARED.findall(text)) | {"xml", "xmlns"}
    missing = sorted(used - declared)[:_MOST_PREFIXES]
    start = _START.search(text)
    name = _NAME.match(text, start.start()) if start else None
    if not missing or name is None:
        return text
    notes.append(f"Prefixes without a namespace were given their usual one: {', '.join(missing)}.")
    declarations = "".join(
        f' xmlns:{prefix}="{namespaces.get(prefix.lower(), f"urn:x-undeclared:{prefix}")}"' for prefix in missing
    )
    return text[: name.end()] + declarations + text[name.end() :]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
