"""Read and write OPML, the exchange format of feed readers' subscriptions. Pure.

Fields that OPML lacks are attributes of our own namespace, which other readers ignore. Documents are untrusted: their
size, depth and number of outlines are limited, and a document type is rejected before parsing.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from email.utils import format_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lxml import etree

from aggregator.domain.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

OWN = "urn:x-activity-stream-aggregator:sources"  # the namespace of our own attributes
MOST_BYTES = 5 * 1024 * 1024
MOST_OUTLINES = 5000
DEEPEST = 32  # levels of nested outlines
LONGEST_TAG = 16 * 1024  # characters: the parser compares each attribute with all others of its element
LONGEST_TITLE = 500  # characters
_LONGEST_MESSAGE = 120  # characters of the parser's message

_CODECS = re.compile(
    r"utf-(?:8|16)(?:-sig)?|ascii|iso8859-\d+|cp125\d|koi8-[ru]|gb2312|gbk|gb18030|big5|euc_jp|euc_kr|shift_jis"
)  # Python's codec names; others, such as "punycode", aren't encodings of documents
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARATION = re.compile(r"\A\s*<\?xml\b[^>]*\?>")
_ENCODING = re.compile(rb"""\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DOCTYPE = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ROOT = re.compile(r"<opml[\s>/]", re.IGNORECASE)
_LONG_TAG = re.compile(rf"<[^<]{{{LONGEST_TAG},}}")
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML


@dataclass(frozen=True, slots=True)
class Outline:
    """An outline of an OPML document."""

    title: str  # "": no title
    feed: str = ""  # xmlUrl: the feed's address
    link: str = ""  # url: a page that a feed reader can only open
    own: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # our own attributes, by name
    line: int = 0  # in the source document


@dataclass(frozen=True, slots=True)
class Opml:
    """The content of a document: outlines with a feed, and the number of outlines without one."""

    outlines: tuple[Outline, ...]
    nowhere: int


def written(title: str, created: datetime, outlines: Iterable[Outline]) -> bytes:
    """Return an OPML 2.0 document; characters that XML forbids are left out."""
    root = etree.Element("opml", nsmap={"stream": OWN}, version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = _clean(title)
    etree.SubElement(head, "dateCreated").text = format_datetime(created, usegmt=True)
    body = etree.SubElement(root, "body")
    for outline in outlines:
        made = etree.SubElement(body, "outline", type="rss" if outline.feed else "link")
        attributes = {
            "text": outline.title,
            "title": outline.title,
            "xmlUrl": outline.feed,
            "url": "" if outline.feed else outline.link,
        }
        attributes |= {f"{{{OWN}}}{name}": value for name, value in outline.own.items()}
        for name, value in attributes.items():
            if value or name == "text":  # required by the format
                made.set(name, _clean(value))
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)


def read(body: bytes, where: str) -> Opml:
    """Parse an OPML document (1.0, 1.1 or 2.0); folders are flattened.

    Args:
        body: the document; its byte order mark or declaration gives the encoding.
        where: the document's name in messages.

    Raises:
        BadRequestError: it is invalid; the message has the reason and, if known, the line.
    """
    if len(body) > MOST_BYTES:
        raise BadRequestError(f"{where} is larger than {MOST_BYTES // (1024 * 1024)} MB, the limit for lists of feeds.")
    if not body.strip():
        raise BadRequestError(f"{where} is empty.")
    text = _decoded(body, where)
    if not _ROOT.search(text):
        page = re.search(r"<!doctype html|<html[\s>]", text[:2000], re.IGNORECASE)
        seen = "a web page" if page else "another kind of document"
        raise BadRequestError(f"{where} is {seen}, not OPML. Use 'Export' in the feed reader.")
    if _DOCTYPE.search(text):  # anywhere: a document may begin with a comment that looks like its root
        raise BadRequestError(f"{where} has a document type (<!DOCTYPE), which is not allowed; remove it.")
    if long := _LONG_TAG.search(text):
        line = text.count("\n", 0, long.start()) + 1
        raise BadRequestError(f"{where}, line {line}: an outline is longer than {LONGEST_TAG // 1024} KB.")
    return _outlines(_root(text, where), where)


