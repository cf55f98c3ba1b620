"""Which picture stands for a piece of media, and for a whole item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.web.addresses import web_address

if TYPE_CHECKING:
    from aggregator.domain.activity import Content, Media

MOVING = frozenset({"video", "animation"})


def still(media: Media) -> str | None:
    """Return the address of a still picture of it, if there is one that may be shown."""
    return web_address(media.url if media.type == "image" else media.preview)


def lead(content: Content) -> Media | None:
    """Return the first piece of media that has a still picture."""
    return next((media for media in content.media if still(media)), None)


def visible(content: Content) -> list[Media]:
    """Return what a gallery can show: pictures, and films with at least an address to go to."""
    return [
        media
        for media in content.media
        if still(media) or (media.type in MOVING and (web_address(content.url) or web_address(media.url)))
    ]


def attached(content: Content) -> list[Media]:
    """Return what can only be linked to: sounds and files."""
    return [media for media in content.media if media.type in {"audio", "file"} and web_address(media.url)]
