"""Read Media RSS in a tree. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Protocol

from aggregator.sources.rss.attachments import GROUP
from aggregator.sources.rss.media_rss import caption_of, html_of, is_html, preview_of
from aggregator.sources.rss.xml_tree.markup import (
    HTML,
    add_title,
    address_of,
    bare_text,
    part_of,
    text_of,
)
from aggregator.sources.rss.xml_tree.names import attributes_of, name_of

if TYPE_CHECKING:
    from lxml.etree import _Element

    from aggregator.sources.rss.fields import Fields
    from aggregator.sources.rss.xml_tree.markup import Surroundings


class MediaEntry(Protocol):
    """The part of an entry that Media RSS adds to."""

    fields: Fields
    atom: bool

    def category(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None: ...  # noqa: D102

    def tag(self, term: str | None, scheme: str | None, label: str | None) -> None: ...  # noqa: D102

    def own_names(self) -> set[str]: ...  # noqa: D102


_SCHEME = "http://search.yahoo.com/mrss/category_schema"
_LIFTED = {"media_description": "alt", "media_title": "caption"}
_BODIES = frozenset({"description", "summary", "content", "encoded"})


def add_media(item: MediaEntry, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
    """Record an element of Media RSS."""
    name = name_of(element)
    if name == "media_group":
        _add_all(item, element, inner, nested={"media_content"})
    elif name == "media_content":
        _add_content(item, element, attributes, inner)
    elif name == "media_thumbnail":
        url = address_of(element, inner.base)
        own = {"url": url, **attributes} if url else attributes
        item.fields.setdefault("media_thumbnail", []).append(own)
    elif name == "media_category":
        item.category(element, {"scheme": _SCHEME, **attributes}, inner)
    elif name == "media_keywords":
        _add_keywords(item, element)
    else:
        _add_words(item, element, attributes, inner)


def _add_all(item: MediaEntry, element: _Element, inner: Surroundings, nested: set[str]) -> None:
    group = str(len(item.fields.get("media_content", ())))
    for child in element:
        name = name_of(child)
        if name in {"media_thumbnail", "media_category", "media_keywords", *_LIFTED} | nested:
            attributes = attributes_of(child)
            within = inner.within(attributes)
            add_media(item, child, {**attributes, GROUP: group} if name == "media_content" else attributes, within)


def _add_content(item: MediaEntry, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
    """Record a media:content with its text and preview image."""
    lifted: dict[str, str] = {}
    stills: list[dict[str, str]] = []
    for child in element:
        name = name_of(child)
        own = attributes_of(child)
        if name in _LIFTED:
            lifted.setdefault(_LIFTED[name], caption_of(bare_text(child), own.get("type")))
        elif name == "media_thumbnail":
            stills.append({**own, "url": own.get("url") or bare_text(child)})
        elif name in {"media_category", "media_keywords"}:
            add_media(item, child, own, inner.within(own))
    lifted["preview"] = preview_of(stills) or ""
    inherited = {key: " ".join(words.split()) for key, words in lifted.items() if words and key not in attributes}
    item.fields.setdefault("media_content", []).append({**attributes, **inherited})


def _add_keywords(item: MediaEntry, element: _Element) -> None:
    for term in text_of(element).split(","):
        if term.strip():
            item.tag(term.strip(), None, None)


def _add_words(item: MediaEntry, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
    """Use the text of a group or entry for the entry if the entry has no text of its own."""
    if name_of(element) == "media_title":
        if "title" not in item.own_names():
            add_title(item.fields, _as_html(element, attributes, inner, atom=item.atom))
    elif not item.own_names() & _BODIES and not item.fields.get("summary"):
        part = _as_html(element, attributes, inner, atom=item.atom)
        item.fields["summary"], item.fields["summary_detail"] = part["value"], part


def _as_html(element: _Element, attributes: dict[str, str], inner: Surroundings, *, atom: bool) -> Fields:
    """Return a text as HTML; it is plain text unless its type is HTML, even if it contains markup."""
    text, kind = text_of(element), attributes.get("type")
    part = part_of(element, {**attributes, "type": HTML}, inner, HTML, atom=atom)
    if text and not is_html(text, kind):
        title = name_of(element) == "media_title"
        part["value"] = escape(text, quote=False) if title else html_of(text, kind)
    return part


def own_names(element: _Element) -> set[str]:
    """Return the local names of an entry's children outside of Media RSS that are not empty."""
    names: set[str] = set()
    for child in element:
        if (len(child) or (child.text or "").strip()) and not name_of(child).startswith("media_"):
            names.add(child.tag.rpartition("}")[2].lower())
    return names
