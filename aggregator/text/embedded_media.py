"""Read `<video>`, `<audio>` and the files of `<object>` and `<embed>`. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from aggregator.text.html_tokens import Scanner
from aggregator.text.pictures import address_in, is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aggregator.text.html_tokens import Tag

_MIME = {
    "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "ogv": "video/ogg", "mov": "video/quicktime",
    "m3u8": "application/vnd.apple.mpegurl", "mpd": "application/dash+xml", "avi": "video/x-msvideo",
    "mkv": "video/x-matroska", "flv": "video/x-flv", "wmv": "video/x-ms-wmv",
    "mp3": "audio/mpeg", "m4a": "audio/mp4", "aac": "audio/aac", "ogg": "audio/ogg", "oga": "audio/ogg",
    "opus": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav", "pdf": "application/pdf",
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp",
    "svg": "image/svg+xml",
}  # fmt: skip
# The lower, the more browsers play it.
_PREFERENCE = {"video/mp4": 0, "audio/mpeg": 0, "audio/mp4": 0, "video/webm": 1, "audio/ogg": 1, "video/ogg": 2}
_SENSIBLE_HEIGHT = 1080
_ADDRESSES = ("src", "data-src", "data-lazy-src", "data-video-src", "data-mp4", "data-original", "data-url")
_POSTERS = ("poster", "data-poster", "data-poster-url", "data-lazy-poster")


class EmbeddedMedia(NamedTuple):
    """A film or sound within HTML. Addresses are as written."""

    kind: str  # "video" or "audio"
    address: str
    mime: str | None = None
    preview: str | None = None  # address of a still image
    alt: str | None = None
    width: str | None = None
    height: str | None = None
    after_picture: bool = False  # the text shows a picture before it


def mime_of(address: str) -> str | None:
    """Return the media type for an address's file extension."""
    try:
        return _MIME.get(urlsplit(address).path.rpartition(".")[2].lower())
    except ValueError:
        return None


def film_of(tag: Tag, html: str, end: int) -> EmbeddedMedia | None:
    """Return the film or sound of a `<video>` or `<audio>`, whose content reaches to `end`."""
    attributes = tag.attributes()
    sources = [attributes, *_sources(html, tag.end, end)]
    usable = [(found, source) for source in sources if (found := _address(source))]
    if not usable:
        return None
    kind = "audio" if tag.name.endswith("audio") else "video"
    address, source = min(usable, key=lambda pair: _rank(*pair))
    poster = _first(attributes, _POSTERS)
    return EmbeddedMedia(
        kind,
        address,
        mime=_mime(source.get("type")) or mime_of(address),
        preview=poster if poster and not is_placeholder(poster) else None,
        alt=attributes.get("title") or attributes.get("aria-label") or None,
        width=attributes.get("width"),
        height=attributes.get("height"),
    )


def poster_of(tag: Tag) -> str | None:
    """Return the address of a film's still image."""
    return _first(tag.attributes(), _POSTERS)


def parameter_in(html: str) -> str:
    """Return the file that the parameters of an object name."""
    scanner = Scanner(html)
    while (tag := scanner.next_tag()) is not None:
        if tag.name == "param":
            attributes = tag.attributes()
            if attributes.get("name", "").lower() in {"movie", "src", "url", "filename", "href"}:
                return attributes.get("value", "")
    return ""


def _sources(html: str, start: int, end: int) -> Iterable[dict[str, str]]:
    scanner = Scanner(html, start, end)
    while (tag := scanner.next_tag()) is not None:
        if tag.name == "source" and not tag.closing:
            yield tag.attributes()


def _address(source: Mapping[str, str]) -> str | None:
    return _first(source, _ADDRESSES)


def _first(attributes: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((found for name in names if (found := address_in(attributes.get(name)))), None)


def _mime(text: str | None) -> str | None:
    kind = (text or "").partition(";")[0].strip().lower()
    return kind if re.fullmatch(r"[a-z]+/[a-z0-9.+-]{1,80}", kind) else None


def _rank(address: str, source: Mapping[str, str]) -> tuple[int, float]:
    """Rank a source: what browsers play first, then the largest sensible size, then the order of the document."""
    mime = _mime(source.get("type")) or mime_of(address) or ""
    size = re.match(r"\d{3,4}", source.get("size") or source.get("res") or source.get("label") or "")
    height = int(size[0]) if size else 0
    fits = height if height <= _SENSIBLE_HEIGHT else _SENSIBLE_HEIGHT * _SENSIBLE_HEIGHT / height
    return _PREFERENCE.get(mime, 3 if mime else 1), -fits
