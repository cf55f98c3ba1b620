"""Refresh profiles: names and avatars of authors, requested by id in large batches.

Posts identify their author by id, and often by handle. The rest of the profile is requested when an author first
appears, and again while the stream shows the author: weekly for accounts that are followed, else every four weeks.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.errors import SourceError
from aggregator.domain.source import Place
from aggregator.services.api_refusals import follow_settings
from aggregator.services.usage_reports import read_usage
from aggregator.source_api.kind import ProfileSource
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aggregator.domain.activity import Actor
    from aggregator.domain.source import Source
    from aggregator.services.runtime import Runtime
    from aggregator.source_api.kind import PollContext, SourceKind
    from storage.store import Store

CLAIMED = timedelta(minutes=10)  # a claim on a profile; no other worker requests it meanwhile
SHOWN = timedelta(days=30)  # authors not shown for longer are not refreshed

log = structlog.get_logger(__name__)


async def refresh_profiles(runtime: Runtime) -> None:
    """Refresh the profiles of authors for every kind of source that reports them."""
    context = await runtime.context()
    for kind in kinds().values():
        await ProfileRefresher(runtime.store, kind, context).ask()


class ProfileUpkeep:
    """Refreshes profiles, reads the services' own usage counts, and notices new credentials in the settings.

    It runs where the credentials are, unlike the dispatcher.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def run(self) -> None:
        """Refresh new and outdated profiles."""
        self._runtime.run(self._refresh())

    async def _refresh(self) -> None:
        context = await self._runtime.context()
        for kind in kinds().values():
            await follow_settings(self._runtime.store, kind, context)
        await refresh_profiles(self._runtime)
        for kind in kinds().values():
            await read_usage(self._runtime.store, kind, context)


class ProfileRefresher:
    """The profiles of one kind of source; does nothing if its network has none."""

    def __init__(self, store: Store, kind: SourceKind, context: PollContext) -> None:
        self._store = store
        self._name = kind.name
        self._kind = kind if isinstance(kind, ProfileSource) else None
        self._context = context

    async def ask(self) -> int:
        """Request profiles that are missing or outdated; return how many were found."""
        if self._kind is None:
            return 0
        answered = 0
        while ids := await in_database_thread(self._claim, self._kind):
            try:
                found = await self._kind.people(ids, self._context)
                renamed = await self._renamed(self._kind, found)
            except SourceError as problem:  # the claim expires, then they are requested again
                log.info("profiles not refreshed", network=self._kind.network, reason=str(problem))
                break
            await in_database_thread(self._store_profiles, self._kind, ids, found, renamed)
            answered += len(found)
            if len(ids) < self._kind.most_people:
                break
        return answered

    def _claim(self, kind: ProfileSource) -> list[str]:
        now = self._context.clock()
        with self._store.writing(lock_stream=False) as tx:
            return tx.stream.actors.claim_profiles(
                kind.network, now, shown_since=now - SHOWN, most=kind.most_people, again=CLAIMED
            )

    async def _renamed(self, kind: ProfileSource, found: Sequence[Actor]) -> list[tuple[Source, Actor, str]]:
        """Return sources whose account has a new handle, with a note on the old handle."""
        by_id = {account.native_id: account for account in found}
        followed = [
            (source, by_id.get(str(source.options.get("user_id")))) for source in await self._following(by_id.keys())
        ]
        renamed = []
        for source, account in followed:
            former = source.address.rpartition("@")[2]  # of "@name" or "mentions:@name"
            if account is None or account.handle is None or former == source.address:
                continue
            if former.casefold() != account.handle.casefold():
                owner = await kind.owner(former, self._context)
                taken = f"; @{former} belongs to another account now, which is not followed" if owner else ""
                renamed.append((source, account, f"its owner renamed it{taken}"))
        return renamed

    async def _following(self, user_ids: Collection[str]) -> list[Source]:
        def read() -> list[Source]:
            with self._store.reading() as tx:
                return tx.polling.sources.following(self._name, user_ids)

        return await in_database_thread(read)

    def _store_profiles(
        self,
        kind: ProfileSource,
        user_ids: Sequence[str],
        found: Sequence[Actor],
        renamed: Sequence[tuple[Source, Actor, str]],
    ) -> None:
        now = self._context.clock()
        with self._store.writing() as tx:
            sources = tx.polling.sources.following(self._name, user_ids)
            followed = {str(source.options.get("user_id")) for source in sources}
            ours = [id_ for id_ in user_ids if id_ in followed]
            others = [id_ for id_ in user_ids if id_ not in followed]
            tx.stream.actors.refreshed(found)
            tx.stream.actors.refresh_after(kind.network, ours, now + kind.people_kept)
            tx.stream.actors.refresh_after(kind.network, others, now + kind.others_kept)
            for source, account, reason in renamed:
                place = Place(f"{source.address.rpartition('@')[0]}@{account.handle}", source.own_host)
                if tx.polling.sources.move(source, place, reason, now, who="system"):
                    log.info("account renamed", source=source.slug, address=place.address)
