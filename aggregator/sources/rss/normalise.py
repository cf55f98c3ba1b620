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
from aggregator.sources.rss.authors import joined
from aggregator.sources.rss.control_characters import clean_content, plain_id, without_controls
from aggregator.sources.rss.document import UNDETERMINED
from aggregator.sources.rss.events import occasion_of
from aggregator.sources.rss.limits import LONGEST_TEXT
from aggregator.sources.rss.media_types import whole
from aggregator.text.html import CleanArticle, clean_article, paragraphs, plain_text, text_of_clean
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
_ICON = 32  # pixels; smaller pictures stand for something else
_EMOJI = re.compile(r"(?i)//s\.w\.org/images/core/emoji/|/twemoji/|/emoji(?:s|one)?/")
# How sites write sizes into the addresses of pictures: "?width=460", "photo-300x200.jpg", "photo_460.jpg".
_SIZING = re.compile(r"(?i)(?:w|h|width|height|size|sz|s|quality|q|dpr|fit|crop|resize|auto)=")
_SIZED_NAME = re.compile(r"(?i)[-_@][0-9]{2,4}(?:x[0-9]{2,4}|w|px)?(?=\.[a-z]{3,4}$)")


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
    media = _media(entry, article, base)
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


def _media(entry: Entry, article: CleanArticle, base: str) -> tuple[Media, ...]:
    """Return the entry's attachments and the files of its text without duplicates, and a picture where there is one."""
    found: dict[str, Media] = {}
    stills: list[Media] = []
    embedded = (Media(file.type, file.url, mime=file.mime, preview=file.preview) for file in article.files)
    for media in (*entry.media, *embedded):
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
    kept = _without_renditions(list(found.values()))
    if not any(media.type == "image" for media in kept):
        kept = _illustrated(kept, stills, _first_picture(article.html, entry, base))
    return tuple(kept)[:_MOST_MEDIA]


def _illustrated(files: list[Media], stills: list[Media], picture: Media | None) -> list[Media]:
    """Add a picture to files without one: as the preview of what plays, else as a picture of its own."""
    still = max(stills, key=lambda media: media.width or 0, default=None)
    playing = next((index for index, media in enumerate(files) if media.type in {"video", "audio"}), None)
    if playing is None:
        shown = replace(still, type="image") if still is not None else picture
        return files if shown is None else [*files, shown]
    preview = still or (picture if files[playing].type == "audio" else None)
    if preview is None or files[playing].preview is not None:
        return files
    return [*files[:playing], replace(files[playing], preview=preview.url), *files[playing + 1 :]]


def _without_renditions(files: list[Media]) -> list[Media]:
    """Keep the largest of pictures that differ in size only."""
    largest: dict[str, Media] = {}
    for media in files:
        name = _rendition_name(media)
        former = largest.get(name)
        if former is None or _area(media) > _area(former):
            largest[name] = media
    return [media for media in files if largest[_rendition_name(media)] is media]


def _rendition_name(media: Media) -> str:
    """Return what the addresses of one picture in several sizes have in common."""
    if media.type != "image" or media.width is None:
        return media.url
    address = urlsplit(media.url)
    query = "&".join(part for part in address.query.split("&") if not _SIZING.match(part))
    return f"{address.netloc}{_SIZED_NAME.sub('', address.path)}?{query}"


def _area(media: Media) -> int:
    return (media.width or 0) * (media.height or media.width or 0)


def _merged(first: Media, second: Media) -> Media:
    """Merge the details of an enclosure and a media:content for the same file."""
    missing = {name: getattr(second, name) for name in Media.__slots__ if getattr(first, name) is None}
    return replace(first, **missing)


def _first_picture(html: str, entry: Entry, base: str) -> Media | None:
    """Return the first picture of a text that is no icon, or else the entry's own."""
    for found in _IMAGE.finditer(html):
        values = {name: entities.unescape(value) for name, value in _ATTRIBUTE.findall(found[1])}
        url = canonical_url(values.get("src", ""))
        width, height = whole(values.get("width")), whole(values.get("height"))
        is_icon = max(width or 0, height or 0) <= _ICON and (width or height)
        if url and not is_icon and not _EMOJI.search(url):
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
