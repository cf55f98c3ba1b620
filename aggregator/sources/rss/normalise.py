"""A feed document into activities: bytes in, `ParsedFeed` out. Pure."""

from __future__ import annotations

import hashlib
import html as entities
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from aggregator.activity import ActivityKind, Actor, Content, Link, Media, NewActivity
from aggregator.errors import UnreadableError
from aggregator.sources.rss import jsonfeed, sniff, syndication
from aggregator.sources.rss.document import LONGEST_TEXT, NOTHING_ANNOUNCED, Announced, Author, Document, Entry, Markup
from aggregator.sources.rss.media_types import whole
from aggregator.sources.rss.seen import Seen, digest, line
from aggregator.text import canonical_url, clean_html, paragraphs, plain_text, text_of_clean, web_key

if TYPE_CHECKING:
    from collections.abc import Sequence

READER = 2  # raised when the same bytes come to mean something else, so that unchanged feeds are read again

_MOST_LINKS = 50
_MOST_MEDIA = 50
_MOST_TAGS = 50
_LONGEST_TITLE = 1000  # characters
_LONGEST_RAW = 400_000  # bytes
_LITTLE_TEXT = 500  # characters that may go with a film without making it an article
_BCP47 = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
# What clean_html writes: every value in double quotes, the address first.
_ANCHOR = re.compile(r'<a\b[^>]*? ?href="(https?:[^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_IMAGE = re.compile(r"<img((?: [a-z]+=\"[^\"]*\")*)>")
_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """What a feed document says: activities oldest first."""

    title: str | None
    activities: Sequence[NewActivity]  # without those that were seen
    note: str | None = None
    seen: str = ""  # to be given back with the next document of this feed
    skipped: int = 0  # entries that were seen
    present: tuple[str, ...] = ()  # native ids of those
    entries: int = 0  # in the document
    announced: Announced = NOTHING_ANNOUNCED


@dataclass(frozen=True, slots=True)
class _Setting:
    """What every entry of a document shares."""

    base: str  # for what is relative
    follows_base: bool
    host: str
    title: str | None
    link: str | None
    author: Author | None
    lang: str | None
    image: str | None


def normalise(body: bytes, content_type: str, url: str, seen: str = "") -> ParsedFeed:
    """Turn a feed document into activities.

    Entries that share an id within the document are one entry: the newest of them wins.

    Args:
        body: as the publisher sent it, unpacked.
        content_type: the header, for its charset; may be empty.
        url: the final address of the document, against which relative addresses are resolved.
        seen: what the last document of this feed left; its entries that come again in the same bytes are skipped.

    Raises:
        UnreadableError: it is no feed; the sentence says what it is.
    """
    document = _read(body, content_type)
    if document is None:
        raise UnreadableError(f"Instead of a feed there is {sniff.seen(body, content_type)}.")
    setting = _setting(document, url)
    known = Seen.of(seen)
    header = digest(repr((READER, setting)).encode("utf-8", "surrogatepass"))
    digests = [digest(entry.raw) for entry in document.entries]
    before = known.entries if known.header == header else frozenset()
    skipped = [entry for entry, own in zip(document.entries, digests, strict=True) if own in before]
    unseen = [entry for entry, own in zip(document.entries, digests, strict=True) if own not in before]
    entries = _oldest_first([entry for entry in unseen if _says_something(entry)])
    unique: dict[str, NewActivity] = {}
    for entry in entries:
        activity = _activity(entry, setting)
        unique.pop(activity.native_id, None)  # the newest one also takes the newest one's place
        unique[activity.native_id] = activity
    notes = list(document.notes)
    if len(unique) < len(entries):
        notes.append(f"Left out, since a newer entry has the same id: {len(entries) - len(unique)}.")
    return ParsedFeed(
        setting.title,
        tuple(unique.values()),
        " ".join(notes) or None,
        seen=line(header, digests),
        skipped=len(skipped),
        present=tuple(name for entry in skipped if (name := _name(entry, setting))),
        entries=len(document.entries),
        announced=document.announced,
    )


def _name(entry: Entry, setting: _Setting) -> str | None:
    """Return an entry's native id, where its id or its link gives one."""
    return entry.id or (canonical_url(entry.link, setting.base) if entry.link else None)


def _read(body: bytes, content_type: str) -> Document | None:
    if not body.strip():
        return None
    if sniff.is_json(body):
        return jsonfeed.read(body)
    return None if sniff.is_html(body) else syndication.read(body, content_type)


def _setting(document: Document, url: str) -> _Setting:
    link = canonical_url(document.link, url) if document.link else None
    return _Setting(
        base=url if document.follows_base else link or url,
        follows_base=document.follows_base,
        host=urlsplit(url).hostname or "",
        title=_title(document.title),
        link=link,
        author=document.author,
        lang=document.lang,
        image=canonical_url(document.image, url) if document.image else None,
    )


def _oldest_first(entries: Sequence[Entry]) -> list[Entry]:
    """Order by date where every entry has one, else turn the document round: feeds begin with the newest."""
    turned = list(reversed(entries))
    dates = [entry.published or entry.updated for entry in turned]
    known = [date for date in dates if date is not None]
    if len(known) < len(turned):
        return turned
    order = sorted(range(len(turned)), key=known.__getitem__)
    return [turned[index] for index in order]


def _says_something(entry: Entry) -> bool:
    return bool(entry.title or entry.body or entry.link or entry.media)


def _activity(entry: Entry, setting: _Setting) -> NewActivity:
    url = canonical_url(entry.link, setting.base) if entry.link else None
    base = _base(entry.body, url, setting)
    html, text = _body(entry.body, base)
    title = _title(entry.title)
    actor = _actor(entry.author, setting)
    lang = _language(entry.lang) or _language(setting.lang)
    media = _media(entry, html, base)
    published = entry.published or entry.updated
    native_id = entry.id or url or "sha256:" + _sha256(f"{title}\n{published}\n{text}")
    content = Content(
        kind=_kind(media, text),
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
    )
    around = repr((actor, lang, url, base)).encode("utf-8", "replace")
    return NewActivity(
        native_id=native_id,
        key=web_key(url) if url else f"web:{_sha256(f'{setting.host} {native_id}')[:32]}",
        content=content,
        entry_digest=hashlib.sha256(entry.raw + b"\n" + around).hexdigest(),
        raw=entry.raw if len(entry.raw) <= _LONGEST_RAW else b"",
    )


def _base(body: Markup | None, url: str | None, setting: _Setting) -> str:
    """Return what the addresses within an entry are relative to: what it says, else the page that it stands on."""
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
    words = plain_text(value) if title.html else value
    return " ".join(words.split())[:_LONGEST_TITLE] or None


def _actor(author: Author | None, setting: _Setting) -> Actor:
    """Return who wrote it: the entry's author, the feed's, else the publication itself."""
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
    """Return what the entry brings along, each address once, and the text's first picture where it brings nothing."""
    found: dict[str, Media] = {}
    stills: list[Media] = []
    for media in entry.media:
        url = canonical_url(media.url, base)
        if url is None:
            continue
        preview = canonical_url(media.preview, base) if media.preview else None
        placed = replace(media, url=url, preview=preview)
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
    """Join what an enclosure and a media:content say of the same file."""
    told = {name: getattr(second, name) for name in Media.__slots__ if getattr(first, name) is None}
    return replace(first, **told)


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
            links[url] = Link(url, text_of_clean(inner).replace("\n", " ") or None)
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
