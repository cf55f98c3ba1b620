"""Read a feed's own elements, outside of its entries, with the same result as feedparser. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aggregator.sources.rss.fast_xml.authors import add_author
from aggregator.sources.rss.fast_xml.links import add_link, text_of_feed_link
from aggregator.sources.rss.fast_xml.markup import (
    PLAIN,
    Surroundings,
    address_of,
    part_of,
    text_of,
)
from aggregator.sources.rss.fast_xml.names import (
    UnfamiliarError,
    attributes_of,
    name_of_tag,
    pass_over,
    pass_over_children,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

    from aggregator.sources.rss.fields import Fields

_PARTS = frozenset({"title", "link", "description", "url", "width", "height"})  # of an image
_INPUT = frozenset({"title", "link", "description", "name"})


class Channel:
    """The state of a feed while its own elements are read."""

    def __init__(self, lang: str | None, *, atom: bool) -> None:
        self.fields: Fields = {"language": lang.replace("_", "-")} if lang else {}
        self.atom = atom
        self._titled = False

    def entry(self) -> None:
        """Record an entry at this position: a later title of the feed counts again."""
        self._titled = False

    def element(self, element: _Element, around: Surroundings) -> None:
        """Read an element of the feed.

        Raises:
            UnfamiliarError: only feedparser can interpret it.
        """
        name = name_of_tag(element.tag)
        handle = self._handlers.get(name)
        if handle is None:
            pass_over(element, name)
        else:
            attributes = attributes_of(element)
            handle(self, element, attributes, around.within(attributes))

    def _title(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        part = part_of(element, attributes, inner, PLAIN, atom=self.atom)
        if not self._titled:
            self.fields["title"], self.fields["title_detail"] = part["value"], part
            self._titled = bool(part["value"])

    def _description(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        pass_over_children(element)
        if "summary" in self.fields:  # feedparser then reads the first entry differently
            raise UnfamiliarError(element.tag)

    def _summary(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        self._description(element, attributes, inner)
        self.fields["summary"] = ""

    def _link(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        add_link(self.fields, element, attributes, inner, text_of_feed_link)

    def _guid(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        if attributes.get("ispermalink", "true").strip().lower() == "true":
            self.fields.setdefault("link", address_of(element, inner.base))
        pass_over_children(element)

    def _author(self, element: _Element, _: dict[str, str], inner: Surroundings) -> None:
        add_author(self.fields, element, inner)

    def _owner(self, _: _Element, __: dict[str, str], ___: Surroundings) -> None:
        """Skip the owner of a podcast: that is private."""

    def _contributor(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        for child in element:
            if name_of_tag(child.tag) not in {"name", "email", "uri", "url"}:
                raise UnfamiliarError(child.tag)
            pass_over_children(child)

    def _language(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        self.fields["language"] = text_of(element)

    def _icon(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        self.fields[name_of_tag(element.tag)] = attributes or address_of(element, inner.base)

    def _image(self, element: _Element, _: dict[str, str], inner: Surroundings) -> None:
        self._titled = False
        image = self.fields.setdefault("image", {})
        for child in element:
            name = name_of_tag(child.tag)
            if name not in _PARTS:
                raise UnfamiliarError(child.tag)
            pass_over_children(child)
            if name == "url":
                image["href"] = address_of(child, inner.within(attributes_of(child)).base)

    def _itunes_image(self, element: _Element, attributes: dict[str, str], _: Surroundings) -> None:
        pass_over_children(element)
        href = attributes.get("href") or attributes.get("url")
        if href:
            self.fields["image"] = {"href": href}

    def _text_input(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        self._titled = False
        pass_over_parts(element, _INPUT)

    _handlers: ClassVar[dict[str, Callable[[Channel, _Element, dict[str, str], Surroundings], None]]] = {
        **dict.fromkeys(("title", "dc_title"), _title),
        **dict.fromkeys(("description", "dc_description", "media_description"), _description),
        **dict.fromkeys(("summary", "itunes_summary"), _summary),
        "link": _link,
        **dict.fromkeys(("guid", "id"), _guid),
        **dict.fromkeys(("author", "managingeditor", "dc_creator", "dc_author", "itunes_author"), _author),
        "itunes_owner": _owner,
        "contributor": _contributor,
        **dict.fromkeys(("language", "dc_language"), _language),
        **dict.fromkeys(("icon", "logo"), _icon),
        "image": _image,
        "itunes_image": _itunes_image,
        "textinput": _text_input,
    }


def pass_over_beside(element: _Element) -> None:
    """Skip the siblings of an RSS 1.0 channel that feedparser ignores.

    Raises:
        UnfamiliarError: there are other elements.
    """
    name = name_of_tag(element.tag)
    if name == "image":
        pass_over_parts(element, _PARTS)
    elif name == "textinput":
        pass_over_parts(element, _INPUT)
    else:
        raise UnfamiliarError(element.tag)


def pass_over_parts(element: _Element, parts: frozenset[str]) -> None:
    """Check that an element has only these child elements, and these have none.

    Raises:
        UnfamiliarError: it has others.
    """
    for child in element:
        name = name_of_tag(child.tag)
        if name not in parts:
            raise UnfamiliarError(child.tag)
        pass_over_children(child)
