"""Store actors in rows of their own, so that a new name or avatar applies to all their items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, or_, select, tuple_, update

from aggregator.domain.activity import Actor
from aggregator.domain.compliance.ids_only import reduced_actor
from storage.engine.upsert import Upsert
from storage.revision import Stream
from storage.stream.content_columns import ids_only_of
from storage.tables.stream import activity, actor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime, timedelta

    from sqlalchemy import Connection, Row

Identity = tuple[str, str]  # network, native id

_SEARCHED = 20_000  # authors
_LOOKS = ("name", "handle", "url", "avatar")
_UPSERT = Upsert(
    actor,
    index=["network", "native_id"],
    changing=[*_LOOKS, "revision"],
    columns=["network", "native_id", "revision", *_LOOKS],
    returning=["id", "network", "native_id"],
)


class Actors:
    """The actors, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def store(self, authors: Iterable[Actor | None]) -> dict[Identity, int]:
        """Store new and changed actors and return the ids of all: one query, at most one write.

        Partial actors only fill gaps. The caller locks the stream's row (`Stream.take`).
        """
        by_identity: dict[Identity, Actor] = {}
        ids_only = ids_only_of(self._connection)
        for given in authors:
            author = reduced_actor(given) if given is not None and given.network in ids_only else given
            if author is not None and not (author.partial and (author.network, author.native_id) in by_identity):
                by_identity[author.network, author.native_id] = author
        if not by_identity:
            return {}
        rows = self._connection.execute(
            select(actor).where(tuple_(actor.c.network, actor.c.native_id).in_(list(by_identity)))
        ).all()
        ids = {(row.network, row.native_id): row.id for row in rows}
        stored = {(row.network, row.native_id): self.actor_of(row) for row in rows}
        differing = [
            author
            for identity, author in by_identity.items()
            if stored.get(identity) != author and not (author.partial and identity in stored)
        ]
        if differing:
            first = Stream(self._connection).take(len(differing))
            values = [
                {
                    "network": author.network,
                    "native_id": author.native_id,
                    "revision": first + offset,
                    **{name: getattr(author, name) for name in _LOOKS},
                }
                for offset, author in enumerate(differing)
            ]
            for row in _UPSERT.run(self._connection, values):
                ids[row.network, row.native_id] = row.id
        return ids

    def claim_profiles(
        self, network: str, now: datetime, *, shown_since: datetime, most: int, again: timedelta
    ) -> list[str]:
        """Return native ids of actors whose profiles are due for a request, and claim them for a while.

        Args:
            network: the network of the actors.
            now: the present time.
            shown_since: only actors with items in the stream since then.
            most: the maximum number.
            again: the duration of the claim, in case no response is stored.
        """
        due = actor.c.refresh_after.is_(None) | (actor.c.refresh_after <= now)
        lately = (activity.c.position >= shown_since) & activity.c.gone.is_(None)
        wrote = exists().where(activity.c.actor_id == actor.c.id, lately)
        reposted = exists().where(activity.c.object_actor_id == actor.c.id, lately)
        quoted = exists().where(activity.c.quoted_actor_id == actor.c.id, lately)
        due_actors = (
            select(actor.c.id)
            .where(actor.c.network == network, due, wrote | reposted | quoted)
            .order_by(actor.c.refresh_after.is_not(None), actor.c.refresh_after, actor.c.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        claimed = (
            update(actor)
            .where(actor.c.id.in_(due_actors.scalar_subquery()))
            .values(refresh_after=now + again)
            .returning(actor.c.native_id)
        )
        return list(self._connection.execute(claimed).scalars())

    def known(self, network: str, native_ids: Collection[str]) -> dict[str, Actor]:
        """Return actors by their native ids."""
        rows = self._connection.execute(
            select(actor).where(actor.c.network == network, actor.c.native_id.in_(native_ids))
        )
        return {row.native_id: self.actor_of(row) for row in rows}

    def named_like(self, words: str, most: int) -> list[Actor]:
        """Return authors among the newest ones whose name or handle contains a text."""
        newest = select(actor.c.id).order_by(actor.c.id.desc()).limit(_SEARCHED).subquery()
        text = words.removeprefix("@")
        named = or_(actor.c.name.icontains(text, autoescape=True), actor.c.handle.icontains(text, autoescape=True))
        chosen = select(actor).where(actor.c.id.in_(select(newest.c.id)), named).order_by(actor.c.name).limit(most)
        hidden = ids_only_of(self._connection)
        return [self.actor_of(row) for row in self._connection.execute(chosen) if row.network not in hidden]

    def refreshed(self, found: Collection[Actor]) -> None:
        """Store profiles from the network."""
        Stream(self._connection).require_lock()
        self.store(found)

    def refresh_after(self, network: str, native_ids: Collection[str], due: datetime) -> None:
        """Set when profiles are requested again, whether the network knew them or not."""
        these = (actor.c.network == network) & actor.c.native_id.in_(native_ids)
        self._connection.execute(update(actor).where(these).values(refresh_after=due))

    @staticmethod
    def actor_of(row: Row[Any]) -> Actor:
        """Build the actor of a row."""
        return Actor(row.network, row.native_id, row.name, row.handle, row.url, row.avatar)
