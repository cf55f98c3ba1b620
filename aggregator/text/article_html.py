"""Prepare a publisher's HTML for the sanitizer: keep what readers would see and play, as links and plain images. Pure.

The sanitizer removes frames, players, scripts and formulas together with what stands in them. Here, everything in them
that a reader would miss becomes text, a link, an image or a media file. The result is as untrusted as the input.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree, html

from aggregator.text.pictures import best_of, is_hidden, picture_of
from aggregator.text.players import page_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.html import HtmlElement

# Anything that has to be prepared; most articles have none of it, and parsing costs as much as sanitizing.
_UNUSUAL = re.compile(
    r"<(?:iframe|object|embed|video|audio|picture|noscript|amp-|a-img|math)\b|\bsrcset\s*=|"
    r"display\s*:\s*none|<img\b[^<>]*\s(?:data-|nitro-|style\s*=|hidden\b)|<img(?![^<>]*\ssrc\s*=)",
    re.IGNORECASE,
)
_SWALLOWING = "iframe|script|style|object|title|textarea|noscript|video|audio|canvas|svg|math|template|select"
# Written by XML serializers; HTML ignores the slash, so that the element would take in all that follows.
_SELF_CLOSED = re.compile(rf"(?i)<({_SWALLOWING})\b([^<>]{{0,2000}})(?<=[\s\"'a-z])/>")
_CLOSED_BREAK = re.compile(r"(?i)<br\b[^<>]*>\s*</br\s*>")
_FRAME = re.compile(r"(?i)<(/?)iframe\b[^<>]*>")
_FALLBACK = re.compile(r"(?i)<(?:a|img)\s")
_MOST_FILES = 50
_DEEPEST = 200  # levels between an element and the ancestor that may hide it
_SUPERSCRIPT = {"msup": "sup", "msub": "sub"}
_IMAGES = frozenset({"img", "amp-img", "amp-anim", "a-img"})


class EmbeddedFile(NamedTuple):
    """A film or sound that is part of the text."""

    type: str  # "video" or "audio"
    url: str
    mime: str | None
    preview: str | None


class Prepared(NamedTuple):
    """HTML for the sanitizer, and the files that are not in it."""

    html: str
    files: tuple[EmbeddedFile, ...] = ()


def prepared(text: str) -> Prepared:
    """Return HTML without anything that the sanitizer would remove although readers need it."""
    if "/>" in text:
        text = _SELF_CLOSED.sub(r"<\1\2></\1>", text)
    if "</br" in text.lower():
        text = _CLOSED_BREAK.sub("<br>", text)
    if not _UNUSUAL.search(text):
        return Prepared(text)
    try:
        root = html.fragment_fromstring(_with_closed_frames(text), create_parent="div")
        files = _Preparation(root).run()
        written: str = html.tostring(root, encoding="unicode")
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):  # nothing in it, or characters that no XML has
        return Prepared(text)
    return Prepared(written.removeprefix("<div>").removesuffix("</div>"), files)


def _with_closed_frames(text: str) -> str:
    """Close each frame that nothing closes before the next one: the rest of the article is not its content."""
    frames = list(_FRAME.finditer(text))
    pieces, at = [], 0
    for frame, following in zip_longest(frames, frames[1:]):
        if not frame[1] and (following is None or not following[1]):
            pieces += [text[at : frame.end()], "</iframe>"]
            at = frame.end()
    return "".join([*pieces, text[at:]])


class _Preparation:
    """Replaces elements of one article."""

    def __init__(self, root: HtmlElement) -> None:
        self._root = root
        self._files: list[EmbeddedFile] = []

    def run(self) -> tuple[EmbeddedFile, ...]:
        """Replace all elements that need it; return the files found."""
        replace: dict[str, Callable[[HtmlElement], None]] = {
            "noscript": self._noscript,
            "picture": self._picture,
            **dict.fromkeys(_IMAGES, self._image),
            **dict.fromkeys(("video", "audio", "amp-video", "amp-audio"), self._film),
            **dict.fromkeys(("iframe", "amp-iframe", "embed"), self._frame),
            "amp-youtube": self._amp_youtube,
            "object": self._object,
            "math": _formula,
        }
        for name, handle in replace.items():  # in this order: a noscript holds images, an object frames
            for element in list(self._root.iter(name)):
                if element.getparent() is not None:
                    handle(element)
        return tuple(self._files)

    def _noscript(self, element: HtmlElement) -> None:
        """Show what a browser without scripts would show instead of the image before it."""
        image = next(element.iter("img"), None)
        if image is None and next(element.iter("iframe", "video", "audio"), None) is None:
            element.drop_tree()  # it asks to enable scripts
            return
        before = element.getprevious()
        if image is not None and before is not None and before.tag in _IMAGES and not (before.tail or "").strip():
            before.drop_tree()
        element.drop_tag()

    def _picture(self, element: HtmlElement) -> None:
        sources = [
            source.get("srcset") or source.get("data-srcset") or source.get("data-lazy-srcset") or ""
            for source in element.iter("source")
        ]
        image = next(element.iter("img"), None)
        if image is None:
            image = html.Element("img")
            element.append(image)
        address = picture_of(image.attrib, sources) or next(filter(None, map(best_of, sources)), None)
        if address is not None:
            image.attrib.update({"src": address})
            for name in [name for name in image.attrib if name.startswith(("data-", "nitro-")) or name == "srcset"]:
                del image.attrib[name]
        for source in list(element.iter("source")):
            source.drop_tag()  # the parser may have put the image in it
        element.drop_tag()

    def _image(self, element: HtmlElement) -> None:
        address = picture_of(element.attrib)
        if address is None or _is_unseen(element):
            element.drop_tree()
            return
        if element.tag != "img":
            element.tag = "img"
            for side in ("width", "height"):  # AMP's are often proportions
                element.attrib.pop(side, None)
        element.set("src", address)
        for child in list(element):  # an amp-img may hold one for browsers without scripts
            child.drop_tree()
        element.text = None

    def _film(self, element: HtmlElement) -> None:
        """Take the file out; its content is for browsers that can't play it."""
        kind = element.tag.removeprefix("amp-")
        own = [element, *element.iter("source")]
        addresses = [(item.get("src") or item.get("data-src") or "").strip() for item in own]
        found = next(((url, item) for url, item in zip(addresses, own, strict=True) if url), None)
        if found is not None and not found[0].lower().startswith(("data:", "blob:")) and len(self._files) < _MOST_FILES:
            url, item = found
            preview = (element.get("poster") or element.get("data-poster") or "").strip() or None
            self._files.append(EmbeddedFile(kind, url, item.get("type"), preview))
            element.drop_tree()
            return
        for link in list(element.iter("a")):
            element.addprevious(link)
        element.drop_tree()

    def _frame(self, element: HtmlElement) -> None:
        """Replace a frame by a link to what it shows, or by the content that its publisher provides instead."""
        address = next((value for name in ("data-src", "data-lazy-src", "src") if (value := element.get(name))), "")
        if _FALLBACK.search(element.text or ""):  # the parser reads it as text, as browsers do
            content = html.fragment_fromstring(element.text, create_parent="div")
            for part in list(content.iter("iframe", "script", "style")):
                part.drop_tree()
            element.addprevious(content)
            element.drop_tree()
        elif _is_unseen(element) or _is_tiny(element):
            element.drop_tree()
        else:
            _replace_by_link(element, address)

    def _amp_youtube(self, element: HtmlElement) -> None:
        _replace_by_link(element, f"https://www.youtube.com/embed/{element.get('data-videoid') or ''}")

    def _object(self, element: HtmlElement) -> None:
        """Replace a plug-in by its content for browsers without it, or else by a link to its file."""
        for child in list(element.iter("param")):
            child.drop_tree()
        if not len(element) and not (element.text or "").strip():
            _replace_by_link(element, element.get("data") or "")
        else:
            element.drop_tag()


