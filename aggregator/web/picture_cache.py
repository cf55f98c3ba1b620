"""Fetch, scale and cache pictures of items within limits of memory, time and concurrent work.

Pictures are kept in memory only, by the item or account that names them: nothing of a publisher is written to a disk or
a backup, and a picture is dropped as soon as its item changes. Absent pictures are remembered for a shorter time.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import structlog

from aggregator.domain.errors import AggregatorError
from aggregator.domain.own_posts import PICTURE_NAME, PICTURE_PATH
from aggregator.web.image_scaling import scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from storage.store import Store, Transaction

MOST_BYTES = 32 * 2**20  # of all pictures
_OVERHEAD = 500  # approximate bytes of Python objects per picture
_LARGEST = 8 * 2**20  # bytes of a picture before it is scaled
_GOOD_FOR = 24 * 3600.0  # seconds until a picture is fetched again
_ABSENT_FOR = 300.0  # seconds until an absent picture is looked for again
_FETCHING = 8  # concurrent fetches
_DECODING = 2  # concurrent decoders, of up to 80 MB each
_WAITING = 128  # pictures that are fetched or wait for it; more are absent for now
_PATIENCE = 8.0  # seconds that a request waits for a picture
_MOST_CHANGED = 1000  # changed items per check; after more changes, all pictures are dropped

_UPLOAD = re.compile(rf"item:(\d+) .*{PICTURE_PATH}({PICTURE_NAME})")

_log = structlog.get_logger(__name__)


class PictureKey(NamedTuple):
    """A picture, with the item or account that names it."""

    owner: str  # "item:12" or "actor:x:1001"
    address: str
    pixels: int  # of its longer side


class _Kept(NamedTuple):
    body: bytes | None
    until: float  # monotonic

    @property
    def size(self) -> int:
        return len(self.body or b"") + _OVERHEAD


class PictureCache:
    """Caches pictures; `get` is called on the server's event loop, everything else from any thread."""

    def __init__(self, fetch: Callable[[str], bytes], store: Store | None = None) -> None:
        """Start with an empty cache.

        Args:
            fetch: downloads a URL; raises an `AggregatorError` on failure.
            store: has the pictures that editors uploaded, which are not fetched.
        """
        self._fetch, self._store = fetch, store
        self._lock = threading.Lock()
        self._kept: OrderedDict[PictureKey, _Kept] = OrderedDict()
        self._size = 0
        self._revision: int | None = None
        self._running: dict[PictureKey, asyncio.Future[bytes | None]] = {}
        self._dropped: set[PictureKey] = set()  # of those running: their owner changed meanwhile
        self._pool = ThreadPoolExecutor(_FETCHING, thread_name_prefix="pictures")
        self._decoding = threading.BoundedSemaphore(_DECODING)

    async def get(self, key: PictureKey) -> bytes | None:
        """Return a picture, or None if there is none or not in time; a fetch goes on for later requests."""
        kept = self._current(key)
        if kept is not None:
            return kept.body
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= _WAITING:
                return None
            running = asyncio.get_running_loop().run_in_executor(self._pool, self._made, key)
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        await asyncio.wait({running}, timeout=_PATIENCE)
        return running.result() if running.done() and not running.cancelled() else None

    def follow(self, tx: Transaction) -> None:
        """Drop the pictures of items and accounts that changed since the last call: removed, hidden or edited."""
        revision = tx.stream.state.revision()
        if self._revision is not None and revision != self._revision:
            owners = tx.stream.pictures.changed(self._revision, _MOST_CHANGED)
            self._drop(owners if revision > self._revision else None)
        self._revision = revision

    def close(self) -> None:
        """Drop fetches that have not started."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _current(self, key: PictureKey) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.until < time.monotonic():
                return None
            self._kept.move_to_end(key)
            return kept

    def _made(self, key: PictureKey) -> bytes | None:
        body = self._scaled(key)
        until = time.monotonic() + (_GOOD_FOR if body else _ABSENT_FOR)
        with self._lock:
            if key in self._dropped:
                self._dropped.discard(key)
            else:
                self._keep(key, _Kept(body, until))
        return body

    def _scaled(self, key: PictureKey) -> bytes | None:
        try:
            body = self._uploaded(key) or self._fetch(key.address)
        except AggregatorError as problem:
            _log.info("picture not fetched", reason=str(problem))
            return None
        if len(body) > _LARGEST:
            return None
        with self._decoding:
            return scaled(body, key.pixels)

    def _uploaded(self, key: PictureKey) -> bytes | None:
        """Return a picture that editors uploaded for this item. Whether the item is shown was checked before."""
        found = _UPLOAD.fullmatch(f"{key.owner} {key.address}")
        if found is None or self._store is None:
            return None
        with self._store.reading() as tx:
            return tx.stream.uploads.of(int(found[1]), found[2])

    def _keep(self, key: PictureKey, kept: _Kept) -> None:
        """Cache a picture, or its absence; evict the least recently used ones."""
        before = self._kept.pop(key, None)
        self._size += kept.size - (before.size if before else 0)
        self._kept[key] = kept
        while self._size > MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.size

    def _drop(self, owners: Collection[str] | None) -> None:
        """Drop the pictures of some owners; None: all pictures."""
        with self._lock:
            gone = [key for key in self._kept if owners is None or key.owner in owners]
            for key in gone:
                self._size -= self._kept.pop(key).size
            self._dropped |= {key for key in list(self._running) if owners is None or key.owner in owners}
