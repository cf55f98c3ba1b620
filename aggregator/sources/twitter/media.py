"""Convert X's media objects to attachments. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import Media
from aggregator.sources.twitter.markup import web_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MP4, _HLS = "video/mp4", "application/x-mpegURL"
_TYPES = {"photo": "image", "video": "video", "animated_gif": "animation"}


def pictures_and_films(found: Iterable[Mapping[str, Any]]) -> tuple[Media, ...]:
    """Return attachments for media objects: photos, and films as their best MP4, else as a stream that X plays."""
    return tuple(media for item in found if (media := _media(item)) is not None)


def _media(item: Mapping[str, Any]) -> Media | None:
    type_ = _TYPES.get(str(item.get("type")))
    preview = web_address(item.get("preview_image_url"))
    url, mime = (web_address(item.get("url")), None) if type_ == "image" else _film(item.get("variants") or [])
    if type_ is None or (url is None and preview is None):
        return None
    milliseconds = _number(item.get("duration_ms"))
    alt = item.get("alt_text")
    return Media(
        type=type_ if url else "image",  # a film without any file is still a picture
        url=url or preview or "",
        alt=alt if isinstance(alt, str) and alt else None,
        mime=mime,
        width=_number(item.get("width")),
        height=_number(item.get("height")),
        duration=milliseconds / 1000 if milliseconds is not None else None,
        preview=preview,
    )


def _film(variants: Iterable[object]) -> tuple[str | None, str | None]:
    """Return URL and type of the MP4 with the highest bit rate, else of an HLS stream; animations have a rate of 0."""
    rated = [
        (variant.get("content_type") == _MP4, _number(variant.get("bit_rate")) or 0, url, variant.get("content_type"))
        for variant in variants
        if isinstance(variant, dict)
        and variant.get("content_type") in {_MP4, _HLS}
        and (url := web_address(variant.get("url")))
    ]
    return max(rated, key=lambda film: film[:2])[2:] if rated else (None, None)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
