"""Actors: rows of their own, so that a new name or picture shows on everything they ever said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, select, tuple_, update

from aggregator.domain.activity import Actor
from storage.engine.upsert import Upsert
from storage.revision import Stream
from storage.tables.stream import activity, actor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime, timedelta

    from sqlalchemy import Connection, Row

Identity = tuple[str, str]  # network, native id

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

    def store(self, said: Iterable[Actor | None]) -> dict[Identity, int]:
        """Store actors that are new or look different now and return the ids of all: one query, at most one write.

        What is partial only fills a gap. The caller holds the stream's row (`Stream.take`).
        """
        wanted: dict[Identity, Actor] = {}
        for one in said:
            if one is not None and not (one.partial and (one.network, one.native_id) in wanted):
                wanted[one.network, one.native_id] = one
        if not wanted:
            return {}
        rows = self._connection.execute(
            select(actor).where(tuple_(actor.c.network, actor.c.native_id).in_(list(wanted)))
        ).all()
        ids = {(row.network, row.native_id): row.id for row in rows}
        held = {(row.network, row.native_id): self.actor_of(row) for row in rows}
        differing = [
            one
            for identity, one in wanted.items()
            if held.get(identity) != one and not (one.partial and identity in held)
        ]
        if differing:
            first = Stream(self._connection).take(len(differing))
            values = [
                {
                    "network": one.network,
                    "native_id": one.native_id,
                    "revision": first + offset,
                    **{name: getattr(one, name) for name in _LOOKS},
                }
                for offset, one in enumerate(differing)
            ]
            for row in _UPSERT.run(self._connection, values):
                ids[row.network, row.native_id] = row.id
        return ids

    def claim_profiles(
        self, network: str, now: datetime, *, shown_since: datetime, most: int, again: timedelta
    ) -> list[str]:
        """Return native ids of actors about whom the network is to be asked, and let nobody else ask for a while.

        Args:
            network: whose.
            now: the present moment.
            shown_since: only of those whom the stream has shown since then.
            most: how many.
            again: after which they may be claimed again, should the answer never come.
        """
        due = actor.c.refresh_after.is_(None) | (actor.c.refresh_after <= now)
        lately = (activity.c.position >= shown_since) & activity.c.gone.is_(None)
        said = exists().where(activity.c.actor_id == actor.c.id, lately)
        quoted = exists().where(activity.c.object_actor_id == actor.c.id, lately)
        wanted = (
            select(actor.c.id)
            .where(actor.c.network == network, due, said | quoted)
            .order_by(actor.c.refresh_after.is_not(None), actor.c.refresh_after, actor.c.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        claimed = (
            update(actor)
            .where(actor.c.id.in_(wanted.scalar_subquery()))
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

    def refreshed(self, found: Collection[Actor]) -> None:
        """Store what a network says of actors."""
        Stream(self._connection).require_lock()
        self.store(found)

    def refresh_after(self, network: str, native_ids: Collection[str], due: datetime) -> None:
        """Say when a network is to be asked about actors again, whether it knew them or not."""
        these = (actor.c.network == network) & actor.c.native_id.in_(native_ids)
        self._connection.execute(update(actor).where(these).values(refresh_after=due))

    @staticmethod
    def actor_of(row: Row[Any]) -> Actor:
        """Build the actor of a row."""
        return Actor(row.network, row.native_id, row.name, row.handle, row.url, row.avatar)
