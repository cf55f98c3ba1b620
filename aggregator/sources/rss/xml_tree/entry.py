"""Read an entry of a tree, element by element. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from aggregator.sources.rss.control_characters import plain_id
from aggregator.sources.rss.dates import first_doubt, read_date
from aggregator.sources.rss.entry_links import ORIGINALS, page_link
from aggregator.sources.rss.feedparser_marks import PLAIN_GUID
from aggregator.sources.rss.fields import entry_of
from aggregator.sources.rss.xml_tree.authors import AUTHORS, add_author, add_source_authors
from aggregator.sources.rss.xml_tree.links import add_link, text_of_link, with_href
from aggregator.sources.rss.xml_tree.markup import (
    HTML,
    PLAIN,
    Surroundings,
    add_title,
    bare_text,
    part_of,
    repaired,
    resolved,
    text_of,
)
from aggregator.sources.rss.xml_tree.media import add_media, own_names
from aggregator.sources.rss.xml_tree.names import (
    REPLY,
    attributes_of,
    name_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lxml.etree import _Element

    from aggregator.sources.rss.document import Entry
    from aggregator.sources.rss.fields import Fields
    from aggregator.sources.rss.time_zones import Region

_NAMES = frozenset({"guid", "id", "link", *ORIGINALS})
_NO_ATTRIBUTES: dict[str, str] = {}
_ITUNES = "http://www.itunes.com/"


class Item:
    """The state of an entry while it is read."""

    def __init__(self, element: _Element, around: Surroundings, region: Region, *, atom: bool) -> None:
        self.fields: Fields = {}
        self._region, self._around = region, around
        self.atom = atom
        self.published: datetime | None = None
        self.updated: datetime | None = None
        self.created: datetime | None = None
        self._dates: dict[str, str] = {}  # as written
        self.filled = False  # there was a content, so further summaries are not contents
        attributes = attributes_of(element)
        if attributes.get("rdf:about"):
            self.fields["id"] = attributes["rdf:about"]
        self._element = element
        self._inner = around.within(attributes)

    def read(self, raw: bytes) -> Entry:
        """Read the complete entry."""
        for child in self._element:
            handle = self._handlers.get(name_of(child))
            if handle is not None:
                self._handle(handle, child)
        entry = entry_of(self.fields, self.published or self.created, self.updated, raw, atom=self.atom)
        doubt = first_doubt(self._dates, (self.published, self.updated, self.created), self._region)
        return replace(entry, date_doubt=doubt) if doubt else entry

    def names(self) -> tuple[str | None, str | None]:
        """Read the id and the link only."""
        for child in self._element:
            name = name_of(child)
            if name in _NAMES:
                self._handle(self._handlers[name], child)
        if len(self.fields.get("links", ())) > 1:  # the language of the text chooses among them
            entry = Item(self._element, self._around, self._region, atom=self.atom).read(b"")
            return entry.id, entry.link
        return (self.fields.get("id") or "").strip() or None, page_link(self.fields)

    def _handle(self, handle: Callable[[Item, _Element, dict[str, str], Surroundings], None], child: _Element) -> None:
        if child.keys():
            attributes = attributes_of(child)
            handle(self, child, attributes, self._inner.within(attributes))
        else:
            handle(self, child, _NO_ATTRIBUTES, self._inner.within(_NO_ATTRIBUTES))

    def _title(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        add_title(self.fields, part_of(element, attributes, inner, PLAIN, atom=self.atom))

    def description(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        """Record an RSS description."""
        self._file_summary(element, attributes, inner, HTML)

    def _summary(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        self._file_summary(element, attributes, inner, PLAIN)

    def _file_summary(self, element: _Element, attributes: dict[str, str], inner: Surroundings, default: str) -> None:
        if "summary" in self.fields and not self.filled:
            self._content(element, attributes, inner)
        else:
            part = part_of(element, attributes, inner, default, atom=self.atom)
            self.fields["summary"], self.fields["summary_detail"] = part["value"], part

    def _content(
        self, element: _Element, attributes: dict[str, str], inner: Surroundings, default: str = PLAIN
    ) -> None:
        self.filled = True
        part = part_of(element, attributes, inner, default, atom=self.atom)
        self.fields.setdefault("content", []).append(part)
        self.fields.setdefault("summary", part["value"])

    def _encoded(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        self._content(element, attributes, inner, HTML)

    def _guid(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        is_link = attributes.get("ispermalink", "true").strip().lower() == "true"
        value = plain_id(bare_text(element))
        value = repaired(resolved(inner.base, value) if is_link and value else value)
        former, self.fields["id"] = self.fields.get("id"), value
        if is_link and self.fields.get("link") in {None, former}:  # of several ids, the last one counts
            self.fields["link"] = value
        if not is_link:
            self.fields[PLAIN_GUID] = "1"

    def _link(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        add_link(self.fields, element, attributes, inner, text_of_link)

    def _original(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        self.fields[name_of(element)] = text_of(element)

    def _enclosure(self, _: _Element, attributes: dict[str, str], __: Surroundings) -> None:
        self.fields.setdefault("links", []).append({**with_href(attributes), "rel": "enclosure"})

    def _author(self, element: _Element, _: dict[str, str], inner: Surroundings) -> None:
        add_author(self.fields, element, inner)

    def category(self, element: _Element, attributes: dict[str, str], _: Surroundings) -> None:
        """Record a category with its label and scheme."""
        scheme = attributes.get("scheme", attributes.get("domain"))
        self.tag(attributes.get("term"), scheme, attributes.get("label"))
        self._last_tag(element)

    def _itunes_category(self, element: _Element, attributes: dict[str, str], _: Surroundings) -> None:
        """Record a category of podcasts with its subcategories."""
        self.tag(attributes.get("text"), _ITUNES, None)
        for inner in element.iterdescendants(element.tag):
            self.tag(inner.get("text"), _ITUNES, None)
        if not len(element):
            self._last_tag(element)

    def tag(self, term: str | None, scheme: str | None, label: str | None) -> None:
        """Record a category, without duplicates."""
        tags: list[Fields] = self.fields.setdefault("tags", [])
        tag = {"term": term, "scheme": scheme, "label": label}
        if (term or scheme or label) and tag not in tags:
            tags.append(tag)

    def _last_tag(self, element: _Element) -> None:
        value = repaired(bare_text(element))
        if not value:
            return
        tags = self.fields["tags"]
        if tags and not tags[-1]["term"]:
            tags[-1]["term"] = value
        else:
            self.tag(value, None, None)

    def _keywords(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        for term in text_of(element).split(","):
            if term.strip():
                self.tag(term.strip(), _ITUNES, None)

    def own_names(self) -> set[str]:
        """Return the local names of its children outside of Media RSS that are not empty."""
        return own_names(self._element)

    def _media(self, element: _Element, attributes: dict[str, str], inner: Surroundings) -> None:
        add_media(self, element, attributes, inner)

    def _duration(self, element: _Element, attributes: dict[str, str], _: Surroundings) -> None:
        self.fields["itunes_duration"] = attributes or text_of(element)

    def _itunes_image(self, _: _Element, attributes: dict[str, str], __: Surroundings) -> None:
        href = attributes.get("href") or attributes.get("url")
        if href:
            self.fields["image"] = {"href": href}

    def _source(self, element: _Element, _: dict[str, str], inner: Surroundings) -> None:
        add_source_authors(self.fields, element, inner)

    def _reply(self, element: _Element, attributes: dict[str, str], _: Surroundings) -> None:
        self.fields[REPLY] = attributes or text_of(element)

    def _date(self, kind: str, element: _Element) -> datetime | None:
        self._dates[kind] = text_of(element)
        return read_date(self._dates[kind], self._region)

    def _is_published(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        self.published = self._date("published", element)

    def _is_updated(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        self.updated = self._date("updated", element)

    def _is_created(self, element: _Element, _: dict[str, str], __: Surroundings) -> None:
        self.created = self._date("created", element)

    _handlers: ClassVar[dict[str, Callable[[Item, _Element, dict[str, str], Surroundings], None]]] = {
        **dict.fromkeys(("title", "dc_title"), _title),
        **dict.fromkeys(("description", "dc_description"), description),
        **dict.fromkeys(("summary", "itunes_summary"), _summary),
        "content": _content,
        **dict.fromkeys(("content_encoded", "body", "xhtml_body", "fullitem"), _encoded),
        **dict.fromkeys(("guid", "id"), _guid),
        "link": _link,
        **dict.fromkeys(ORIGINALS, _original),
        "enclosure": _enclosure,
        **dict.fromkeys(AUTHORS, _author),
        **dict.fromkeys(("category", "keywords", "dc_subject"), category),
        "itunes_category": _itunes_category,
        "itunes_keywords": _keywords,
        **dict.fromkeys(
            ("media_content", "media_group", "media_thumbnail", "media_title", "media_description"), _media
        ),
        **dict.fromkeys(("media_category", "media_keywords"), _media),
        "itunes_duration": _duration,
        "itunes_image": _itunes_image,
        "source": _source,
        REPLY: _reply,
        **dict.fromkeys(("pubdate", "published", "issued", "dcterms_issued"), _is_published),
        **dict.fromkeys(("updated", "modified", "lastbuilddate", "dc_date", "dcterms_modified"), _is_updated),
        **dict.fromkeys(("created", "dcterms_created"), _is_created),
    }
