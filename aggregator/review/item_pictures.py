"""Serve the pictures of all items at the desk, also of those that wait or are held, from our own address.

A page of the desk loads nothing from a publisher, who would see who reviews. Nothing but what an item or account names
is fetched, as for readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import NotFoundError
from aggregator.review.context import DeskRoute
from aggregator.review.items import held, id_of
from aggregator.web.addresses import web_address
from aggregator.web.picture_addresses import PictureSize, find_picture
from aggregator.web.picture_cache import PictureKey
from aggregator.web.picture_responses import SIZES_OF_ITEMS, picture_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest

_LONGEST = 512  # characters of an account's id


class ItemPicturePages:
    """The routes for pictures of items and accounts."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/pictures/{item_id}/{digest}/{size}", Role.VIEWER, self.picture)
        yield DeskRoute("GET", "/avatars", Role.VIEWER, self.avatar)

    def picture(self, request: DeskRequest) -> Awaitable[Response]:
        """Return a picture of an item."""
        id_, path = id_of(request), request.http.path_params
        if path["size"] not in SIZES_OF_ITEMS:
            raise NotFoundError("There is no picture of this size.")
        with self._desk.store.reading() as tx:
            address = find_picture(held(tx, id_), path["digest"])
        if address is None:
            raise NotFoundError(f"Item {id_} has no such picture.")
        return self._response(request, PictureKey(f"item:{id_}", address, 0), PictureSize(path["size"]))

    def avatar(self, request: DeskRequest) -> Awaitable[Response]:
        """Return the picture of an account."""
        network, native_id = (request.query.text(name, most=_LONGEST) for name in ("network", "id"))
        with self._desk.store.reading() as tx:
            address = web_address(tx.stream.pictures.avatar(network, native_id, also_hidden=True))
        if address is None:
            raise NotFoundError("There is no picture of this account.")
        return self._response(request, PictureKey(f"actor:{network}:{native_id}", address, 0), PictureSize.AVATAR)

    def _response(self, request: DeskRequest, key: PictureKey, size: PictureSize) -> Awaitable[Response]:
        return picture_response(request.http, self._desk.pictures, key, size, self._desk.pages.assets)
