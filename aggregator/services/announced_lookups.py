"""Look announced posts up at their network, many at once, and store them without a poll of each account.

A post waits until the network's API has it. One that is not found, or can't be stored, is left to a poll. The events up
to the oldest post that still waits may be received again, so none is lost with the process. Posts wait and are known as
stored over many connections, since a network sends events again after each.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import structlog
from cachetools import LRUCache

from aggregator.domain.errors import (
    PausedError,
    SlowError,
    SourceError,
    StatusError,
    StoreUnavailableError,
    UnreachableError,
)
from aggregator.services.announced_storage import AnnouncedStorage
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.services.runtime import Runtime
    from aggregator.source_api.kind import PollContext
    from aggregator.source_api.push import AccountChanged, AnnouncedPostSource

MOST_WAITING = 50_000  # posts, about 20 MB
MOST_STORED = 20_000  # posts whose events are ignored when they are received again
LOOKS = (0.0, 10.0)  # seconds that a post waits for each look, after the network's settling time or the look before
_AT_ONCE = 2  # batches: one is looked up while another one is stored
_IDLE = 0.2  # seconds between looks for posts that have waited long enough
_AFTER_FAILURE = 5.0  # seconds until a failed request is repeated
_STORE_AGAIN = 1.0  # seconds between attempts while the database is away

log = structlog.get_logger(__name__)


class _Waiting(NamedTuple):
    event: AccountChanged
    due: float  # monotonic
    looks: int = 0


class AnnouncedLookups:
    """The announced posts of a network that are not stored yet.

    Args:
        runtime: the process.
        kind: of the sources.
    """

    def __init__(self, runtime: Runtime, kind: AnnouncedPostSource) -> None:
        self._runtime, self._kind = runtime, kind
        self._storage = AnnouncedStorage(runtime, kind)
        self._sources: Mapping[str, Sequence[int]] = {}
        self._queues: tuple[deque[_Waiting], ...] = tuple(deque() for _ in LOOKS)  # by number of looks, next due first
        self._open: dict[str, int] = {}  # the numbers of posts that are not concluded, in ascending order
        self._stored: LRUCache[str, None] = LRUCache(MOST_STORED)
        self._storing = asyncio.Lock()  # deletions wait for one transaction at most
        self._settling = kind.push_terms.settling.total_seconds()
        self._count = 0
        self._missed: list[AccountChanged] = []

    def follow(self, sources: Mapping[str, Sequence[int]]) -> None:
        """Set the followed accounts, by native id, with their sources."""
        self._sources = sources

    def add(self, event: AccountChanged) -> bool:
        """Remember an announced post; return False if it must be left to a poll."""
        if not event.post or len(self._open) >= MOST_WAITING:
            return False
        if event.post not in self._open and event.post not in self._stored:
            self._count += 1
            self._open[event.post] = self._count
            self._queues[0].append(_Waiting(event, time.monotonic() + self._settling))
        return True

    def forget(self, native_ids: Collection[str]) -> None:
        """Forget posts that were deleted meanwhile."""
        for native_id in native_ids:
            self._open.pop(native_id, None)

    @property
    def last(self) -> int:
        """The number of the last post that was added."""
        return self._count

    @property
    def concluded(self) -> int:
        """The number up to which all posts are stored, or left to polls and taken by `take_missed`."""
        return next(iter(self._open.values()), self._count + 1) - 1

    def take_missed(self) -> list[AccountChanged]:
        """Return the posts that are left to polls since the last call."""
        missed, self._missed = self._missed, []
        self.forget([event.post for event in missed])
        return missed

    @asynccontextmanager
    async def running(self, context: PollContext) -> AsyncIterator[None]:
        """Look up and store posts until the block ends; posts that still wait go on in the next one."""
        tasks = [asyncio.create_task(self._work(context)) for _ in range(_AT_ONCE)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, context: PollContext) -> None:
        while True:
            if batch := self._take_due():
                await self._conclude(batch, context)
            else:
                await asyncio.sleep(_IDLE)

    def _take_due(self) -> list[_Waiting]:
        now = time.monotonic()
        batch: list[_Waiting] = []
        for queue in reversed(self._queues):
            while queue and queue[0].due <= now and len(batch) < self._kind.most_announced:
                waiting = queue.popleft()
                if waiting.event.post in self._open:
                    batch.append(waiting)
        return batch

    async def _conclude(self, batch: Sequence[_Waiting], context: PollContext) -> None:
        """Look up and store posts, so that each is stored, waits again, or is left to a poll."""
        try:
            posts = await self._kind.announced([waiting.event for waiting in batch], context)
            found = {new.native_id: new for new in posts}
            await self._store([(waiting.event.native_id, found.get(waiting.event.post)) for waiting in batch])
        except asyncio.CancelledError:
            self._put_back(batch, time.monotonic())
            raise
        except SourceError as problem:
            self._after_failure(batch, problem)
        except Exception:  # polls handle each account separately
            log.exception("announced posts left to polls", posts=len(batch))
            self._missed += [waiting.event for waiting in batch]
        else:
            for waiting in batch:
                if waiting.event.post in found:
                    self.forget([waiting.event.post])
                    self._stored[waiting.event.post] = None
                else:
                    self._wait_again(waiting)

    def _after_failure(self, batch: Sequence[_Waiting], problem: SourceError) -> None:
        """Keep posts for later after a request that failed for now; leave them to polls if it will fail again."""
        log.info("announced posts not looked up", posts=len(batch), reason=str(problem))
        if not _is_passing(problem):
            self._missed += [waiting.event for waiting in batch]
            return
        pause = (problem.until - self._runtime.clock()).total_seconds() if problem.until is not None else 0.0
        self._put_back(batch, time.monotonic() + max(pause, _AFTER_FAILURE))

    def _put_back(self, batch: Sequence[_Waiting], due: float) -> None:
        for waiting in reversed(batch):  # those behind them wait, too
            self._queues[waiting.looks].appendleft(waiting._replace(due=due))

    def _wait_again(self, waiting: _Waiting) -> None:
        looks = waiting.looks + 1
        if looks == len(LOOKS):
            self._missed.append(waiting.event)
        else:
            self._queues[looks].append(_Waiting(waiting.event, time.monotonic() + LOOKS[looks], looks))

    async def _store(self, posts: Sequence[tuple[str, NewActivity | None]]) -> None:
        """Store posts that were found, in the sources of their accounts; wait for the database while it is away."""
        found = [(source_ids, new) for account, new in posts if new and (source_ids := self._sources.get(account))]
        while found:
            try:
                async with self._storing:
                    await _to_its_end(asyncio.ensure_future(in_database_thread(self._storage.store, found)))
            except StoreUnavailableError as problem:
                log.warning("announced posts wait for the database", posts=len(found), reason=str(problem))
                await asyncio.sleep(_STORE_AGAIN)
            else:
                return


async def _to_its_end(transaction: asyncio.Future[None]) -> None:
    """Wait for a transaction also when canceled, since its connection must not be closed while it runs."""
    try:
        await asyncio.shield(transaction)
    except asyncio.CancelledError:
        await asyncio.gather(transaction, return_exceptions=True)
        raise


def _is_passing(problem: SourceError) -> bool:
    """Return whether the same request may succeed later."""
    return problem.until is not None or isinstance(problem, PausedError | SlowError | StatusError | UnreachableError)
