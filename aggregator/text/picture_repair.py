"""Give every `<img>` the address of its picture, and remove the hidden ones. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from aggregator.text.html_rewriter import HtmlRewriter
from aggregator.text.html_tokens import VOID
from aggregator.text.image_tags import img_tag, is_content, is_hidden, is_pixel
from aggregator.text.pictures import candidates_of, is_lazy, picture_address, picture_key

if TYPE_CHECKING:
    from aggregator.text.html_tokens import Tag
    from aggregator.text.pictures import Candidate

_SMALLEST = 25  # pixels of a picture that is no icon
_CUSTOM_ELEMENT = re.compile(r"(?:[a-z][a-z0-9]*-)+(?:img|image|anim)|image")  # <amp-img>, <a-img>
_ONLY_ENDS = re.compile(r"(?:\s++|</\w++\s*+>)*+")  # between a picture and its <noscript>
_SOURCE_SETS = ("srcset", "data-srcset", "data-lazy-srcset", "src", "data-src")
_RARE_TYPES = frozenset({"image/avif", "image/jxl", "image/jp2", "image/vnd.ms-photo"})


class ShownPicture(NamedTuple):
    """A picture in the output."""

    piece: int  # index in the pieces of the output
    key: str  # the same for all sizes of a picture; "" if nothing is shown
    end: int  # of its tag in the input
    lazy: bool  # scripts load it, so that a <noscript> beside it has the same picture


class PictureRepair(HtmlRewriter):
    """Rewrites pictures."""

    def __init__(self, html: str, depth: int = 0) -> None:
        super().__init__(html, depth)
        self.pictures: list[ShownPicture] = []
        self._shown: set[str] = set()  # keys
        self._noscript_end = -1  # of the last <noscript> with a picture
        self._custom_end = -1  # of the last <amp-img>, whose content is for programs that do not know it
        self._sources: list[Candidate] | None = None  # of the open <picture>
        self._rare_sources: list[Candidate] = []
        self._pictured = False  # the open <picture> has an <img>
        self._hidden: tuple[str, int] | None = None  # the outermost hidden element, and how many of its name are open

    @property
    def has_picture(self) -> bool:
        """Return whether there was a picture so far."""
        return any(picture.key for picture in self.pictures)

    def is_picture(self, name: str) -> bool:
        """Return whether an element is an `<img>` under another name."""
        return _CUSTOM_ELEMENT.fullmatch(name) is not None

    def image(self, tag: Tag) -> None:
        """Rewrite an `<img>`."""
        attributes = tag.attributes()
        self._pictured = True
        address = picture_address(attributes, self._candidates())
        lazy = is_lazy(attributes)
        if tag.name != "img" and _is_ratio(attributes):
            del attributes["width"], attributes["height"]
        stand_in = tag.name.startswith("amp-") and ("placeholder" in attributes or "fallback" in attributes)
        if stand_in or is_pixel(attributes, lazy=lazy):
            self.drop(tag)
        elif address is None or (self._hidden is not None and not is_content(attributes, address)):
            self.pictures.append(ShownPicture(self.edit(tag.start, tag.end, ""), "", tag.end, lazy=True))
        elif lazy and self._is_beside_noscript(tag):
            self.drop(tag)
        else:
            unchanged = tag.name == "img" and attributes.get("src") == address
            shown = self.html[tag.start : tag.end] if unchanged else img_tag(address, attributes)
            key = picture_key(address)
            self._shown.add(key)
            self.pictures.append(ShownPicture(self.edit(tag.start, tag.end, shown), key, tag.end, lazy))
            if tag.name != "img" and not tag.self_closed:
                self._custom_end = self.scanner.end_tag(tag.name, tag.end)

    def _is_beside_noscript(self, tag: Tag) -> bool:
        return self._noscript_end != -1 and _ONLY_ENDS.fullmatch(self.html, self._noscript_end, tag.start) is not None

    def start_picture(self, tag: Tag) -> None:
        """Begin a `<picture>`."""
        self._sources, self._rare_sources, self._pictured = [], [], False
        self.drop(tag)

    def source(self, tag: Tag) -> None:
        """Note a `<source>` of a `<picture>`."""
        if self._sources is not None:
            attributes = tag.attributes()
            texts = [attributes.get(name, "") for name in _SOURCE_SETS]
            found = [each for text in texts for each in candidates_of(text)]
            rare = attributes.get("type", "").lower() in _RARE_TYPES
            (self._rare_sources if rare else self._sources).extend(found)
        self.drop(tag)

    def end_picture(self, tag: Tag) -> None:
        """End a `<picture>`, which shows its source if it has no `<img>`."""
        address = None if self._pictured else picture_address({}, self._candidates())
        self._sources = None
        self.edit(tag.start, tag.end, img_tag(address, {}) if address else "")

    def _candidates(self) -> list[Candidate]:
        """Return the sources of the open `<picture>`; formats that few programs read only if there are no others."""
        return [] if self._sources is None else self._sources or self._rare_sources

    def without_scripts(self, start: int, end: int, html: str, pictures: list[ShownPicture]) -> bool:
        """Show the content of a `<noscript>`, unless its picture is there already; return whether it is shown.

        It replaces the picture before it that only scripts load.
        """
        keys = [picture.key for picture in pictures if picture.key]
        if start < self._custom_end or (keys and all(key in self._shown for key in keys)):
            self.edit(start, end, "")
            return False
        before = self.pictures[-1] if self.pictures else None
        if keys and before is not None and before.lazy and _ONLY_ENDS.fullmatch(self.html, before.end, start):
            self.pieces[before.piece] = ""
        piece = self.edit(start, end, html)
        self._shown.update(keys)
        self.pictures += [ShownPicture(piece, key, end, lazy=False) for key in keys]
        self._noscript_end = end + len("</noscript>") if keys else -1
        return True

    def follow_hidden(self, tag: Tag) -> None:
        """Note where a hidden element starts and ends."""
        if self._hidden is not None and tag.name == self._hidden[0]:
            # A paragraph ends where the next one starts.
            depth = 0 if tag.name == "p" else self._hidden[1] + (-1 if tag.closing else 1)
            self._hidden = (tag.name, depth) if depth > 0 else None
        elif self._hidden is None and not tag.closing and tag.name not in VOID:
            rest = tag.rest.lower()
            if ("style" in rest or "hidden" in rest) and is_hidden(tag.attributes()):
                self._hidden = (tag.name, 1)


def _is_ratio(attributes: dict[str, str]) -> bool:
    """Return whether the size in a custom element is the ratio of its sides, as in <amp-img width=4 height=3>."""
    sides = [attributes.get(name, "") for name in ("width", "height")]
    return (
        all(re.fullmatch(r"0*[1-9]\d?(?:\.\d+)?", side) and float(side) < _SMALLEST for side in sides)
        and sides != ["1"] * 2
    )
