"""Purge posts, accounts and networks at once and permanently. All operations are idempotent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import Upstream
from aggregator.domain.compliance.removal import Removal
from aggregator.domain.source import SourceFilter, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from aggregator.domain.clock import Clock
    from storage.store import Store, Transaction

OPERATOR = "operator"  # the `who` of audit entries
REASON = "purged by an operator"


@dataclass(slots=True)
class Purged:
    """The result of a purge."""

    key: str
    removal: Removal = field(default_factory=Removal)
    sources: list[str] = field(default_factory=list)  # slugs of sources that are no longer polled


class PurgeService:
    """Purges posts, accounts and whole networks.

    Args:
        store: the database.
        clock: returns the present time.
        kinds: names of the kinds of source, by network.
    """

    def __init__(self, store: Store, clock: Clock, kinds: Mapping[str, Collection[str]]) -> None:
        self._store = store
        self._clock = clock
        self._kinds = kinds

    def post(self, network: str, native_id: str) -> Purged:
        """Purge a post by the id of any version, whether stored or not."""
        key = f"{network}:{native_id}"
        now = self._clock()
        with self._store.writing() as tx:
            keys = sorted({key, *tx.compliance.keys_at(network, native_id)})
            purged = Purged(key)
            for removal in tx.compliance.withdraw(dict.fromkeys(keys, REASON), Upstream.GONE, now).values():
                purged.removal.add(removal)
            if purged.removal.is_new or purged.removal.activities:
                tx.moderation.audit.note(
                    now, OPERATOR, "post purged", key, {**_detail(now, purged.removal), "keys": keys}
                )
        return purged

    def account(self, network: str, native_id: str) -> Purged:
        """Purge all content of an account and stop following it."""
        purged = Purged(f"{network}:@{native_id}")
        reason = f"{purged.key} was {REASON}"
        purged.sources = self._end_sources(network, native_id, SourceState.REMOVED, reason)
        self._until_done(purged, lambda tx, now: tx.compliance.withdraw_person(network, native_id, REASON, now))
        if purged.removal.is_new or purged.removal.activities or purged.sources:
            self._note(purged, "account purged")
        return purged

    def network(self, network: str) -> Purged:
        """Purge a network: its posts, profiles and fetch state."""
        purged = Purged(f"network:{network}")
        purged.sources = self._end_sources(network, None, SourceState.STOPPED, f"everything of {network} was {REASON}")
        self._until_done(purged, lambda tx, now: tx.compliance.withdraw_network(network, REASON, now))
        with self._store.writing() as tx:
            tx.compliance.forget_reading(self._kinds.get(network, ()))
        self._note(purged, "network purged")
        return purged

    def id_of(self, network: str, handle: str) -> str | None:
        """Return the id of the account with a handle (without "@"), if known."""
        with self._store.reading() as tx:
            slugs = [
                slug
                for kind in self._kinds.get(network, ())
                for slug in sorted(tx.polling.sources.slugs_at([f"@{handle}".lower()], kind))
            ]
            source = tx.polling.sources.get(slugs[0]) if slugs else None
            user_id = str(source.options.get("user_id") or "") if source else ""
            return user_id or tx.compliance.person_called(network, handle)

    def _end_sources(self, network: str, native_id: str | None, state: SourceState, reason: str) -> list[str]:
        """Stop polling these sources; results of running polls are not stored."""
        kinds = self._kinds.get(network, ())
        if not kinds:
            return []
        with self._store.writing() as tx:
            which = SourceFilter(kinds=kinds, user_id=native_id or "")
            followed = [
                source
                for source in tx.polling.sources.each(which)
                if (source.state, source.state_reason) != (state, reason)
            ]
            for source in followed:
                tx.polling.sources.set_state(source.id, state, reason, self._clock())
                tx.polling.sources.change(source.id, fetch_state={}, appetite=None, name=source.slug)
        return [source.slug for source in followed]

    def _until_done(self, purged: Purged, work: Callable[[Transaction, datetime], Removal]) -> None:
        """Repeat one slice per transaction, so that readers and polls continue meanwhile."""
        while True:
            with self._store.writing() as tx:
                removal = work(tx, self._clock())
            purged.removal.add(removal)
            if not removal.more:
                return

    def _note(self, purged: Purged, what: str) -> None:
        now = self._clock()
        with self._store.writing() as tx:
            tx.moderation.audit.note(now, OPERATOR, what, purged.key, _detail(now, purged.removal))


def _detail(now: datetime, removal: Removal) -> dict[str, Any]:
    return {
        "how": "purge",
        "reason": REASON,
        "at": None,
        "noticed": now.isoformat(),
        "activities": removal.activities,
        "revision": removal.revision,
    }