def _replace_by_link(element: HtmlElement, address: str) -> None:
    page = page_of(address, element.get("title") or "")
    if page is not None:
        link = html.Element("a", href=page.url)
        link.text = page.name
        paragraph = html.Element("p")
        paragraph.append(link)
        element.addprevious(paragraph)
    element.drop_tree()


def _formula(element: HtmlElement) -> None:
    """Keep the characters of a formula, with raised and lowered ones."""
    for note in list(element.iter("annotation", "annotation-xml")):
        note.drop_tree()
    for name, tag in _SUPERSCRIPT.items():
        for power in element.iter(name):
            if len(power) > 1:
                power[1].tag = tag
    for fraction in element.iter("mfrac"):
        if len(fraction) > 1:
            fraction[0].tail = "/"
    for root in element.iter("msqrt"):
        root.text = "√" + (root.text or "")
    element.tag = "span"
    for part in [part for part in element.iterdescendants() if part.tag not in _SUPERSCRIPT.values()]:
        part.drop_tag()


def _is_unseen(element: HtmlElement) -> bool:
    """Return whether an element or one around it is hidden."""
    if is_hidden(element.attrib):
        return True
    for level, ancestor in enumerate(element.iterancestors()):
        if level > _DEEPEST or is_hidden(ancestor.attrib):
            return level <= _DEEPEST
    return False


def _is_tiny(element: HtmlElement) -> bool:
    return {element.get("width"), element.get("height")} <= {"0", "1", "0px", "1px"}
