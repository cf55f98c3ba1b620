"""Serve the pictures of items and accounts from our own address, so that no publisher sees who reads.

Only pictures that a visible item names are served: the address has the hash of the picture's URL, which is looked up in
the item. So this is no open proxy, and a removed item has no pictures at once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from aggregator.domain.errors import NotFoundError
from aggregator.reader.lookup import shown
from aggregator.reader.query_params import Parameter, given
from aggregator.web.addresses import web_address
from aggregator.web.picture_addresses import PictureSize, find_picture
from aggregator.web.picture_cache import PictureKey
from aggregator.web.picture_responses import SIZES_OF_ITEMS, picture_response
from aggregator.web.pictures import lead, still

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.reader.change_watcher import ChangeWatcher, StreamSnapshot
    from aggregator.web.database_threads import DatabaseThreads
    from aggregator.web.pages import Pages
    from aggregator.web.picture_cache import PictureCache
    from storage.store import Store

_LONGEST_ID = 512
_MOST_KNOWN = 10_000  # pictures whose owner was looked up
_AVATAR = tuple(Parameter(name, "", {"type": "string"}, "") for name in ("network", "id", "version"))


class _KnownPictures:
    """The pictures that were looked up, while no item was edited or removed since: as valid as cached pages are."""

    def __init__(self, pulse: ChangeWatcher) -> None:
        self._pulse = pulse
        self._found: OrderedDict[tuple[str, str], tuple[PictureKey, StreamSnapshot]] = OrderedDict()

    def get(self, name: tuple[str, str]) -> PictureKey | None:
        """Return a picture by the item and hash, or the network and account, in its address."""
        found, beat = self._found.get(name), self._pulse.beat
        if found is None or beat is None or not self._pulse.is_watching:
            return None
        key, seen = found
        return key if seen.epoch == beat.epoch and seen.revision >= self._pulse.unaltered_since else None

    def put(self, name: tuple[str, str], key: PictureKey, seen: StreamSnapshot | None) -> None:
        """Remember a picture, which was looked up after the stream was seen."""
        if seen is None:
            return
        self._found[name] = (key, seen)
        self._found.move_to_end(name)
        while len(self._found) > _MOST_KNOWN:
            self._found.popitem(last=False)


class PictureRoutes:
    """The pictures of one store."""

    def __init__(
        self, store: Store, threads: DatabaseThreads, pages: Pages, cache: PictureCache, pulse: ChangeWatcher
    ) -> None:
        self._store = store
        self._threads = threads
        self._pages = pages
        self._cache = cache
        self._pulse = pulse
        self._known = _KnownPictures(pulse)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        for path, endpoint in (
            ("/pictures/{activity_id}/{digest}/{size}", self.picture),
            ("/avatars", self.avatar),
            ("/activities/{activity_id}/still", self.still),
        ):
            app.router.add_route(path, endpoint, include_in_schema=False)

    async def picture(self, request: Request) -> Response:
        """Return a picture of an item."""
        path = request.path_params
        if path["size"] not in SIZES_OF_ITEMS:
            raise NotFoundError("There is no picture of this size.")
        name, seen = (path["activity_id"], path["digest"]), self._pulse.sure
        key = self._known.get(name)
        if key is None:
            item = await self._threads.run(shown, self._store, path["activity_id"])
            address = find_picture(item, path["digest"])
            if address is None:
                raise NotFoundError(f"Activity {item.id} has no such picture.")
            key = PictureKey(f"item:{item.id}", address, 0)
            self._known.put(name, key, seen)
        return await self._answer(request, key, PictureSize(path["size"]))

    async def avatar(self, request: Request) -> Response:
        """Return the picture of an account."""
        values = given(request.scope["query_string"], _AVATAR)
        network, native_id = (values.get(name, [""])[0] for name in ("network", "id"))
        if not native_id.isprintable() or len(native_id) > _LONGEST_ID or not network.isprintable():
            raise NotFoundError("There is no such account.")
        name, seen = (network, native_id), self._pulse.sure
        key = self._known.get(name)
        if key is None:
            address = web_address(await self._threads.run(self._avatar_of, network, native_id))
            if address is None:
                raise NotFoundError("There is no picture of this account.")
            key = PictureKey(f"actor:{network}:{native_id}", address, 0)
            self._known.put(name, key, seen)
        return await self._answer(request, key, PictureSize.AVATAR)

    async def still(self, request: Request) -> Response:
        """Return the thumbnail of a video, at its address of former releases."""
        item = await self._threads.run(shown, self._store, request.path_params["activity_id"])
        media = lead(item.content)
        address = still(media) if media else None
        if address is None:
            raise NotFoundError(f"There is no picture of activity {item.id}.")
        return await self._answer(request, PictureKey(f"item:{item.id}", address, 0), PictureSize.POSTER)

    def _avatar_of(self, network: str, native_id: str) -> str | None:
        with self._store.reading() as tx:
            return tx.stream.pictures.avatar(network, native_id)

    async def _answer(self, request: Request, key: PictureKey, size: PictureSize) -> Response:
        made = await picture_response(request, self._cache, key, size, self._pages.assets)
        made.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # embeds show it on other sites
        return made
