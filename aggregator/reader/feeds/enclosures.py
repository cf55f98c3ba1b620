"""Describe media as feed enclosures: URL, media type and size. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from aggregator.reader.feeds.sanitize import address, media_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aggregator.domain.activity import Media

PLAYED = frozenset({"audio", "video", "animation"})

# Every format needs a media type, and publishers often give none. Not `mimetypes`: its result depends on the host.
_BY_ENDING = {
    "avif": "image/avif",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webp": "image/webp",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "ogv": "video/ogg",
    "webm": "video/webm",
    "csv": "text/csv",
    "epub": "application/epub+zip",
    "pdf": "application/pdf",
    "zip": "application/zip",
}
_USUAL = {"image": "image/jpeg", "video": "video/mp4", "animation": "video/mp4", "audio": "audio/mpeg"}
_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A media item with a URL."""

    kind: str  # as `Media.type`
    url: str
    mime: str  # the given one, else guessed from the URL, else the default of its kind
    alt: str | None
    size: int | None  # bytes
    duration: float | None  # seconds
    width: int | None  # pixels
    height: int | None  # pixels
    preview: str | None  # URL of a still image

    @property
    def still(self) -> str | None:
        """Return the URL of a still image."""
        return self.url if self.kind == "image" else self.preview


def enclosures_of(media: Iterable[Media]) -> list[Enclosure]:
    """Return the enclosures with distinct URLs."""
    found: dict[str, Enclosure] = {}
    for medium in media:
        url = address(medium.url)
        if url and url not in found:
            found[url] = Enclosure(
                kind=medium.type,
                url=url,
                mime=media_type(medium.mime) or _type_of_url(url) or _USUAL.get(medium.type, _UNKNOWN),
                alt=medium.alt,
                size=_counted(medium.bytes),
                duration=medium.duration if medium.duration and 0 < medium.duration < float("inf") else None,
                width=_counted(medium.width),
                height=_counted(medium.height),
                preview=address(medium.preview),
            )
    return list(found.values())


def foremost(enclosures: Sequence[Enclosure]) -> Enclosure | None:
    """Return the enclosure for formats that allow only one: playable media first."""
    played = (enclosure for enclosure in enclosures if enclosure.kind in PLAYED)
    return next(played, enclosures[0] if enclosures else None)


def _type_of_url(url: str) -> str | None:
    """Return the media type according to the URL: its suffix, or `?format=jpg` as on X."""
    parts = urlsplit(url)
    endings = [PurePosixPath(parts.path).suffix.removeprefix("."), *parse_qs(parts.query).get("format", ())]
    return next((_BY_ENDING[ending.lower()] for ending in endings if ending.lower() in _BY_ENDING), None)


def _counted(number: int | None) -> int | None:
    return number if number and number > 0 else None
