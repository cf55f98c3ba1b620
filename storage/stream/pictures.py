"""Look up who names a picture: accounts with visible items, and what changed since a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, or_, select

from storage.tables.stream import activity, actor

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection


class PictureOwners:
    """The items and accounts that name pictures, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def avatar(self, network: str, native_id: str, *, also_hidden: bool = False) -> str | None:
        """Return the picture's URL of an account that wrote a visible item, or a post embedded in one.

        `also_hidden`: or of any other account.
        """
        by_column = (activity.c.actor_id, activity.c.object_actor_id, activity.c.quoted_actor_id)
        shown = or_(*(exists().where(column == actor.c.id, activity.c.visible) for column in by_column))
        statement = select(actor.c.avatar).where(actor.c.network == network, actor.c.native_id == native_id)
        statement = statement if also_hidden else statement.where(shown)
        address: str | None = self._connection.execute(statement).scalar_one_or_none()
        return address

    def changed(self, after: int, most: int) -> Collection[str] | None:
        """Return the items and accounts that changed after a revision, as owners; None: more than `most`."""
        items = select(activity.c.id).where(activity.c.revision > after).limit(most + 1)
        actors = select(actor.c.network, actor.c.native_id).where(actor.c.revision > after).limit(most + 1)
        owners = {f"item:{id_}" for id_ in self._connection.execute(items).scalars()}
        owners |= {f"actor:{network}:{native_id}" for network, native_id in self._connection.execute(actors)}
        return owners if len(owners) <= most else None
