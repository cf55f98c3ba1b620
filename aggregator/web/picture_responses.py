"""Respond with a cached picture, or with one of our own in its place: a browser would show an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.web.cache_control import THUMBNAIL
from aggregator.web.image_scaling import MEDIA_TYPE
from aggregator.web.picture_addresses import PictureSize
from aggregator.web.responses import answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.web.assets import Asset
    from aggregator.web.picture_cache import PictureCache, PictureKey

SUBSTITUTES = {
    PictureSize.SMALL: "no-picture.svg",
    PictureSize.LARGE: "no-picture.svg",
    PictureSize.POSTER: "no-poster.svg",
    PictureSize.AVATAR: "no-avatar.svg",
}
SIZES_OF_ITEMS = frozenset(SUBSTITUTES) - {PictureSize.AVATAR}


async def picture_response(
    request: Request, cache: PictureCache, key: PictureKey, size: PictureSize, assets: Mapping[str, Asset]
) -> Response:
    """Return a picture in a size, or its substitute."""
    body = await cache.get(key._replace(pixels=size.pixels))
    if body is None:
        asset = assets[SUBSTITUTES[size]]
        return answer(request, asset.content, asset.media_type, cache=THUMBNAIL)
    return answer(request, body, MEDIA_TYPE, cache=THUMBNAIL)
