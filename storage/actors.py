"""Actors: rows of their own, so that a new name or picture shows on everything they ever said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, tuple_

from aggregator.activity import Actor
from storage.stream import Stream
from storage.tables import actor
from storage.upsert import Upsert

if TYPE_CHECKING:
    from collections.abc import Iterable

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

        The caller holds the stream's row (`Stream.take`).
        """
        wanted = {(one.network, one.native_id): one for one in said if one is not None}
        if not wanted:
            return {}
        rows = self._connection.execute(
            select(actor).where(tuple_(actor.c.network, actor.c.native_id).in_(list(wanted)))
        ).all()
        ids = {(row.network, row.native_id): row.id for row in rows}
        held = {(row.network, row.native_id): self.actor_of(row) for row in rows}
        differing = [one for identity, one in wanted.items() if held.get(identity) != one]
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

    @staticmethod
    def actor_of(row: Row[Any]) -> Actor:
        """Build the actor of a row."""
        return Actor(row.network, row.native_id, row.name, row.handle, row.url, row.avatar)
