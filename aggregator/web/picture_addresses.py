"""Define the addresses at which our own server provides the pictures of items. Pure.

An address names an item and the hash of a picture's URL. The server looks the URL up in the item, so that it fetches
nothing but pictures of visible items, and nothing of an item that was removed.
"""

from __future__ import annotations

import hashlib
import html
import re
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aggregator.domain.post_parts import preview_of
from aggregator.web.addresses import web_address
from aggregator.web.pictures import still

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.activity import Activity, Actor, Content

_DIGEST_BYTES = 9
_IMAGE = re.compile(r'<img((?: [a-z]+="[^"]*")*)>')  # the sanitizer's regular output
_SOURCE = re.compile(r' src="([^"]*)"')


class PictureSize(StrEnum):
    """The size in which a picture is provided."""

    AVATAR = "avatar"
    SMALL = "small"  # next to a headline, and in the preview of a link
    LARGE = "large"  # in galleries and texts
    POSTER = "poster"  # of a film, behind the button that plays it

    @property
    def pixels(self) -> int:
        """The longest side: twice the size on pages, for dense screens."""
        return {PictureSize.AVATAR: 96, PictureSize.SMALL: 320}.get(self, 1280)


def picture_digest(address: str) -> str:
    """Return the hash of a picture's URL."""
    return hashlib.blake2b(address.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def picture_path(item_id: int, address: str, size: str) -> str:
    """Return the path of a picture of an item."""
    return f"/pictures/{item_id}/{picture_digest(address)}/{PictureSize(size)}"


def avatar_path(actor: Actor) -> str | None:
    """Return the path of an account's picture; the hash changes with the picture."""
    address = web_address(actor.avatar)
    if address is None:
        return None
    query = {"network": actor.network, "id": actor.native_id, "version": picture_digest(address)}
    return f"/avatars?{urlencode(query)}"


def find_picture(item: Activity, digest: str) -> str | None:
    """Return the URL of an item's picture by its hash."""
    return next((address for address in picture_urls(item) if picture_digest(address) == digest), None)


def picture_urls(item: Activity) -> Iterator[str]:
    """Yield the URLs of all pictures that the pages of an item may show, except avatars."""
    embedded = (item.object, item.object.object if item.object else None)
    for content in (item.content, *(part.content for part in embedded if part)):
        yield from _urls_of(content)


def with_own_pictures(text: str, item_id: int, prefix: str) -> str:
    """Return sanitized HTML whose pictures come from our own server, whose paths have a prefix."""

    def replaced(found: re.Match[str]) -> str:
        source = _SOURCE.search(found[1])
        address = web_address(html.unescape(source[1])) if source else None
        if source is None or address is None:
            return ""
        own = html.escape(prefix + picture_path(item_id, address, PictureSize.LARGE))
        return found[0].replace(source[0], f' src="{own}"', 1)

    return _IMAGE.sub(replaced, text)


def _urls_of(content: Content) -> Iterator[str]:
    for media in content.media:
        if address := still(media):
            yield address
    if (preview := preview_of(content)) and (image := web_address(preview.image)):
        yield image
    for found in _IMAGE.finditer(content.html):
        for source in _SOURCE.finditer(found[1]):
            if address := web_address(html.unescape(source[1])):
                yield address
