"""Give every `<img>` the address of its picture, and remove those that nobody is meant to see. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from aggregator.text.html_rewriter import HtmlRewriter
from aggregator.text.html_tokens import VOID
from aggregator.text.image_tags import img_tag, is_content, is_hidden, is_pixel
from aggregator.text.pictures import candidates_of, is_lazy, is_placeholder, picture_address, picture_key

if TYPE_CHECKING:
    from aggregator.text.html_tokens import Tag
    from aggregator.text.pictures import Candidate

_SMALLEST = 25  # pixels of a picture that is no icon
_CUSTOM_ELEMENT = re.compile(r"(?:[a-z][a-z0-9]*-)+(?:img|image|anim)|image")  # <amp-img>, <a-img>
_SOURCE_SETS = ("srcset", "data-srcset", "data-lazy-srcset", "src", "data-src")
_RARE_TYPES = frozenset({"image/avif", "image/jxl", "image/jp2", "image/vnd.ms-photo"})


class ShownPicture(NamedTuple):
    """A picture in the output."""

    piece: int  # index in the pieces of the output
    key: str  # the same for all sizes of a picture; "" if it has no address
    weak: bool  # a placeholder


class PictureRepair(HtmlRewriter):
    """Rewrites pictures."""

    def __init__(self, html: str, depth: int = 0) -> None:
        super().__init__(html, depth)
        self.pictures: list[ShownPicture] = []
        self._shown: set[str] = set()  # keys
        self._without_scripts: set[str] = set()  # keys of pictures in <noscript>
        self._sources: list[Candidate] | None = None  # of the open <picture>
        self._rare_sources: list[Candidate] = []
        self._pictured = False  # the open <picture> has an <img>
        self._hidden: tuple[str, int] | None = None  # the outermost hidden element, and how many of its name are open

    @property
    def has_picture(self) -> bool:
        """Return whether there was a picture so far."""
        return any(picture.key and not picture.weak for picture in self.pictures)

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
            self.pictures.append(ShownPicture(self.edit(tag.start, tag.end, ""), "", weak=True))
        else:
            key, weak = picture_key(address), is_placeholder(address)
            if key in self._without_scripts and (lazy or weak):
                self._without_scripts.discard(key)
                self.drop(tag)
                return
            unchanged = tag.name == "img" and attributes.get("src") == address
            shown = self.html[tag.start : tag.end] if unchanged else img_tag(address, attributes)
            self._shown.add(key)
            self.pictures.append(ShownPicture(self.edit(tag.start, tag.end, shown), key, weak))

    def start_picture(self, tag: Tag) -> None:
        """Begin a `<picture>`."""
        self._sources, self._rare_sources, self._pictured = [], [], False
        self.drop(tag)

    def source(self, tag: Tag) -> None:
        """Note a `<source>` of a `<picture>`."""
        if self._sources is not None:
            attributes = tag.attributes()
            texts = [attributes.get(name, "") for name in _SOURCE_SETS]
            found = [each for text in texts for each in candidates_of(text) if not is_placeholder(each.address)]
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

    def without_scripts(self, start: int, end: int, html: str, pictures: list[ShownPicture]) -> str:
        """Return the content of a `<noscript>` unless its picture is there already. It replaces a placeholder."""
        keys = [picture.key for picture in pictures if picture.key and not picture.weak]
        if keys and all(key in self._shown for key in keys):
            html = ""
        elif keys and self.pictures and self.pictures[-1].weak:
            self.pieces[self.pictures[-1].piece] = ""
        piece = self.edit(start, end, html)
        if html:
            self._shown.update(keys)
            self._without_scripts.update(keys)
            self.pictures += [ShownPicture(piece, key, weak=False) for key in keys]
        return html

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
