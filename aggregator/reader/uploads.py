"""Serve the pictures that editors upload for their own posts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aggregator.domain.errors import NotFoundError
from aggregator.domain.own_posts import PICTURE_NAME, PICTURE_PATH
from aggregator.web.cache_control import THUMBNAIL
from aggregator.web.image_scaling import MEDIA_TYPE
from aggregator.web.responses import answer

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.web.database_threads import DatabaseThreads
    from storage.store import Store

_NAME = re.compile(PICTURE_NAME)


class Uploads:
    """The route for uploaded pictures; only those of shown items are served."""

    def __init__(self, store: Store, threads: DatabaseThreads) -> None:
        self._store = store
        self._threads = threads

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.router.add_route(f"{PICTURE_PATH}{{name}}", self.picture, include_in_schema=False)

    async def picture(self, request: Request) -> Response:
        """Return a picture."""
        name = request.path_params["name"]
        body = await self._threads.run(self._read, name) if _NAME.fullmatch(name) else None
        if body is None:
            raise NotFoundError("There is no such picture.")
        return answer(request, body, MEDIA_TYPE, cache=THUMBNAIL)

    def _read(self, name: str) -> bytes | None:
        with self._store.reading() as tx:
            return tx.stream.uploads.get(name)
