"""Read a feed's own elements, outside of its entries. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aggregator.sources.rss.xml_tree.authors import AUTHORS, add_author
from aggregator.sources.rss.xml_tree.links import add_link, text_of_feed_link
from aggregator.sources.rss.xml_tree.markup import (
    PLAIN,
    Surroundings,
    add_title,
    address_of,
    part_of,
    text_of,
)
from aggregator.sources.rss.xml_tree.names import (
    attributes_of,
    name_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

    from aggregator.sources.rss.fields import Fields


class Channel:
    """The state of a feed while its own elements are read."""

    def __init__(self, lang: str | None, *, atom: bool) -> None:
        self.fields: Fields = {"language": lang.replace("_", "-")} if lang else {}
        self.atom = atom

    def element(self, element: _Element, around: Surroundings) -> None:
        """Read an element of the feed."""
        handle = self._handlers.get(name_of(element))
        if handle is not None:
            attributes = attributes_of(element)
            handle(self, element, attributes, around.within(attributes))

    def _title(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        add_title(self.fields, part_of(element, attributes, inner, PLAIN, atom=self.atom))

    def _link(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        add_link(self.fields, element, attributes, inner, text_of_feed_link)

    def _guid(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        if attributes.get("ispermalink", "true").strip().lower() == "true":
            self.fields.setdefault("link", address_of(element, inner.base))

    def _author(self, element: _Element, _: dict[str, str], inner: Surroundings) -> None:
        add_author(self.fields, element, inner)

    def _language(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        self.fields["language"] = text_of(element)

    def _icon(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        self.fields[name_of(element)] = attributes or address_of(element, inner.base)

    def _image(self, element: _Element, _: dict[str, str], inner: Surroundings) -> None:
        image = self.fields.setdefault("image", {})
        for child in element:
            if name_of(child) == "url":
                image["href"] = address_of(child, inner.within(attributes_of(child)).base)

    def _itunes_image(self, _: _Element, attributes: dict[str, str], __: Surroundings) -> None:
        href = attributes.get("href") or attributes.get("url")
        if href:
            self.fields["image"] = {"href": href}

    _handlers: ClassVar[dict[str, Callable[[Channel, _Element, dict[str, str], Surroundings], None]]] = {
        **dict.fromkeys(("title", "dc_title"), _title),
        "link": _link,
        **dict.fromkeys(("guid", "id"), _guid),
        **dict.fromkeys(AUTHORS, _author),
        **dict.fromkeys(("language", "dc_language"), _language),
        **dict.fromkeys(("icon", "logo"), _icon),
        "image": _image,
        "itunes_image": _itunes_image,
    }
