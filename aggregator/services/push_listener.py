"""Receive pushed events of a network: withdraw deleted posts at once, and store new ones.

One process at a time listens, under a claim in the database, and another one takes over when it dies. A network that
keeps its events sends those again that came meanwhile. Of others, events may be missed; polls and takedown checks find
them later, as without a listener.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.errors import AggregatorError, RefusedError, SourceError, StoreUnavailableError
from aggregator.domain.polling.pushes import stream_names
from aggregator.services.announced_lookups import AnnouncedLookups
from aggregator.services.event_batches import EventBatches
from aggregator.services.push_events import PushEvents
from aggregator.services.push_storage import PushStorage
from aggregator.source_api.push import AnnouncedPostSource, Followed

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.services.runtime import Runtime
    from aggregator.source_api.kind import PollContext
    from aggregator.source_api.push import PushSource
    from storage.store import Transaction

CLAIMED = timedelta(seconds=30)
MARGIN = timedelta(seconds=10)  # of events that are sent again, since clocks of a network's servers differ
_EXTEND_EVERY = 8.0  # seconds
_CLAIM_AGAIN = 5.0  # seconds between attempts while another process listens
_LOOK_EVERY = 1.0  # seconds: a flood of events costs no more queries
_SUBSCRIBE_EVERY = 300.0  # seconds; a change of the followed accounts is applied within a second
_CHECK_REMOVED_EVERY = 3600.0  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0  # seconds after a broken connection
_REFUSED_PAUSE = 3600.0  # seconds after a refusal
_STEADY = 3.0  # seconds after which a connection counts as a success

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Claim:
    until: datetime
    extended: float  # monotonic
    subscribed: float = float("-inf")  # monotonic
    looked: float = float("-inf")  # monotonic: when the followed accounts were last read
    checked: float = float("-inf")  # monotonic: when removed accounts were last checked
    is_open: bool = False  # the connection
    mark: int = -1  # of the sources that were read
    sources: dict[str, list[int]] = field(default_factory=dict)  # of the followed accounts
    followed: Followed = field(default_factory=Followed)


class PushListener:
    """Listens to one network until it is cancelled."""

    def __init__(self, runtime: Runtime, kind: PushSource) -> None:
        self._runtime = runtime
        self._kind = kind
        self._storage = PushStorage(runtime.store)
        self._lookups = AnnouncedLookups(runtime, kind) if isinstance(kind, AnnouncedPostSource) else None
        self.network = kind.network
        self._names = stream_names(kind.network)
        self.claim_name = self._names.claim

    async def run(self) -> None:
        """Listen, and connect again after each failure, with growing pauses."""
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                listened = await self._listen_if_free()
                wait = _FIRST_PAUSE if listened else _CLAIM_AGAIN
            except AggregatorError as error:
                log.warning("push connection failed", network=self.network, reason=str(error))
                pause = _FIRST_PAUSE if time.monotonic() - began > _STEADY else min(2 * pause, _LONGEST_PAUSE)
                wait = self._wait_after(error, pause)
            except Exception:  # a bug ends no process that also serves and polls
                log.exception("push listener failed", network=self.network)
                pause = wait = min(2 * pause, _LONGEST_PAUSE)
            await asyncio.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311 - no secret: all must not come at once

    def _wait_after(self, error: AggregatorError, pause: float) -> float:
        if isinstance(error, SourceError) and error.until is not None:
            return max((error.until - self._runtime.clock()).total_seconds(), pause)
        return _REFUSED_PAUSE if isinstance(error, RefusedError) else pause

    async def _listen_if_free(self) -> bool:
        """Listen until the connection ends; return False if another process listens.

        Raises:
            SourceError, StoreUnavailableError: the network or the database failed.
        """
        now = self._runtime.clock()
        claim = _Claim(now + CLAIMED, time.monotonic())
        if not await self._storage.write(lambda tx: tx.compliance.claim(self.claim_name, now, claim.until)):
            return False
        try:
            await self._listen(claim)
        finally:
            await asyncio.shield(self._storage.write(lambda tx: self._release(tx, claim)))
        return True

    def _release(self, tx: Transaction, claim: _Claim) -> None:
        if tx.compliance.claimed_until(self.claim_name) == claim.until:  # else another process listens already
            tx.polling.pushes.forget_times([self._names.opened])
            tx.compliance.release(self.claim_name, claim.until)

    async def _listen(self, claim: _Claim) -> None:
        context = await self._runtime.context()
        opened = self._runtime.clock()
        effects = PushEvents(self._runtime, self._kind, opened, self._lookups)
        await self._subscribe(claim, context, effects)
        since = await self._since(opened)
        try:
            async with (
                self._lookups.running(context) if self._lookups is not None else nullcontext(),
                EventBatches(self._kind.listen(context, claim.followed, since)) as batches,
            ):
                while (events := await batches.take(_LOOK_EVERY)) is not None:
                    if events and not claim.is_open:
                        claim.is_open = True
                        await self._open(claim, effects, since)
                    await effects.apply(events)
                    if time.monotonic() - claim.extended > _EXTEND_EVERY and not await self._extend(claim):
                        log.warning("push claim lost", network=self.network)
                        return
                    await self._look(claim, context, effects)
        finally:
            with suppress(StoreUnavailableError):  # then the events are sent again
                await asyncio.shield(effects.store_position())

    async def _since(self, now: datetime) -> datetime | None:
        """Return the time after which events are to be sent again; None: without such a time, or too long ago."""
        kept = self._kind.push_terms.replay
        if kept is None:
            return None
        times = await self._storage.read(lambda tx: tx.polling.pushes.times([self._names.position]))
        position = times.get(self._names.position)
        since = None if position is None else min(position, now) - MARGIN
        return None if since is None or since < now - kept else since

    async def _open(self, claim: _Claim, effects: PushEvents, since: datetime | None) -> None:
        """Note that the connection is open, and request polls for posts that no event may announce any more."""
        log.info("push connection open", network=self.network, accounts=len(claim.sources), since=since)
        now = self._runtime.clock()
        times = {self._names.opened: now, self._names.alive: now}
        await self._storage.write(lambda tx: tx.polling.pushes.put_times(times))
        if since is None:
            await effects.announce_all(claim.sources)
            if self._kind.push_terms.replay is not None:  # so that the next connection continues from here
                await self._storage.write(lambda tx: tx.polling.pushes.put_times({self._names.position: now}))

    async def _look(self, claim: _Claim, context: PollContext, effects: PushEvents) -> None:
        if time.monotonic() - claim.looked < _LOOK_EVERY:
            return
        await effects.look()
        before = frozenset(claim.sources)
        await self._subscribe(claim, context, effects)
        added = claim.sources.keys() - before
        if added and claim.is_open and self._kind.push_terms.replay is not None:
            await effects.announce_all(added)  # for posts since they were first polled
        if claim.is_open and time.monotonic() - claim.checked > _CHECK_REMOVED_EVERY:
            claim.checked = time.monotonic()
            await effects.check_removed(context)

    async def _subscribe(self, claim: _Claim, context: PollContext, effects: PushEvents) -> None:
        """Subscribe to the followed accounts when they change, and now and then."""
        claim.looked = time.monotonic()
        mark = await self._storage.read(lambda tx: tx.polling.pushes.mark())
        recently = time.monotonic() - claim.subscribed < _SUBSCRIBE_EVERY
        if recently and claim.mark == mark:
            return
        sources = await self._storage.read(lambda tx: tx.polling.pushes.followed(self._kind.name))
        is_same = sources.keys() == claim.sources.keys()
        claim.mark, claim.sources = mark, sources
        effects.follow(sources)
        if not is_same:
            claim.followed.accounts = tuple(sources)
        if recently and is_same:
            return
        is_complete = await self._kind.subscribe(list(sources), context)
        claim.subscribed = time.monotonic() if is_complete else float("-inf")

    async def _extend(self, claim: _Claim) -> bool:
        now = self._runtime.clock()
        until = now + CLAIMED

        def extend(tx: Transaction) -> bool:
            if claim.is_open:
                tx.polling.pushes.put_times({self._names.alive: now})
            return tx.compliance.renew(self.claim_name, claim.until, until)

        if not await self._storage.write(extend):
            return False
        claim.until, claim.extended = until, time.monotonic()
        return True
