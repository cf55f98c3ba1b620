"""Apply batches of pushed events: withdraw deleted posts, store new ones, request polls and profiles.

Deletions of a batch take one transaction, at once; requests for polls one a second; and each account that was removed
one. New posts are looked up and stored meanwhile (`AnnouncedLookups`) where the network allows that, else by polls. All
of it may be repeated, since events are sent again after a connection broke.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import structlog

from aggregator.domain.compliance.takedowns import Fate, Takedown
from aggregator.domain.errors import SourceError, StoreUnavailableError
from aggregator.domain.networks import network_of
from aggregator.domain.polling.pushes import stream_names
from aggregator.services.announced_posts import AnnouncedPosts
from aggregator.services.push_storage import PushStorage
from aggregator.services.takedowns import SYSTEM, removal_detail, withdraw_posts
from aggregator.source_api.kind import ProfileSource
from aggregator.source_api.push import (
    AccountChanged,
    AccountRemoved,
    AccountRestored,
    PostDeleted,
    ProfileChanged,
    Reached,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.compliance.removal import Removal
    from aggregator.services.announced_lookups import AnnouncedLookups
    from aggregator.services.runtime import Runtime
    from aggregator.source_api.kind import PollContext
    from aggregator.source_api.push import PushEvent, PushSource
    from storage.store import Transaction

_APPLY_AGAIN = 1.0  # seconds between attempts while the database is away
_POSITION_EVERY = 3.0  # seconds between two writes of the position
_ANNOUNCE_EVERY = 1.0  # seconds between two writes of requested polls, so that deletions don't wait for them
_PROFILE_AFTER = timedelta(seconds=10)  # until the network's API has a new profile
_PROFILE_AGAIN = 300.0  # seconds until a changed profile is requested once more, should the API have been late
_MOST_PROFILES = 10_000  # that wait for that
_HOLD = 60.0  # seconds; the longest time that the state of an account waits for later ones
_QUIET_LOOKS = 2  # without events, after which no later state is expected
_CHECKED_AGAIN = timedelta(hours=1)  # removed accounts whose return was missed
_MOST_CHECKED = 100  # of them at a time

log = structlog.get_logger(__name__)


class _Reached(NamedTuple):
    """A position of the stream; it may be stored when the announced posts before it are."""

    post: int  # the number of the last post before it
    at: datetime


@dataclass(slots=True)
class _Batch:
    """The events of a batch by their effect."""

    deleted: dict[str, PostDeleted] = field(default_factory=dict)  # by native id
    changed: dict[str, None] = field(default_factory=dict)  # accounts
    profiles: dict[str, None] = field(default_factory=dict)  # accounts
    reached: list[_Reached] = field(default_factory=list)  # one of each batch

    def add(self, later: _Batch) -> None:
        """Add what a later batch changed."""
        self.changed |= later.changed
        self.profiles |= later.profiles
        self.reached += later.reached


class PushEvents:
    """The effects of one network's events, while one connection is open.

    Args:
        runtime: the process.
        kind: of the sources.
        opened: when the connection was opened; earlier events are sent again, or were missed.
        lookups: the announced posts that are looked up; None: polls read them.
    """

    def __init__(
        self, runtime: Runtime, kind: PushSource, opened: datetime, lookups: AnnouncedLookups | None = None
    ) -> None:
        self._runtime, self._kind, self._opened = runtime, kind, opened
        self._storage = PushStorage(runtime.store)
        self._names = stream_names(kind.network)
        self._label = network_of(kind.network).label
        self._sources: Mapping[str, Sequence[int]] = {}
        self._announced = AnnouncedPosts()
        self._lookups = lookups
        self._reached: deque[_Reached] = deque()  # whose requests are written
        # Later states of an account outweigh earlier ones: events that are sent again must not remove an account that
        # has returned since.
        self._states: dict[str, AccountRemoved | AccountRestored] = {}
        self._held_since, self._quiet, self._is_live = 0.0, 0, False
        self._waiting = _Batch()  # what changed, until it is written
        self._announced_at = -math.inf  # monotonic
        self._stored = time.monotonic()
        self._profiles_again: dict[str, float] = {}

    def follow(self, sources: Mapping[str, Sequence[int]]) -> None:
        """Set the followed accounts, by native id, with their sources."""
        self._sources = sources
        if self._lookups is not None:
            self._lookups.follow(sources)

    async def apply(self, events: Sequence[PushEvent | None]) -> None:
        """Apply events; while the database is away, wait for it. An event that can't be applied costs no other."""
        while True:
            try:
                await self._apply(events)
            except StoreUnavailableError as problem:
                log.warning("pushed events wait for the database", network=self._kind.network, reason=str(problem))
                await asyncio.sleep(_APPLY_AGAIN)
            except Exception:
                if len(events) <= 1:
                    log.exception("pushed event left out", network=self._kind.network)
                    self._states.clear()  # polls find out, too
                    return
                for event in events:
                    await self.apply([event])
                return
            else:
                return

    async def _apply(self, events: Sequence[PushEvent | None]) -> None:
        batch = self._sorted(events)
        if self._lookups is not None:
            self._lookups.forget(batch.deleted)
            for event in self._lookups.take_missed():
                self._leave_to_poll(event, batch)
        if batch.deleted:
            withdraw = partial(self._withdraw, deleted=batch.deleted.values(), noticed=self._runtime.clock())
            await self._storage.write(withdraw, lock_stream=True)
        self._waiting.add(batch)
        if time.monotonic() - self._announced_at > _ANNOUNCE_EVERY:
            await self._request_polls()
        self._note_progress(events, batch)
        if self._states and self._is_settled():
            await self._apply_states()
        if time.monotonic() - self._stored > _POSITION_EVERY:
            await self.store_position()

    async def _request_polls(self) -> None:
        """Request the polls and profiles that wait; their events are behind the position then."""
        waiting = self._waiting
        if waiting.changed or waiting.profiles:
            await self._storage.write(partial(self._request, waiting=waiting), lock_stream=True)
            self._announced_at = time.monotonic()
        self._reached.extend(waiting.reached)
        self._waiting = _Batch()

    async def look(self) -> None:
        """Request polls and profiles once more whose results are still missing; call it about once a second.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """
        now = time.monotonic()
        if keys := self._announced.due(now):
            network = self._kind.network
            known = await self._storage.read(lambda tx: tx.compliance.known(network, keys))
            if again := self._announced.missing(keys, known, now):
                await self._storage.write(lambda tx: self._announce(tx, again), lock_stream=True)
        due = [account for account, at in self._profiles_again.items() if at <= now]
        if due:
            await self._storage.write(lambda tx: self._mark_profiles(tx, due), lock_stream=True)
            for account in due:
                del self._profiles_again[account]

    async def announce_all(self, accounts: Collection[str]) -> None:
        """Request polls of accounts whose events may have been missed."""
        await self._storage.write(lambda tx: self._announce(tx, accounts), lock_stream=True)

    async def check_removed(self, context: PollContext) -> None:
        """Let accounts publish again that exist, although no event of their return was received."""
        if not isinstance(self._kind, ProfileSource):
            return
        network, before = self._kind.network, self._runtime.clock() - _CHECKED_AGAIN
        ids = await self._storage.read(
            lambda tx: tx.compliance.removed_people(network, self._reasons(), before, _MOST_CHECKED)
        )
        for start in range(0, len(ids), self._kind.most_people):
            try:
                found = await self._kind.people(ids[start : start + self._kind.most_people], context)
            except SourceError as problem:
                log.info("removed accounts not checked", network=network, reason=str(problem))
                return
            await self._restore([person.native_id for person in found])

    async def store_position(self) -> None:
        """Store the position, unless the effects of an event before it are still to come.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """
        if self._states:
            return
        await self._request_polls()
        concluded = self._lookups.concluded if self._lookups is not None else 0
        position = None
        while self._reached and self._reached[0].post <= concluded:
            position = self._reached.popleft().at
        if position is not None:
            await self._storage.write(lambda tx: tx.polling.pushes.put_times({self._names.position: position}))
        self._stored = time.monotonic()

    def _sorted(self, events: Sequence[PushEvent | None]) -> _Batch:
        batch = _Batch()
        for event in events:
            match event:
                case PostDeleted(native_id):
                    batch.deleted[native_id] = event
                case AccountChanged() if self._lookups is None or not self._lookups.add(event):
                    self._leave_to_poll(event, batch)
                case ProfileChanged(account):
                    batch.profiles[account] = None
                    if len(self._profiles_again) < _MOST_PROFILES:
                        self._profiles_again[account] = time.monotonic() + _PROFILE_AGAIN
                case AccountRemoved(account) | AccountRestored(account):
                    self._held_since = self._held_since if self._states else time.monotonic()
                    self._states[account] = event
                case Reached(at):
                    batch.reached = [_Reached(self._lookups.last if self._lookups else 0, at)]
        return batch

    def _leave_to_poll(self, event: AccountChanged, batch: _Batch) -> None:
        batch.changed[event.native_id] = None
        self._announced.add(event.post, event.native_id, time.monotonic())

    def _note_progress(self, events: Sequence[PushEvent | None], batch: _Batch) -> None:
        self._quiet = 0 if events else self._quiet + 1
        self._is_live |= bool(batch.reached) and batch.reached[-1].at >= self._opened

    def _is_settled(self) -> bool:
        """Return whether no later state of an account is expected."""
        replays = self._kind.push_terms.replay is not None
        waited = self._quiet >= _QUIET_LOOKS or time.monotonic() - self._held_since > _HOLD
        return self._is_live or waited or not replays

    def _request(self, tx: Transaction, waiting: _Batch) -> None:
        self._announce(tx, waiting.changed)
        self._mark_profiles(tx, waiting.profiles)

    def _withdraw(self, tx: Transaction, deleted: Collection[PostDeleted], noticed: datetime) -> None:
        """Withdraw deleted posts, also those that no poll has stored yet."""
        network, reason = self._kind.network, f"deleted on {self._label}"
        at = {f"{network}:{event.native_id}": event.at for event in deleted}
        for event in deleted:
            if event.has_versions:
                keys = tx.compliance.keys_by(network, event.author, event.native_id)
                at |= dict.fromkeys(keys, event.at)
        takedowns = [Takedown(key, Fate.DELETED, reason, at[key]) for key in sorted(at)]
        removals = withdraw_posts(tx, takedowns, "pushed", noticed, self._runtime.clock())
        count = sum(removal.activities for removal in removals)
        log.info("pushed deletions applied", network=network, posts=len(at), activities=count)

    def _announce(self, tx: Transaction, accounts: Collection[str]) -> None:
        ids = [source_id for account in accounts for source_id in self._sources.get(account, ())]
        if ids:
            terms = self._kind.push_terms
            tx.polling.pushes.announce(ids, self._runtime.clock(), terms.settling, terms.apart)

    def _mark_profiles(self, tx: Transaction, accounts: Collection[str]) -> None:
        if accounts:
            due = self._runtime.clock() + _PROFILE_AFTER
            tx.stream.actors.refresh_after(self._kind.network, accounts, due)

    # Accounts

    def _reasons(self) -> list[str]:
        return [f"{fate.value} on {self._label}" for fate in (Fate.DELETED, Fate.SUSPENDED, Fate.DEACTIVATED)]

    async def _apply_states(self) -> None:
        for state in list(self._states.values()):
            if isinstance(state, AccountRemoved):
                await self._remove(state)
        await self._restore([account for account, state in self._states.items() if isinstance(state, AccountRestored)])
        self._states.clear()

    async def _remove(self, event: AccountRemoved) -> None:
        """Withdraw an account's content, and store nothing of it until it returns."""
        noticed = self._runtime.clock()
        reason = f"{event.fate.value} on {self._label}"
        takedown = Takedown(f"{self._kind.network}:@{event.native_id}", event.fate, reason, event.at)
        more = True
        while more:
            removal = await self._storage.write(
                partial(self._withdraw_person, takedown=takedown, noticed=noticed), lock_stream=True
            )
            more = removal.more
        log.info("pushed removal of an account applied", network=self._kind.network, account=event.native_id)

    def _withdraw_person(self, tx: Transaction, takedown: Takedown, noticed: datetime) -> Removal:
        now = self._runtime.clock()
        network, _, native_id = takedown.key.partition(":@")
        upstream = takedown.fate.upstream
        removal = tx.compliance.withdraw_person(network, native_id, takedown.reason, now, upstream=upstream)
        if removal.revision is not None:
            detail = removal_detail(takedown, "pushed", noticed, removal)
            tx.moderation.audit.note(now, SYSTEM, "account gone", takedown.key, detail)
        return removal

    async def _restore(self, accounts: Sequence[str]) -> None:
        if not accounts:
            return
        network, reasons = self._kind.network, self._reasons()

        def restore(tx: Transaction) -> set[str]:
            restored = tx.compliance.readmit(network, accounts, reasons)
            self._announce(tx, restored)
            self._mark_profiles(tx, restored)
            return restored

        if restored := await self._storage.write(restore, lock_stream=True):
            log.info("accounts have returned", network=network, accounts=len(restored))