def _decoded(body: bytes, where: str) -> str:
    """Return the decoded text without its XML declaration, whose encoding no longer applies."""
    marked = next((name for mark, name in _BOMS if body.startswith(mark)), None)
    declared = _ENCODING.match(body)
    name = marked or (declared[1].decode() if declared else "utf-8")
    try:
        known = codecs.lookup(name).name
    except LookupError:
        known = ""
    if not _CODECS.fullmatch(known):
        raise BadRequestError(f"{where} declares the encoding {name!r}, which is not supported.")
    try:
        text = body.decode(known)
    except UnicodeDecodeError as problem:
        line = body.count(b"\n", 0, problem.start) + 1
        raise BadRequestError(
            f"{where}, line {line}: a byte isn't valid {name.upper().removesuffix('-SIG')}, the document's "
            "encoding. Save it as UTF-8."
        ) from None
    # Blanks instead of nothing keep the line numbers.
    return _DECLARATION.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text, count=1).lstrip(" \t\ufeff")


def _root(text: str, where: str) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as problem:
        line = problem.lineno or 1
        message = (problem.msg or "unexpected end").partition(", line ")[0].strip()[:_LONGEST_MESSAGE]
        bare = "EntityRef" in message or "Entity" in message
        hint = " A bare & is written &amp; in XML." if bare else ""
        raise BadRequestError(f"{where}, line {line}: not well-formed XML: {message}.{hint}") from None
    except ValueError as problem:
        raise BadRequestError(f"{where} isn't XML: {problem}.") from None


def _outlines(root: etree._Element, where: str) -> Opml:
    if _named(root) != "opml":
        raise BadRequestError(f"{where} is not OPML: its root element is <{_named(root)}>.")
    found: list[Outline] = []
    nowhere = 0
    for count, (element, depth) in enumerate(_flattened(root), 1):
        if count > MOST_OUTLINES:
            raise BadRequestError(f"{where} has more than {MOST_OUTLINES} outlines; split it.")
        if depth > DEEPEST:
            raise BadRequestError(
                f"{where}, line {_line(element)}: outlines are nested more than {DEEPEST} levels deep."
            )
        outline = _outline(element)
        if outline.feed or outline.own.get("address"):
            found.append(outline)
        elif not any(_named(child) == "outline" for child in element):
            nowhere += 1
    return Opml(tuple(found), nowhere)


def _flattened(root: etree._Element) -> Iterator[tuple[etree._Element, int]]:
    """Yield every outline in document order, with its depth."""
    waiting = [(child, 1) for body in root if _named(body) == "body" for child in body][::-1]
    while waiting:
        element, depth = waiting.pop()
        if _named(element) != "outline":
            continue
        yield element, depth
        waiting += [(child, depth + 1) for child in element][::-1]


def _outline(element: etree._Element) -> Outline:
    plain: dict[str, str] = {}
    own: dict[str, str] = {}
    for name, value in element.attrib.items():
        space, _, local = str(name).rpartition("}")
        if space == f"{{{OWN}":
            own[local] = str(value)
        elif not space:
            plain.setdefault(local.casefold(), str(value).strip())  # some exporters write xmlurl or XMLURL
    title = (plain.get("text") or plain.get("title") or "")[:LONGEST_TITLE]
    return Outline(title, plain.get("xmlurl", ""), plain.get("url", ""), own, _line(element))


def _named(element: etree._Element) -> str:
    """Return the name of an element in lower case, without a namespace."""
    return str(element.tag).rpartition("}")[2].casefold()


def _line(element: etree._Element) -> int:
    line: Any = element.sourceline  # the stubs have another type
    return int(line or 0)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text)
