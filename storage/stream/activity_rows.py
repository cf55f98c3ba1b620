"""Write the rows of activities, with their authors, raw entries and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import Review, Upstream, quoted_in
from storage.engine.upsert import Upsert
from storage.stream.actors import Actors
from storage.stream.content_columns import COLUMNS, columns_of, json_of
from storage.stream.payloads import RawPayloads
from storage.stream.stories import Stories
from storage.tables.stream import activity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from aggregator.domain.activity import Actor, ScreenedActivity
    from storage.stream.actors import Identity

_CONTENT = (
    *COLUMNS,
    "detail",
    "object",
    "object_key",
    "key",
    "alias",
    "likeness",
    "actor_id",
    "object_actor_id",
    "object_editable_until",
    "quoted_key",
    "quoted_actor_id",
    "thread",
    "topics",
    "countries",
    "reasons",
    "search_text",
)
_EDITED = (*_CONTENT, "entry_digest", "fingerprint", "revision")
_LATER = {
    "id",
    "gone",
    "gone_reason",
    "reviewed",
    "reviewer",
    "headline",
    "note",
    "descriptions",
    "story_by_hand",
}  # columns that no source delivers
_UPSERT = Upsert(
    activity,
    index=["source_id", "native_id"],
    changing=_EDITED,
    columns=[column.name for column in activity.c if column.name not in _LATER],
    where=activity.c.gone.is_(None),
    returning=["id", "source_id", "native_id"],
)


class ActivityRows:
    """The rows of activities, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(
        self,
        writes: Sequence[tuple[int, ScreenedActivity]],
        now: datetime,
        first: int,
        replaced: Collection[int] = (),
    ) -> dict[tuple[int, str], int]:
        """Write activities, with a number of statements that doesn't depend on theirs.

        Args:
            writes: activities with the ids of their sources; none may be removed.
            now: the present time.
            first: the revision of the first one.
            replaced: ids of those whose links are written again.

        Returns:
            ids by source and native id.
        """
        actors = Actors(self._connection).store(_authors(entry for _, entry in writes))
        rows = [_row(source_id, entry, now, first + n, actors) for n, (source_id, entry) in enumerate(writes)]
        found = _UPSERT.run(self._connection, rows)
        ids = {(row.source_id, row.native_id): row.id for row in found}
        named = ((ids.get((source_id, entry.new.native_id)), entry.new) for source_id, entry in writes)
        new = {id_: entry for id_, entry in named if id_ is not None}
        RawPayloads(self._connection).keep({id_: entry.raw for id_, entry in new.items()}, now)
        Stories(self._connection).link(new, replaced)
        return ids


def _authors(writes: Iterable[ScreenedActivity]) -> Iterator[Actor | None]:
    """Yield the authors of activities and of their objects."""
    for entry in writes:
        yield entry.new.content.actor
        if entry.new.object is not None:
            yield entry.new.object.content.actor
        if (quoted := quoted_in(entry.new)) is not None:
            yield quoted.content.actor


def _row(
    source_id: int, screened: ScreenedActivity, now: datetime, revision: int, actors: Mapping[Identity, int]
) -> dict[str, Any]:
    new = screened.new
    who = new.content.actor
    author = new.object.content.actor if new.object else None
    quoted = quoted_in(new)
    quoted_author = quoted.content.actor if quoted else None
    return {
        **columns_of(new.content),
        "source_id": source_id,
        "native_id": new.native_id,
        "key": new.key,
        "object_key": new.object_key,
        "alias": screened.stable_key,
        "likeness": screened.content_key,
        "object": json_of(new.object),
        "actor_id": actors[who.network, who.native_id] if who else None,
        "object_actor_id": actors[author.network, author.native_id] if author else None,
        "object_editable_until": new.object_editable_until if new.object else None,
        "quoted_key": quoted.key if quoted else None,
        "quoted_actor_id": actors[quoted_author.network, quoted_author.native_id] if quoted_author else None,
        "thread": new.thread,
        "first_seen": now,
        "entry_digest": new.entry_digest,
        "revision": revision,
        **_screened_columns(screened),
    }


def _screened_columns(screened: ScreenedActivity) -> dict[str, Any]:
    return {
        "topics": list(screened.topics) or None,
        "countries": list(screened.countries) or None,
        "reasons": dict(screened.reasons) or None,
        "story": screened.story,
        "search_text": screened.search_text,
        "fingerprint": screened.fingerprint,
        "position": screened.position,
        "upstream": screened.upstream.value,
        "review": screened.review.value,
        "review_by": screened.review_by,
        "review_reason": screened.review_reason,
        "review_rule": screened.review_rule,
        "pinned_until": screened.pinned_until,
        "visible": screened.review is Review.PUBLISHED and screened.upstream is Upstream.LIVE,
    }
