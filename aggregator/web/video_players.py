"""Determine how to play a video within a page on a click."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from aggregator.web.addresses import web_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.activity import Content

# Hosts that pages may frame, as listed in the security policy.
FRAMES = ("https://www.youtube-nocookie.com", "https://player.vimeo.com")
_FILES = frozenset({"video/mp4", "video/webm", "video/ogg"})
_ID = r"([A-Za-z0-9_-]{6,64})"
_YOUTUBE = re.compile(
    rf"https?://(?:(?:www|m)\.)?(?:youtube(?:-nocookie)?\.com/(?:watch\?(?:[^#]*&)?v=|embed/|shorts/|v/)|youtu\.be/){_ID}"
    r"(?:[?&#/].*)?"
)
_VIMEO = re.compile(r"https?://(?:www\.|player\.)?vimeo\.com/(?:video/)?([0-9]{4,20})(?:[?#/].*)?")


class Player(NamedTuple):
    """The location of a video: a frame or a file."""

    page: str  # the link without scripts
    frame: str | None  # address of the frame; None: the browser plays the file at `page`


def player(content: Content) -> Player | None:
    """Return the player for a video, or None if it can only be watched on its own page."""
    for address in _addresses(content):
        youtube = _YOUTUBE.fullmatch(address)
        if youtube:
            return Player(address, f"{FRAMES[0]}/embed/{youtube[1]}?autoplay=1")
        vimeo = _VIMEO.fullmatch(address)
        if vimeo:
            return Player(address, f"{FRAMES[1]}/video/{vimeo[1]}?autoplay=1&dnt=1")
    files = (media.url for media in content.media if media.type == "video" and (media.mime or "") in _FILES)
    for address in files:
        if web_address(address):
            return Player(address, None)
    return None


def _addresses(content: Content) -> Iterator[str]:
    if content.url:
        yield content.url
    for media in content.media:
        if media.type == "video":
            yield media.url
