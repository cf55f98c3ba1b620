"""Remove the stored content of networks of which only ids may be stored. The rows, their keys and decisions stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, func, or_, select, update

from aggregator.domain.activity import NewActivity
from aggregator.domain.compliance.ids_only import reduced_activity, reduced_content
from aggregator.domain.matching.entry_matching import entry_keys
from aggregator.domain.matching.fingerprint import fingerprint
from aggregator.domain.matching.stories import story_of
from storage.engine import erasure
from storage.revision import Stream
from storage.stream.content_columns import activity_of, columns_of, ids_only_of
from storage.stream.pages import whole
from storage.stream.unread_entries import UnreadEntries
from storage.stream.versions import Versions
from storage.tables.moderation import held_edit
from storage.tables.stream import activity, activity_link, activity_version, actor, raw_payload, unread_entry

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from aggregator.domain.activity import Activity

_ATTACHED = (raw_payload, held_edit, activity_version)
_EMPTIED = ("object", "object_actor_id", "object_editable_until", "quoted_key", "quoted_actor_id", "thread")


class ContentReduction:
    """The content that may no longer be stored, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._networks = ids_only_of(connection)

    def count(self) -> int:
        """Return the number of activities that still have content."""
        if not self._networks:
            return 0
        counted = select(func.count()).select_from(activity).where(self._with_content())
        return self._connection.execute(counted).scalar_one()

    def reduce(self, most: int) -> int:
        """Remove the content of up to `most` activities; return the number."""
        if not self._networks:
            return 0
        Stream(self._connection).require_lock()
        chosen = whole().add_columns(activity.c.story.label("stored_story"), activity.c.story_by_hand)
        rows = self._connection.execute(chosen.where(self._with_content()).order_by(activity.c.id).limit(most)).all()
        if not rows:
            return 0
        ids = [row.id for row in rows]
        erasure.mark(self._connection)
        self._write(rows)
        Versions(self._connection).forget(ids)
        for table in (raw_payload, held_edit, activity_link):
            self._connection.execute(table.delete().where(table.c.activity_id.in_(ids)))
        return len(rows)

    def _write(self, rows: Sequence[Row[Any]]) -> None:
        first = Stream(self._connection).take(len(rows))
        values = [
            {
                **_columns(activity_of(row, self._connection)),
                **dict.fromkeys(_EMPTIED),
                "revision": first + offset,
                **({"story": row.stored_story} if row.story_by_hand else {}),
            }
            for offset, row in enumerate(rows)
        ]
        statement = update(activity).where(activity.c.id == bindparam("row"))
        self._connection.execute(
            statement.values({name: bindparam(f"new_{name}") for name in values[0]}),
            [
                {"row": row.id, **{f"new_{name}": value for name, value in columns.items()}}
                for row, columns in zip(rows, values, strict=True)
            ],
        )

    def reduce_actors(self, followed: Collection[str]) -> int:
        """Remove names and pictures of accounts, and the handles of all but the followed ones; return the number."""
        if not self._networks:
            return 0
        theirs = actor.c.network.in_(self._networks)
        is_followed = actor.c.native_id.in_(list(followed))
        handle = func.coalesce("@" + actor.c.handle, actor.c.native_id)
        named = is_followed & or_(actor.c.avatar.is_not(None), actor.c.name != handle)
        others = or_(*(column.is_not(None) for column in (actor.c.handle, actor.c.url, actor.c.avatar)))
        unnamed = ~is_followed & or_(others, actor.c.name != actor.c.native_id)
        changed = self._update_actors(theirs & named, {"name": handle, "avatar": None})
        nothing = {"name": actor.c.native_id, "handle": None, "url": None, "avatar": None}
        return changed + self._update_actors(theirs & unnamed, nothing)

    def _update_actors(self, which: ColumnElement[bool], values: dict[str, Any]) -> int:
        ids = self._connection.execute(select(actor.c.id).where(which)).scalars().all()
        if ids:
            erasure.mark(self._connection)
            first = Stream(self._connection).take(len(ids))
            self._connection.execute(
                update(actor).where(actor.c.id == bindparam("row")).values(**values, revision=bindparam("next")),
                [{"row": id_, "next": first + offset} for offset, id_ in enumerate(ids)],
            )
        return len(ids)

    def forget_unread(self) -> None:
        """Delete the entries that could not be read."""
        for network in sorted(self._networks):
            theirs = unread_entry.c.key.startswith(f"{network}:", autoescape=True)
            if self._connection.execute(select(exists().where(theirs))).scalar():
                UnreadEntries(self._connection).forget_network(network)

    def _with_content(self) -> ColumnElement[bool]:
        attached = (exists().where(table.c.activity_id == activity.c.id) for table in _ATTACHED)
        unmarked = func.coalesce(activity.c.detail["ids_only"].as_boolean(), False).is_(False)
        return activity.c.network.in_(self._networks) & activity.c.gone.is_(None) & or_(unmarked, *attached)


def _columns(item: Activity) -> dict[str, Any]:
    """Return the columns of an item without its content, which depend on it."""
    new = reduced_activity(NewActivity(item.native_id, item.key, item.content, "", object_key=item.object_key))
    keys = entry_keys(new)
    return {
        **columns_of(reduced_content(item.content)),
        "topics": list(item.topics) or None,
        "countries": list(item.countries) or None,
        "reasons": dict(item.reasons) or None,
        "story": story_of(new),
        "alias": keys.stable_key,
        "likeness": keys.content_key,
        "search_text": "",
        "entry_digest": new.entry_digest,
        "fingerprint": fingerprint(new.content, None),
    }
