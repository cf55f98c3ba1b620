"""Convert feed entries to activities: clean texts, resolve addresses, interpret fields. Pure."""

from __future__ import annotations

import hashlib
import html as entities
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    Link,
    NewActivity,
)
from aggregator.sources.rss.authors import joined
from aggregator.sources.rss.control_characters import clean_content, plain_id, without_controls
from aggregator.sources.rss.document import UNDETERMINED
from aggregator.sources.rss.entry_media import media_of
from aggregator.sources.rss.events import occasion_of
from aggregator.sources.rss.limits import LONGEST_TEXT
from aggregator.text.html import CleanArticle, clean_article, paragraphs, plain_text, text_of_clean
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.activity import Media
    from aggregator.sources.rss.document import Author, Document, Entry, Markup

_MOST_LINKS = 50
_MOST_TAGS = 50
_LONGEST_TITLE = 1000  # characters
_LONGEST_RAW = 400_000  # bytes
_LITTLE_TEXT = 500  # characters that may accompany a film without making it an article
_BCP47 = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
# The output of clean_html: double quotes around every value, the address first.
_ANCHOR = re.compile(r'<a\b[^>]*? ?href="(https?:[^"]*)"[^>]*>(.*?)</a>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Setting:
    """Values shared by all entries of a document."""

    base: str  # base for relative addresses
    follows_base: bool
    host: str
    title: str | None
    link: str | None
    author: Author | None
    lang: str | None
    image: str | None


def setting_of(document: Document, url: str) -> Setting:
    """Return the shared values for the entries of a document found at `url`."""
    url = url.partition("?")[0]  # the query may contain a key, which a relative address would inherit
    link = canonical_url(document.link, url) if document.link else None
    return Setting(
        base=url if document.follows_base else link or url,
        follows_base=document.follows_base,
        host=urlsplit(url).hostname or "",
        title=_title(document.title),
        link=link,
        author=document.author,
        lang=document.lang,
        image=canonical_url(document.image, url) if document.image else None,
    )


def name_of(names: tuple[str | None, str | None], setting: Setting) -> str | None:
    """Return the native id of an entry from its id and link, or None if it has neither."""
    own, link = names
    return plain_id(own) or (canonical_url(link, setting.base) if link else None)


def activity_of(entry: Entry, setting: Setting) -> NewActivity:
    """Return an entry as an activity."""
    url = canonical_url(entry.link, setting.base) if entry.link else None
    base = _base(entry.body, url, setting)
    article = _article(entry.body, base)
    html, text = article.html, text_of_clean(article.html)
    title = _title(entry.title)
    actor = _actor(entry.author, setting)
    lang = None if entry.lang == UNDETERMINED else _language(entry.lang) or _language(setting.lang)
    media = media_of(entry, article, base)
    published = entry.published or entry.updated
    occasion = occasion_of(entry, text, published)
    native_id = plain_id(entry.id) or url or "sha256:" + _sha256(f"{title}\n{published}\n{text}")
    content = Content(
        kind=ActivityKind.EVENT if occasion else _kind(media, text),
        network="web",
        url=url,
        actor=actor,
        title=title,
        text=text,
        html=html,
        lang=lang,
        published=published,
        updated=entry.updated if entry.updated != published else None,
        media=media,
        links=_links(html),
        hashtags=_hashtags(entry.tags),
        event=occasion,
        in_reply_to=canonical_url(entry.reply_to, setting.base) if entry.reply_to else None,
    )
    around = repr((actor, lang, url, base)).encode("utf-8", "replace")
    return NewActivity(
        native_id=native_id,
        key=f"web:{_sha256(url or f'{setting.host} {native_id}')[:32]}",  # as in `web_key`
        content=clean_content(content),
        entry_digest=hashlib.sha256(entry.raw + b"\n" + around).hexdigest(),
        raw=entry.raw if len(entry.raw) <= _LONGEST_RAW else b"",
    )


def _base(body: Markup | None, url: str | None, setting: Setting) -> str:
    """Return the base URL of an entry: its own, or else its page."""
    if body is None or not body.base:
        return setting.base if setting.follows_base else url or setting.base
    try:
        return urljoin(setting.base, body.base)
    except ValueError:
        return setting.base


def _article(body: Markup | None, base: str) -> CleanArticle:
    """Return the entry's clean HTML, and the films and sounds in it."""
    if body is None:
        return CleanArticle("")
    value = body.value[:LONGEST_TEXT]
    return clean_article(value, base) if body.html else CleanArticle(paragraphs(value))


def _title(title: Markup | None) -> str | None:
    if title is None:
        return None
    value = title.value[:LONGEST_TEXT]
    if title.html:
        value = plain_text(value) if "<" in value else entities.unescape(value)
    return without_controls(" ".join(value.split()))[:_LONGEST_TITLE] or None


@lru_cache(maxsize=512)
def _actor(author: Author | None, setting: Setting) -> Actor:
    """Return the author: the entry's, the feed's, or else the publication."""
    author = author or setting.author
    name = (joined(author.names, setting.lang) if author else None) or setting.title or setting.host
    url = canonical_url(author.url, setting.base) if author and author.url else None
    own = canonical_url(author.avatar, setting.base) if author and author.avatar else None
    return Actor(
        network="web",
        native_id=url or f"{setting.host}/{name.casefold()}",
        name=" ".join(name.split())[:_LONGEST_TITLE],
        url=url or (None if author else setting.link),
        avatar=own or setting.image,
    )


def _language(tag: str | None) -> str | None:
    tag = (tag or "").replace("_", "-")
    return tag if _BCP47.fullmatch(tag) and tag != UNDETERMINED else None


def _kind(media: tuple[Media, ...], text: str) -> ActivityKind:
    film = bool(media) and media[0].type == "video" and len(text) <= _LITTLE_TEXT
    return ActivityKind.VIDEO if film else ActivityKind.ARTICLE


def _links(html: str) -> tuple[Link, ...]:
    links: dict[str, Link] = {}
    for href, inner in _ANCHOR.findall(html):
        url = canonical_url(entities.unescape(href))
        if url and url not in links:
            plain = text_of_clean(inner) if "<" in inner or "&" in inner else inner
            links[url] = Link(url, " ".join(plain.split()) or None)
            if len(links) == _MOST_LINKS:
                break
    return tuple(links.values())


def _hashtags(tags: Sequence[str]) -> tuple[str, ...]:
    kept: dict[str, str] = {}
    for tag in (_plain_tag(tag) for tag in tags):
        if tag:
            kept.setdefault(tag.casefold(), tag)
    return tuple(kept.values())[:_MOST_TAGS]


def _plain_tag(tag: str) -> str:
    if "<" in tag or "&" in tag:
        tag = " ".join(plain_text(tag).split())
    return tag.strip().lstrip("#").strip()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
