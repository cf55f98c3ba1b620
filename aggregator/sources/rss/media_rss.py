"""Rewrite Media RSS before the general parser sees it.

The description and title inside a `media:content` describe that picture or film (for microblogs the description is the
alternative text), but the parser assigns them to the entry. Here they become attributes of their `media:content`; those
of a group or entry are kept if the entry has no text of its own. They are plain text unless they say that they are HTML
(Media RSS), but the parser takes all for HTML, so they are written as HTML. All other bytes are unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING
from xml.parsers import expat

from aggregator.sources.rss.attachments import GROUP
from aggregator.sources.rss.media_types import whole
from aggregator.text.html import paragraphs, plain_text
from aggregator.text.pictures import sensible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAMESPACE = b"search.yahoo.com/mrss"
_TAG = re.compile(rb"""<[^>"']*(?:"[^"]*"[^>"']*|'[^']*'[^>"']*)*>""")
_TAG_NAME = re.compile(rb"<[^\s/>]+")
_WORDS = frozenset({"description", "title"})
_BODIES = frozenset({"description", "summary", "content", "encoded"})
_ENTRIES = frozenset({"item", "entry"})
_TYPE = re.compile(rb"""\s(?:type|TYPE)\s*=\s*(?:"[^"]*"|'[^']*')""")
_HTML_TYPES = frozenset({"html", "text/html", "xhtml", "application/xhtml+xml"})
_BLOCK = re.compile(r"\s*<(?:p|div|figure|img|table|ul|ol|blockquote|h[1-6])(?:\s[^<>]*)?/?>", re.IGNORECASE)


@dataclass(slots=True)
class _Element:
    media: bool
    name: str
    start: int
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)
    lifted: dict[str, str] = field(default_factory=dict)  # elements that become attributes of a media:content
    stills: list[Mapping[str, str]] = field(default_factory=list)  # its thumbnails
    spare: list[tuple[_Element, int, int]] = field(default_factory=list)  # an entry's media texts
    has: set[str] = field(default_factory=set)  # names of its children outside of Media RSS that are not empty


def is_html(text: str, kind: str | None) -> bool:
    """Return whether a text of Media RSS is HTML: by its type, or without one if it consists of HTML blocks."""
    if kind:
        return kind.strip().lower() in _HTML_TYPES
    return text.rstrip().endswith(">") and _BLOCK.match(text) is not None


def html_of(text: str, kind: str | None) -> str:
    """Return a text of Media RSS as HTML; plain text keeps its lines and characters."""
    return text if is_html(text, kind) else paragraphs(text)


def caption_of(text: str, kind: str | None) -> str:
    """Return the text of a picture or film on one line."""
    return " ".join((plain_text(text) if is_html(text, kind) else text).split())


def preview_of(thumbnails: Sequence[Mapping[str, str]]) -> str | None:
    """Return the address of the largest of some thumbnails of one picture or film."""
    usable = [thumbnail for thumbnail in thumbnails if thumbnail.get("url")]
    best = max(usable, key=lambda thumbnail: sensible(whole(thumbnail.get("width"))), default=None)
    return best["url"].strip() if best else None


def straightened(body: bytes) -> bytes:
    """Return the document with the texts inside `media:content` as its attributes `alt`, `caption` and `preview`.

    A document without Media RSS, or without well-formed XML, is returned unchanged.
    """
    if _NAMESPACE not in body:
        return body
    scan = _Scan(body)
    try:
        scan.run()
    except (expat.ExpatError, LookupError, ValueError):  # the last two: it names an unknown encoding
        return body
    pieces, at = [], 0
    for start, end, replacement in sorted(scan.edits):
        if start < at:  # inside a removed element
            continue
        pieces += [body[at:start], replacement]
        at = end
    return b"".join([*pieces, body[at:]])


class _Scan:
    def __init__(self, body: bytes) -> None:
        self.edits: list[tuple[int, int, bytes]] = []
        self._body = body
        self._stack: list[_Element] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def run(self) -> None:
        self._parser.Parse(self._body, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        media = namespace.rstrip("/") == "http://search.yahoo.com/mrss"
        if self._stack and not media and self._stack[-1].media:
            self._stack[-1].has.add(local.lower())
        self._note_content()
        self._stack.append(_Element(media, local.lower(), self._parser.CurrentByteIndex, attributes))

    def _text(self, text: str) -> None:
        if self._stack and self._stack[-1].media:
            self._stack[-1].text.append(text)
        elif text.strip():
            self._note_content()

    def _note_content(self) -> None:
        """Note that the open element is not empty, since only then its parent has it."""
        if len(self._stack) > 1 and not self._stack[-1].media:
            self._stack[-2].has.add(self._stack[-1].name)

    def _end(self, _: str) -> None:
        element = self._stack.pop()
        parent = self._stack[-1] if self._stack else None
        if not element.media and element.name in _ENTRIES:
            self._settle(element)
        elif element.media and parent is not None:
            self._lift(element, parent)

    def _lift(self, element: _Element, parent: _Element) -> None:
        words = "".join(element.text).strip()
        inside = parent.media and parent.name == "content"
        if element.name == "content":
            if parent.media and parent.name == "group":
                element.lifted[GROUP] = str(parent.start)
            self._write_attributes(element)
        elif element.name in _WORDS and inside:
            name = "alt" if element.name == "description" else "caption"
            parent.lifted.setdefault(name, caption_of(words, element.attributes.get("type")))
            self.edits.append((element.start, self._end_of(element), b""))
        elif element.name == "thumbnail" and inside:
            parent.stills.append({**element.attributes, "url": element.attributes.get("url") or words})
            self.edits.append((element.start, self._end_of(element), b""))
        elif element.name in _WORDS:
            entry = next((up for up in reversed(self._stack) if not up.media), None)
            if entry is not None:
                entry.spare.append((element, element.start, self._end_of(element)))

    def _settle(self, entry: _Element) -> None:
        taken = ({"title"} if "title" in entry.has else set()) | ({"description"} if entry.has & _BODIES else set())
        for words, start, end in entry.spare:
            if words.name in taken:
                self.edits.append((start, end, b""))
            elif words.has:
                taken.add(words.name)
            elif "".join(words.text).strip():
                taken.add(words.name)
                self._write_html(words, start, end)

    def _write_html(self, words: _Element, start: int, end: int) -> None:
        """Write a text as HTML, so that the parser does not take characters for markup, or markup for characters."""
        text, kind = "".join(words.text).strip(), words.attributes.get("type")
        opening = _TAG.match(self._body, start)
        name = _TAG_NAME.match(self._body, start)
        if opening is None or name is None:
            return
        html = escape(text, quote=False) if words.name == "title" and not is_html(text, kind) else html_of(text, kind)
        attributes = _TYPE.sub(b"", opening[0][len(name[0]) : -1])
        written = escape(html, quote=False).encode("ascii", "xmlcharrefreplace")
        self.edits.append((start, end, b'%s%s type="html">%s</%s>' % (name[0], attributes, written, name[0][1:])))

    def _write_attributes(self, content: _Element) -> None:
        preview = preview_of(content.stills)
        lifted = {**content.lifted, **({"preview": preview} if preview else {})}
        new = {name: value for name, value in lifted.items() if value and name not in content.attributes}
        name = _TAG_NAME.match(self._body, content.start)
        if not new or name is None:
            return
        written = "".join(f' {key}="{escape(" ".join(value.split()))}"' for key, value in new.items())
        self.edits.append((name.end(), name.end(), written.encode("ascii", "xmlcharrefreplace")))

    def _end_of(self, element: _Element) -> int:
        """Return the end position of the element that is being closed."""
        opening = _TAG.match(self._body, element.start)
        if opening is not None and opening[0].endswith(b"/>"):  # the parser is already past it
            return opening.end()
        at = self._parser.CurrentByteIndex
        closing = _TAG.match(self._body, at)
        return closing.end() if closing else at
