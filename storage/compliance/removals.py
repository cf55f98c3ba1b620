"""Remove content that was deleted upstream or purged by an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select, update

from aggregator.domain.activity import ActivityKind, Upstream
from aggregator.domain.compliance.removal import Removal
from storage.engine import erasure, upsert
from storage.revision import Stream
from storage.stream.tombstones import Tombstones, person_key
from storage.stream.unread_entries import UnreadEntries
from storage.tables.billing import billed
from storage.tables.compliance import checked, compliance_job, gone_key
from storage.tables.polling import source
from storage.tables.stream import activity, actor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from storage.stream.tombstones import Buried

NAMELESS = "Removed account"  # the name shown for removed authors

_SLICE = 2000  # rows per transaction, so that readers and polls continue meanwhile


class Removals:
    """Removals that apply to all sources, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tombstones = Tombstones(connection)

    def withdraw(
        self, reasons: Mapping[str, str], upstream: Upstream, now: datetime, *, for_good: bool = True
    ) -> dict[str, Removal]:
        """Remove posts, with plain reposts of them; return the results by key.

        Quotes and replies lose the embedded post and keep their own text.

        Args:
            reasons: by key ("x:123").
            upstream: the state at the network.
            now: the present time.
            for_good: never store these posts again.
        """
        Stream(self._connection).require_lock()
        removals = {key: Removal() for key in reasons}
        for key in self._ban(reasons, now) if for_good else ():
            removals[key].is_new = True
        for reason in dict.fromkeys(reasons.values()):
            keys = [key for key, why in reasons.items() if why == reason]
            embedding = activity.c.object_key.in_(keys)
            reposts = embedding & (activity.c.kind == ActivityKind.REPOST.value)
            for buried in self._tombstones.bury(activity.c.key.in_(keys), reason, now, upstream=upstream):
                _count(removals[buried.key], buried, "posts")
            for buried in self._tombstones.bury(reposts, f"its original: {reason}", now, upstream=upstream):
                _count(removals[str(buried.object_key)], buried, "reposts")
            for buried in self._tombstones.strip(embedding):
                _count(removals[str(buried.object_key)], buried, "quotes")
            for buried in self._tombstones.strip_quoted(activity.c.quoted_key.in_(keys)):
                _count(removals[str(buried.object_key)], buried, "quotes")
        for network, ids in _by_network(reasons).items():
            UnreadEntries(self._connection).forget_mentioning(network, ids)
        return removals

    def withdraw_person(
        self,
        network: str,
        native_id: str,
        reason: str,
        now: datetime,
        *,
        upstream: Upstream = Upstream.GONE,
        for_good: bool = True,
        most: int = _SLICE,
    ) -> Removal:
        """Remove all posts of a person, and the name and avatar; repeat until `more` is False.

        With `for_good` their posts are never stored again; else only posts that are removed now stay removed.
        """
        Stream(self._connection).require_lock()
        removal = Removal()
        if for_good:
            removal.is_new = bool(self._ban({person_key(network, native_id): reason}, now))
        who = self._connection.execute(
            select(actor.c.id).where(actor.c.network == network, actor.c.native_id == native_id)
        ).scalar()
        UnreadEntries(self._connection).forget_mentioning(network, [native_id])
        if who is None:
            return removal
        own = self._tombstones.bury(activity.c.actor_id == who, reason, now, upstream=upstream, most=most)
        self._ban({buried.key: reason for buried in own}, now)
        for buried in own:
            _count(removal, buried, "posts")
        self._withdraw_embedding(removal, who, reason, now, upstream, most)
        removal.more = max(removal.posts, removal.reposts, removal.quotes) >= most
        revision = self._anonymise(actor.c.id == who, _SLICE)
        removal.revision = max(filter(None, (removal.revision, revision)), default=None)
        return removal

    def _withdraw_embedding(
        self, removal: Removal, who: int, reason: str, now: datetime, upstream: Upstream, most: int
    ) -> None:
        """Remove reposts of a person's posts, and their posts from quotes."""
        embedding = activity.c.object_actor_id == who
        reposts = embedding & (activity.c.kind == ActivityKind.REPOST.value)
        for buried in self._tombstones.bury(reposts, f"its original: {reason}", now, upstream=upstream, most=most):
            _count(removal, buried, "reposts")
        quoted = activity.c.quoted_actor_id == who
        for buried in (
            *self._tombstones.strip(embedding, most=most),
            *self._tombstones.strip_quoted(quoted, most=most),
        ):
            _count(removal, buried, "quotes")

    def readmit(self, network: str, native_ids: Collection[str], reasons: Collection[str]) -> set[str]:
        """Let people publish again who were removed for one of these reasons; return them. Removed posts stay away."""
        keys = {person_key(network, native_id): native_id for native_id in native_ids}
        removed = gone_key.c.key.in_(keys) & gone_key.c.reason.in_(reasons)
        return {
            keys[key]
            for key in self._connection.execute(delete(gone_key).where(removed).returning(gone_key.c.key)).scalars()
        }

    def removed_people(self, network: str, reasons: Collection[str], before: datetime, most: int) -> list[str]:
        """Return some people, in no order, who were removed for one of these reasons before a time."""
        prefix = person_key(network, "")
        of_network = gone_key.c.key.startswith(prefix, autoescape=True)
        chosen = select(gone_key.c.key).where(of_network, gone_key.c.reason.in_(reasons), gone_key.c.at < before)
        keys = self._connection.execute(chosen.order_by(func.random()).limit(most)).scalars()
        return [key.removeprefix(prefix) for key in keys]

    def withdraw_network(self, network: str, reason: str, now: datetime, *, most: int = _SLICE) -> Removal:
        """Remove a part of a network's content; repeat until `more` is False."""
        removal = Removal()
        UnreadEntries(self._connection).forget_network(network)
        for buried in self._tombstones.bury(activity.c.network == network, reason, now, most=most):
            _count(removal, buried, "posts")
        removal.more = removal.posts == most
        if removal.more:
            return removal
        nameless = self._anonymise(actor.c.network == network, most)
        removal.revision = max(filter(None, (removal.revision, nameless)), default=None)
        removal.more = nameless is not None
        if not removal.more:
            self._connection.execute(delete(checked).where(checked.c.key.startswith(f"{network}:", autoescape=True)))
            self._connection.execute(delete(billed).where(billed.c.service == network))
            self._connection.execute(delete(compliance_job).where(compliance_job.c.network == network))
        return removal

    def forget_reading(self, kinds: Collection[str]) -> None:
        """Clear the fetch state of all sources of these kinds, including removed ones."""
        Stream(self._connection).require_lock()
        erasure.mark(self._connection)
        self._connection.execute(update(source).where(source.c.kind.in_(kinds)).values(fetch_state={}))

    def _ban(self, reasons: Mapping[str, str], now: datetime) -> set[str]:
        """Store keys that must never be stored again; return the new ones."""
        if not reasons:
            return set()
        fresh = set(reasons) - self._tombstones.among(reasons)
        rows = [{"key": key, "at": now, "reason": reasons[key]} for key in sorted(fresh)]
        if rows:
            self._connection.execute(upsert.statement(self._connection, gone_key, index=["key"], changing=[]), rows)
        return fresh

    def _anonymise(self, which: ColumnElement[bool], most: int) -> int | None:
        """Remove names and avatars; return the newest revision, or None if there were none."""
        named = or_(
            actor.c.name != NAMELESS, actor.c.handle.is_not(None), actor.c.url.is_not(None), actor.c.avatar.is_not(None)
        )
        ids = self._connection.execute(select(actor.c.id).where(which, named).limit(most)).scalars().all()
        if not ids:
            return None
        erasure.mark(self._connection)
        first = Stream(self._connection).take(len(ids))
        nameless = {"name": NAMELESS, "handle": None, "url": None, "avatar": None, "refresh_after": None}
        for offset, id_ in enumerate(ids):
            self._connection.execute(update(actor).where(actor.c.id == id_).values(**nameless, revision=first + offset))
        return first + len(ids) - 1


def _by_network(keys: Iterable[str]) -> dict[str, list[str]]:
    """Return the native ids in keys of posts, by network."""
    found: dict[str, list[str]] = {}
    for key in keys:
        network, _, native_id = key.partition(":")
        found.setdefault(network, []).append(native_id)
    return found


def _count(removal: Removal, buried: Buried, what: str) -> None:
    setattr(removal, what, getattr(removal, what) + 1)
    removal.revision = max(removal.revision or 0, buried.revision)
