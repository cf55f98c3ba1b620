"""Pictures, sounds and films as feeds attach them: an address, a media type, a size. Pure."""

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

# Every format wants a media type, and publishers often give none. Not `mimetypes`: what that says depends on the host.
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
    """A piece of media that has an address."""

    kind: str  # as `Media.type`
    url: str
    mime: str  # said, told by the address, or else the usual one of its kind
    alt: str | None
    size: int | None  # bytes
    duration: float | None  # seconds
    width: int | None  # pixels
    height: int | None  # pixels
    preview: str | None  # address of a still picture

    @property
    def still(self) -> str | None:
        """Return the address of a picture of it."""
        return self.url if self.kind == "image" else self.preview


def enclosures_of(media: Iterable[Media]) -> list[Enclosure]:
    """Return what can be attached, each address once."""
    found: dict[str, Enclosure] = {}
    for one in media:
        url = address(one.url)
        if url and url not in found:
            found[url] = Enclosure(
                kind=one.type,
                url=url,
                mime=media_type(one.mime) or _told_by(url) or _USUAL.get(one.type, _UNKNOWN),
                alt=one.alt,
                size=_counted(one.bytes),
                duration=one.duration if one.duration and 0 < one.duration < float("inf") else None,
                width=_counted(one.width),
                height=_counted(one.height),
                preview=address(one.preview),
            )
    return list(found.values())


def foremost(enclosures: Sequence[Enclosure]) -> Enclosure | None:
    """Return the one for formats that take a single one: what can be played before what can be seen."""
    played = (one for one in enclosures if one.kind in PLAYED)
    return next(played, enclosures[0] if enclosures else None)


def _told_by(url: str) -> str | None:
    """Return the media type that an address shows: by its ending, or `?format=jpg` as X writes it."""
    parts = urlsplit(url)
    endings = [PurePosixPath(parts.path).suffix.removeprefix("."), *parse_qs(parts.query).get("format", ())]
    return next((_BY_ENDING[ending.lower()] for ending in endings if ending.lower() in _BY_ENDING), None)


def _counted(number: int | None) -> int | None:
    return number if number and number > 0 else None
