"""Choose the image for a media item and for an activity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.web.addresses import web_address

if TYPE_CHECKING:
    from aggregator.domain.activity import Content, Media

MOVING = frozenset({"video", "animation"})


def still(media: Media) -> str | None:
    """Return the URL of a still image for a media item, if there is one."""
    return web_address(media.url if media.type == "image" else media.preview)


def crop(media: Media) -> str:
    """Return the classes that keep a picture's focal point in its crop, in steps of a tenth; "": the center."""
    if media.focus is None:
        return ""
    right, up = (min(max(part, -1.0), 1.0) for part in media.focus)
    return f"focus-x{round((right + 1) * 5)} focus-y{round((1 - up) * 5)}"


def lead(content: Content) -> Media | None:
    """Return the first media item with a still image."""
    return next((media for media in content.media if still(media)), None)


def visible(content: Content) -> list[Media]:
    """Return the media for a gallery: images, and videos with at least a URL. Sounds and files are links."""
    return [
        media
        for media in content.media
        if (media.type == "image" and still(media))
        or (media.type in MOVING and (still(media) or web_address(content.url) or web_address(media.url)))
    ]


def attached(content: Content) -> list[Media]:
    """Return media that are only linked: audio and files."""
    return [media for media in content.media if media.type in {"audio", "file"} and web_address(media.url)]
