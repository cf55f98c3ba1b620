"""Convert feed entries to activities: clean texts, resolve addresses, interpret fields. Pure."""

from __future__ import annotations

import hashlib
import html as entities
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    Link,
    Media,
    NewActivity,
)
from aggregator.sources.rss.events import occasion_of
from aggregator.sources.rss.limits import LONGEST_TEXT
from aggregator.sources.rss.media_types import whole
from aggregator.text.html import clean_html, paragraphs, plain_text, text_of_clean
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.sources.rss.document import Author, Document, Entry, Markup

_MOST_LINKS = 50
_MOST_MEDIA = 50
_MOST_TAGS = 50
_LONGEST_TITLE = 1000  # characters
_LONGEST_RAW = 400_000  # bytes
_LITTLE_TEXT = 500  # characters that may accompany a film without making it an article
_BCP47 = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
# The output of clean_html: double quotes around every value, the address first.
_ANCHOR = re.compile(r'<a\b[^>]*? ?href="(https?:[^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_IMAGE = re.compile(r"<img((?: [a-z]+=\"[^\"]*\")*)>")
_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')


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
    return own or (canonical_url(link, setting.base) if link else None)


def activity_of(entry: Entry, setting: Setting) -> NewActivity:
    """Return an entry as an activity."""
    url = canonical_url(entry.link, setting.base) if entry.link else None
    base = _base(entry.body, url, setting)
    html, text = _body(entry.body, base)
    title = _title(entry.title)
    actor = _actor(entry.author, setting)
    lang = _language(entry.lang) or _language(setting.lang)
    media = _media(entry, html, base)
    published = entry.published or entry.updated
    occasion = occasion_of(entry, text, published)
    native_id = entry.id or url or "sha256:" + _sha256(f"{title}\n{published}\n{text}")
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
        content=content,
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


def _body(body: Markup | None, base: str) -> tuple[str, str]:
    """Return the entry's clean HTML and plain text."""
    if body is None:
        return "", ""
    value = body.value[:LONGEST_TEXT]
    html = clean_html(value, base) if body.html else paragraphs(value)
    return html, text_of_clean(html)


def _title(title: Markup | None) -> str | None:
    if title is None:
        return None
    value = title.value[:LONGEST_TEXT]
    if title.html:
        value = plain_text(value) if "<" in value else entities.unescape(value)
    return " ".join(value.split())[:_LONGEST_TITLE] or None


@lru_cache(maxsize=512)
def _actor(author: Author | None, setting: Setting) -> Actor:
    """Return the author: the entry's, the feed's, or else the publication."""
    author = author or setting.author
    name = (author.name if author else None) or setting.title or setting.host
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
    return tag if _BCP47.fullmatch(tag) else None


def _kind(media: tuple[Media, ...], text: str) -> ActivityKind:
    film = bool(media) and media[0].type == "video" and len(text) <= _LITTLE_TEXT
    return ActivityKind.VIDEO if film else ActivityKind.ARTICLE


def _media(entry: Entry, html: str, base: str) -> tuple[Media, ...]:
    """Return the entry's attachments without duplicates, or the first picture of the text if there are none."""
    found: dict[str, Media] = {}
    stills: list[Media] = []
    for media in entry.media:
        url = canonical_url(media.url, base)
        if url is None:
            continue
        preview = canonical_url(media.preview, base) if media.preview else None
        same = url == media.url and preview == media.preview
        placed = media if same else replace(media, url=url, preview=preview)
        if media.type == "thumbnail":
            stills.append(placed)
        else:
            found[url] = _merged(found[url], placed) if url in found else placed
    films = [media for media in found.values() if media.type == "video"]
    if stills and films and films[0].preview is None:
        found[films[0].url] = replace(films[0], preview=stills[0].url)
    elif stills and not found:
        found[stills[0].url] = replace(stills[0], type="image")
    elif not found and (picture := _first_picture(html, entry, base)):
        found[picture.url] = picture
    return tuple(found.values())[:_MOST_MEDIA]


def _merged(first: Media, second: Media) -> Media:
    """Merge the details of an enclosure and a media:content for the same file."""
    missing = {name: getattr(second, name) for name in Media.__slots__ if getattr(first, name) is None}
    return replace(first, **missing)


def _first_picture(html: str, entry: Entry, base: str) -> Media | None:
    for found in _IMAGE.finditer(html):
        values = {name: entities.unescape(value) for name, value in _ATTRIBUTE.findall(found[1])}
        url = canonical_url(values.get("src", ""))
        if url:
            width, height = whole(values.get("width")), whole(values.get("height"))
            return Media("image", url, alt=values.get("alt") or None, width=width, height=height)
    url = canonical_url(entry.image, base) if entry.image else None
    return Media("image", url) if url else None


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
    for tag in (tag.strip().lstrip("#").strip() for tag in tags):
        if tag:
            kept.setdefault(tag.casefold(), tag)
    return tuple(kept.values())[:_MOST_TAGS]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
