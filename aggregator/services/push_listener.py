"""Receive pushed events of a network: withdraw deleted posts at once, and poll accounts that have new ones.

One process at a time listens, under a claim in the database, and another one takes over when it dies. Events may be
missed while no process listens; polls and takedown checks find them later, as without a listener.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.domain.compliance.takedowns import Fate, Takedown
from aggregator.domain.errors import AggregatorError, RefusedError, SourceError, StoreUnavailableError
from aggregator.domain.networks import network_of
from aggregator.services.takedowns import withdraw_posts
from aggregator.source_api.push import AccountChanged, PostDeleted, PushSource
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from aggregator.services.runtime import Runtime
    from aggregator.source_api.kind import PollContext
    from aggregator.source_api.push import PushEvent
    from storage.store import Transaction

CLAIMED = timedelta(seconds=90)
_EXTEND_EVERY = 20.0  # seconds
_CLAIM_AGAIN = 15.0  # seconds between attempts while another process listens
_LOOK_EVERY = 1.0  # seconds: a flood of events costs no more queries
_SUBSCRIBE_EVERY = 300.0  # seconds; a change of the followed accounts is applied at the next sign of life
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0  # seconds after a broken connection
_APPLY_AGAIN = 1.0  # seconds
_REFUSED_PAUSE = 3600.0  # seconds after a refusal
_STEADY = 60.0  # seconds after which a connection counts as a success

log = structlog.get_logger(__name__)


def push_sources() -> list[PushSource]:
    """Return the kinds of source whose network can push events."""
    return [kind for kind in kinds().values() if isinstance(kind, PushSource)]


def claim_of(network: str) -> str:
    """Return the name under which a network's listener is claimed."""
    return f"push:{network}"


@dataclass(slots=True)
class _Claim:
    until: datetime
    extended: float  # monotonic
    subscribed: float = float("-inf")  # monotonic
    accounts: frozenset[str] = frozenset()
    looked: float = float("-inf")  # monotonic: when the followed accounts were last read


class PushListener:
    """Listens to one network until it is cancelled."""

    def __init__(self, runtime: Runtime, kind: PushSource) -> None:
        self._runtime = runtime
        self._kind = kind
        self.network = kind.network
        self.claim_name = claim_of(kind.network)

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
            await asyncio.sleep(wait)

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
        if not await self._write(lambda tx: tx.compliance.claim(self.claim_name, now, claim.until)):
            return False
        try:
            await self._listen(claim)
        finally:
            await asyncio.shield(self._write(lambda tx: tx.compliance.release(self.claim_name, claim.until)))
        return True

    async def _listen(self, claim: _Claim) -> None:
        context = await self._runtime.context()
        await self._subscribe(claim, context)
        async with aclosing(self._kind.listen(context)) as events:
            is_open = False
            async for event in events:
                if not is_open:
                    is_open = True
                    log.info("push connection open", network=self.network, accounts=len(claim.accounts))
                    await self._poll(claim.accounts)  # for posts published while no process listened
                if event is not None:
                    await self._apply(event)
                if time.monotonic() - claim.extended > _EXTEND_EVERY and not await self._extend(claim):
                    log.warning("push claim lost", network=self.network)
                    return
                await self._subscribe(claim, context)

    async def _subscribe(self, claim: _Claim, context: PollContext) -> None:
        """Subscribe to the followed accounts when they change, and now and then; look at most once a second."""
        if time.monotonic() - claim.looked < _LOOK_EVERY:
            return
        claim.looked = time.monotonic()
        accounts = await self._read(lambda tx: tx.polling.sources.accounts(self._kind.name))
        recently = time.monotonic() - claim.subscribed < _SUBSCRIBE_EVERY
        if recently and claim.accounts == frozenset(accounts):
            return
        claim.accounts = frozenset(accounts)
        is_complete = await self._kind.subscribe(accounts, context)
        claim.subscribed = time.monotonic() if is_complete else float("-inf")

    async def _extend(self, claim: _Claim) -> bool:
        until = self._runtime.clock() + CLAIMED
        if not await self._write(lambda tx: tx.compliance.renew(self.claim_name, claim.until, until)):
            return False
        claim.until, claim.extended = until, time.monotonic()
        return True

    async def _apply(self, event: PushEvent) -> None:
        """Apply an event; a deletion waits for a database that is away, since it is not sent again."""
        if isinstance(event, PostDeleted):
            noticed = self._runtime.clock()
            while True:
                try:
                    await self._write(partial(self._withdraw, event=event, noticed=noticed), lock_stream=True)
                except StoreUnavailableError as error:
                    log.warning("pushed deletion waits for the database", reason=str(error))
                    await asyncio.sleep(_APPLY_AGAIN)
                else:
                    return
        elif isinstance(event, AccountChanged):
            await self._poll([event.native_id])

    def _withdraw(self, tx: Transaction, event: PostDeleted, noticed: datetime) -> None:
        """Withdraw a deleted post, also one that no poll has stored yet."""
        network = self.network
        keys = {f"{network}:{event.native_id}", *tx.compliance.keys_by(network, event.author, event.native_id)}
        reason = f"deleted on {network_of(network).label}"
        takedowns = [Takedown(key, Fate.DELETED, reason, event.at) for key in sorted(keys)]
        removals = withdraw_posts(tx, takedowns, "pushed", noticed, self._runtime.clock())
        log.info("pushed deletion applied", network=network, activities=sum(each.activities for each in removals))

    async def _poll(self, accounts: Collection[str]) -> None:
        """Make the sources of these accounts due."""
        now = self._runtime.clock()

        def ask(tx: Transaction) -> None:
            following = tx.polling.sources.following(self._kind.name, accounts)
            well = [source.id for source in following if not source.poll.failures]  # the others back off
            tx.polling.schedule.ask(well, now, "something new was pushed")

        await self._write(ask, lock_stream=True)

    async def _read(self, ask: Callable[[Transaction], Any]) -> Any:  # noqa: ANN401  # any result
        def read() -> Any:  # noqa: ANN401
            with self._runtime.store.reading() as tx:
                return ask(tx)

        return await in_database_thread(read)

    async def _write(self, work: Callable[[Transaction], Any], *, lock_stream: bool = False) -> Any:  # noqa: ANN401
        def write() -> Any:  # noqa: ANN401
            with self._runtime.store.writing(lock_stream=lock_stream) as tx:
                return work(tx)

        return await in_database_thread(write)
