"""Choose the media of an entry among its attachments, its thumbnails, and the media in its text. Pure."""

from __future__ import annotations

import html as entities
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.domain.activity import Media
from aggregator.sources.rss.media_types import whole
from aggregator.text.pictures import is_decoration, picture_key, sensible, width_in
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aggregator.sources.rss.document import Entry
    from aggregator.text.embedded_media import EmbeddedMedia
    from aggregator.text.html import CleanArticle

_MOST_MEDIA = 50
_USUAL_WIDTH = 1200  # pixels of a picture whose size is not known
_SMALLEST = 25  # pixels; smaller pictures in a text are icons
_TINY = 2  # pixels
# The output of clean_html: double quotes around every value, the address first.
_IMAGE = re.compile(r"<img((?: [a-z]+=\"[^\"]*\")*)>")
_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')
_QUALITY = re.compile(r"(?i)[-_.](?:\d{3,4}p|[hs]d|fhd|uhd|4k|[hl]q|low|medium|high|mobile)(?=[-_.])")
_COUNTED = re.compile(r"[?&]_=\d+$")  # WordPress adds it to a file's second player


def media_of(entry: Entry, article: CleanArticle, base: str) -> tuple[Media, ...]:
    """Return the media of an entry, each once and in its best version.

    Attachments come first. Thumbnails become the preview of a film or sound, and a picture only where there is no
    other. Films and sounds of the text follow, and the first picture of the text if there is no still image so far.
    """
    attached, stills = _attached(entry.media, base)
    thumbnail = max(stills, key=_rank, default=None)
    if thumbnail is not None:
        _place_thumbnail(attached, thumbnail)
    picture = None
    if not any(_still(media) for media in attached.values()):
        picture = _first_picture(article.html, entry, base)
    elif thumbnail is not None:
        _enlarge(attached, _first_picture(article.html, entry, base))
    embedded = _embedded(article.media, base)
    before = [media for media, after_picture in embedded if not after_picture]
    if picture is not None and not any(_still(media) for media in before):
        before.append(picture)
    for media in (*before, *(media for media, after_picture in embedded if after_picture)):
        _add(attached, media)
    return tuple(attached.values())[:_MOST_MEDIA]


def _attached(media: Iterable[Media], base: str) -> tuple[dict[str, Media], list[Media]]:
    """Return the attachments by file, and the thumbnails, with absolute addresses."""
    attached: dict[str, Media] = {}
    stills: list[Media] = []
    for each in media:
        placed = _placed(each, base)
        if placed is None or (placed.type in {"image", "thumbnail"} and _is_no_picture(placed)):
            continue
        if placed.type == "thumbnail":
            stills.append(replace(placed, type="image"))
        else:
            _add(attached, placed)
    return attached, stills


def _placed(media: Media, base: str) -> Media | None:
    url = canonical_url(media.url, base)
    if url is None:
        return None
    preview = canonical_url(media.preview, base) if media.preview else None
    same = url == media.url and preview == media.preview
    return media if same else replace(media, url=url, preview=preview)


def _is_no_picture(media: Media) -> bool:
    tiny = bool(media.width and media.height and max(media.width, media.height) <= _TINY)
    return tiny or is_decoration(media.url)


def _add(found: dict[str, Media], media: Media) -> None:
    """Add a medium, or merge it with another version of the same file."""
    key = _key(media)
    found[key] = _merged(found[key], media) if key in found else media


def _key(media: Media) -> str:
    """Return what the addresses of a file in several sizes have in common."""
    if media.type == "image":
        return f"image {picture_key(media.url)}"
    address = media.url.partition("://")[2]
    if media.type in {"audio", "video"}:
        address = _COUNTED.sub("", address)
    return _QUALITY.sub("", address) if media.type == "video" else address


def _merged(first: Media, second: Media) -> Media:
    """Return the better version with the details of both."""
    if first.url == second.url or first.type in {"audio", "file"}:
        names: Iterable[str] = Media.__slots__
    else:
        names = ("alt", "duration", "preview")  # the size is of another version
        if _rank(second) > _rank(first):
            first, second = second, first
    return replace(first, **{name: getattr(second, name) for name in names if getattr(first, name) is None})


def _rank(media: Media) -> float:
    if media.type == "video":
        quality = re.search(r"(\d{3,4})p(?=[-_.])", media.url)
        return sensible(media.height or (int(quality[1]) if quality else 0))
    return sensible(media.width or width_in(media.url) or _USUAL_WIDTH)


def _still(media: Media) -> bool:
    return media.type == "image" or media.preview is not None


def _place_thumbnail(attached: dict[str, Media], thumbnail: Media) -> None:
    """Make a thumbnail the preview of the first film or sound, or a picture if there is no still image."""
    played = [key for kind in ("video", "audio") for key, media in attached.items() if media.type == kind]
    if played and attached[played[0]].preview is None:
        attached[played[0]] = replace(attached[played[0]], preview=thumbnail.url)
    elif not any(_still(media) for media in attached.values()):
        _add(attached, thumbnail)


def _enlarge(attached: dict[str, Media], picture: Media | None) -> None:
    """Replace a thumbnail by the larger version of it in the text."""
    if picture is not None and _key(picture) in attached:
        _add(attached, picture)


def _embedded(media: Iterable[EmbeddedMedia], base: str) -> list[tuple[Media, bool]]:
    """Return the films and sounds of the text, and whether a picture is before each of them."""
    found = []
    for each in media:
        placed = _placed(
            Media(
                each.kind,
                each.address,
                alt=each.alt,
                mime=each.mime,
                width=whole(each.width),
                height=whole(each.height),
                preview=each.preview,
            ),
            base,
        )
        if placed is not None:
            found.append((placed, each.after_picture))
    return found


def _first_picture(html: str, entry: Entry, base: str) -> Media | None:
    """Return the first picture of the text that may represent the entry, or else the entry's own."""
    for found in _IMAGE.finditer(html):
        values = {name: entities.unescape(value) for name, value in _ATTRIBUTE.findall(found[1])}
        url = canonical_url(values.get("src", ""))
        width, height = whole(values.get("width")), whole(values.get("height"))
        if url and not is_decoration(url) and min(width or _SMALLEST, height or _SMALLEST) >= _SMALLEST:
            return Media("image", url, alt=values.get("alt") or None, width=width, height=height)
    url = canonical_url(entry.image, base) if entry.image else None
    return Media("image", url) if url and not is_decoration(url) else None
