"""Convert an item to the entry that RSS, Atom and JSON Feed share. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind
from aggregator.reader.feeds.enclosures import enclosures_of
from aggregator.reader.feeds.entry_html import html_of, original_of, own_title, title_of
from aggregator.reader.feeds.feed import published_at, tag, tag_id, updated_at
from aggregator.reader.feeds.sanitize import address, language, legible
from aggregator.text.html import excerpt, text_of_clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from aggregator.domain.activity import Activity, Actor, SourceRef
    from aggregator.reader.feeds.enclosures import Enclosure
    from aggregator.reader.feeds.feed import Terms

_SUMMARY_LENGTH = 300  # characters


@dataclass(frozen=True, slots=True)
class Author:
    """An author."""

    name: str
    url: str | None
    avatar: str | None


@dataclass(frozen=True, slots=True)
class Category:
    """A tag; `scheme` is its vocabulary, None: the publisher's own."""

    term: str
    scheme: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An item without content that its audience must not see."""

    id: str
    page: str  # our page about it
    original: str | None  # URL of the original
    title: str  # never empty
    own_title: str | None  # None: it has none, and `title` is derived from its text
    html: str  # never empty
    text: str  # `html` as plain text, never empty
    summary: str  # its beginning
    published: datetime
    updated: datetime
    lang: str | None
    author: Author | None
    contributor: Author | None  # author of the reposted content
    source: SourceRef
    categories: Sequence[Category]
    enclosures: Sequence[Enclosure]
    sensitive: bool

    @property
    def link(self) -> str:
        """Return the link for people: the original, or our page."""
        return self.original or self.page


def entry_of(item: Activity, terms: Terms) -> Entry:
    """Return the entry of an item for an audience."""
    content, original = terms.audience.content(item.content), original_of(item, terms.audience)
    shown = original if original and content.kind is ActivityKind.REPOST and content is item.content else content
    html = legible(html_of(item, terms))
    title = title_of(item, terms.audience)
    text = text_of_clean(html) or title  # for images without text
    return Entry(
        id=tag_id(item.id, terms.authority),
        page=terms.page_of(item.id),
        original=address(content.url) or address(shown.url),
        title=title,
        own_title=own_title(item, terms.audience),
        html=html,
        text=text,
        summary=excerpt(text, _SUMMARY_LENGTH),
        published=published_at(item),
        updated=updated_at(item, terms.audience, terms.now),
        lang=language(shown.lang),
        author=_author(content.actor),
        contributor=_author(shown.actor) if shown is not content else None,
        source=item.source,
        categories=list(dict.fromkeys(_categories(item, shown.hashtags, terms))),
        enclosures=enclosures_of(shown.media),
        sensitive=content.sensitive or shown.sensitive,
    )


def _author(actor: Actor | None) -> Author | None:
    if actor is None:
        return None
    name = " ".join(legible(actor.name or actor.handle or "").split())
    return Author(name, address(actor.url), address(actor.avatar)) if name else None


def _categories(item: Activity, hashtags: Sequence[str], terms: Terms) -> Iterator[Category]:
    for scheme, words in (
        (None, hashtags),
        (tag(terms.authority, "topic"), item.topics),
        (tag(terms.authority, "country"), item.countries),
    ):
        for word in words:
            if term := " ".join(legible(word).split()):
                yield Category(term, scheme)
