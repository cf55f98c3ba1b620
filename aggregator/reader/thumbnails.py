"""Serve thumbnails of videos, so that browsers don't contact a video's host before a click.

Only thumbnails of visible items are served; each is fetched once within limits and kept in memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import structlog
from starlette.concurrency import run_in_threadpool

from aggregator.domain.errors import AggregatorError, NotFoundError
from aggregator.reader.lookup import shown
from aggregator.web.cache_control import THUMBNAIL
from aggregator.web.pictures import lead, still
from aggregator.web.responses import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.web.database_threads import DatabaseThreads
    from storage.store import Store

LARGEST = 1_000_000  # bytes of an image
_MOST_BYTES = 32 * 2**20  # of all images
_PATIENCE = 2.0  # seconds to wait for another request's fetch
_AT_ONCE = 4  # concurrent fetches
_KINDS = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))

_log = structlog.get_logger(__name__)


class Picture(NamedTuple):
    """An image, ready to send."""

    body: bytes
    media_type: str


class Thumbnails:
    """Fetches and caches images; called from any thread.

    Args:
        store: returns the images of visible items.
        threads: for the store's queries.
        fetch: downloads a URL; raises an `AggregatorError` on failure.
    """

    def __init__(self, store: Store, threads: DatabaseThreads, fetch: Callable[[str], bytes]) -> None:
        self._store = store
        self._threads = threads
        self._fetch = fetch
        self._kept: OrderedDict[str, Picture | None] = OrderedDict()
        self._held = 0
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._gate = threading.BoundedSemaphore(_AT_ONCE)  # keeps threads free for other requests

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.router.add_route("/activities/{activity_id}/still", self.still, include_in_schema=False)

    async def still(self, request: Request) -> Response:
        """Return the thumbnail of a video."""
        item = await self._threads.run(shown, self._store, request.path_params["activity_id"])
        media = lead(item.content)
        address = still(media) if media else None
        picture = await run_in_threadpool(self._picture, address) if address else None
        if picture is None:
            raise NotFoundError(f"There is no picture of activity {item.id}.")
        return answer(request, picture.body, picture.media_type, cache=THUMBNAIL)

    def _picture(self, address: str) -> Picture | None:
        with self._lock:
            if address in self._kept:
                self._kept.move_to_end(address)
                return self._kept[address]
            lock = self._locks.setdefault(address, threading.Lock())
        if not lock.acquire(timeout=_PATIENCE):  # one fetch for concurrent requests; the page works without the image
            return None
        try:
            with self._lock:
                if address in self._kept:
                    return self._kept[address]
            if not self._gate.acquire(blocking=False):
                return None  # the next request may find a free slot
            try:
                picture = self._fetched(address)
            finally:
                self._gate.release()
            with self._lock:
                self._keep(address, picture)
                self._locks.pop(address, None)
        finally:
            lock.release()
        return picture

    def _fetched(self, address: str) -> Picture | None:
        try:
            body = self._fetch(address)
        except AggregatorError as problem:
            _log.info("no still", reason=str(problem))
            return None
        media_type = _media_type(body) if len(body) <= LARGEST else None
        return Picture(body, media_type) if media_type else None

    def _keep(self, address: str, picture: Picture | None) -> None:
        """Cache an image, or its absence; evict the oldest ones."""
        self._kept[address] = picture
        self._held += len(picture.body) if picture else 0
        while self._held > _MOST_BYTES or len(self._kept) > _MOST_BYTES // 2**14:
            _, oldest = self._kept.popitem(last=False)
            self._held -= len(oldest.body) if oldest else 0


def _media_type(body: bytes) -> str | None:
    """Return the type of an image by its first bytes, regardless of headers; None if it isn't supported."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for magic, media_type in _KINDS if body.startswith(magic)), None)
