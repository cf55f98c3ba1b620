"""Rewrite Media RSS before the general parser sees it.

The description and title inside a `media:content` describe that picture or film (for microblogs the description is the
alternative text), but the parser assigns them to the entry. Here they become attributes of their `media:content`; those
of a group or entry are kept if the entry has no text of its own, as HTML: they are plain text unless they say
otherwise, but the parser takes them for HTML. All other bytes are unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from xml.parsers import expat

from aggregator.text.html import paragraphs

_NAMESPACE = b"search.yahoo.com/mrss"
_TAG = re.compile(rb"""<[^>"']*(?:"[^"]*"[^>"']*|'[^']*'[^>"']*)*>""")
_TAG_NAME = re.compile(rb"<[^\s/>]+")
_WORDS = frozenset({"description", "title"})
_BODIES = frozenset({"description", "summary", "content", "encoded"})
_ENTRIES = frozenset({"item", "entry"})


@dataclass(slots=True)
class _Element:
    media: bool
    name: str
    start: int
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)
    lifted: dict[str, str] = field(default_factory=dict)  # elements that become attributes of a media:content
    spare: list[tuple[_Element, int, int]] = field(default_factory=list)  # an entry's media texts
    has: set[str] = field(default_factory=set)  # names of an entry's own children


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
        if self._stack and not media:
            self._stack[-1].has.add(local.lower())
        self._stack.append(_Element(media, local.lower(), self._parser.CurrentByteIndex, attributes))

    def _text(self, text: str) -> None:
        if self._stack and self._stack[-1].media:
            self._stack[-1].text.append(text)

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
            self._write_attributes(element)
        elif element.name in _WORDS and inside:
            parent.lifted.setdefault("alt" if element.name == "description" else "caption", words)
            self.edits.append((element.start, self._end_of(element), b""))
        elif element.name == "thumbnail" and inside:
            parent.lifted.setdefault("preview", element.attributes.get("url") or words)
            self.edits.append((element.start, self._end_of(element), b""))
        elif element.name in _WORDS:
            entry = next((up for up in reversed(self._stack) if not up.media), None)
            if entry is not None:
                entry.spare.append((element, element.start, self._end_of(element)))

    def _settle(self, entry: _Element) -> None:
        for words, start, end in entry.spare:
            if "title" in entry.has if words.name == "title" else entry.has & _BODIES:
                self.edits.append((start, end, b""))
            elif words.attributes.get("type") != "html":
                self.edits.append((start, end, self._as_html(words, start)))

    def _as_html(self, words: _Element, start: int) -> bytes:
        """Return an element with plain text as one with the same text as HTML."""
        text = "".join(words.text).strip()
        name = _TAG_NAME.match(self._body, start)
        if name is None:
            return b""
        html = paragraphs(text) if words.name == "description" else escape(text, quote=False)
        tag = name[0].removeprefix(b"<")
        return b"".join(
            (b"<", tag, b' type="html">', escape(html).encode("ascii", "xmlcharrefreplace"), b"</", tag, b">")
        )

    def _write_attributes(self, content: _Element) -> None:
        new = {name: value for name, value in content.lifted.items() if value and name not in content.attributes}
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
