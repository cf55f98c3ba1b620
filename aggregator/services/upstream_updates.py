"""Store posts that changed upstream since they were fetched, in every activity that shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aggregator.domain.matching.edit_decisions import EditPolicy
from aggregator.domain.matching.embedding import newest, originals_in, with_current_object, with_known_object
from aggregator.domain.matching.fingerprint import fingerprint
from aggregator.domain.search_text import search_text
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity, ScreenedActivity
    from aggregator.domain.compliance.records import Embedding, Shown
    from aggregator.domain.compliance.takedowns import LookedUp
    from aggregator.domain.tagging.tagger import Tagger
    from storage.store import Transaction

MOST_EMBEDDING = 500  # activities that get a new version of an embedded post at once

_POLICY = EditPolicy(always_show=True)  # show the network's current version, even of approved posts


def store_updates(tx: Transaction, looked: LookedUp, now: datetime, tagger: Tagger | None = None) -> int:
    """Store posts that differ upstream: another version, other withheld countries, or an original that was missing."""
    by_key = {new.key: new for new in looked.activities}
    again: list[tuple[int, ScreenedActivity]] = [
        (row.source_id, screened(by_key[row.key], Policy.AUTO, now, tagger))
        for row in tx.compliance.shown(list(by_key))
        if _differs(row, by_key[row.key])
    ]
    return _stored(tx, again, now) + update_embedding(tx, [*looked.activities, *looked.originals], now)


def update_embedding(tx: Transaction, activities: Sequence[NewActivity], now: datetime) -> int:
    """Store the current version of posts in all activities that embed an older one or lack them."""
    originals = originals_in(activities)
    if not originals:
        return 0
    again = []
    for row in tx.compliance.embedding(list(originals), MOST_EMBEDDING):
        new = with_current_object(row.activity, originals)
        if new is not None:
            again.append(
                (row.source_id, _with_its_tags(replace(new, object_editable_until=row.editable_until), row, now))
            )
    return _stored(tx, again, now)


def with_known_objects(tx: Transaction, screening: Sequence[ScreenedActivity]) -> Sequence[ScreenedActivity]:
    """Return new activities with the newest stored versions of the posts that they embed."""
    keys = [entry.new.object.key for entry in screening if entry.new.object]
    if not keys:
        return screening
    rows = tx.compliance.embedding(keys, MOST_EMBEDDING)
    known = newest(row.activity.object for row in rows if row.activity.object)
    return [_rescreened(entry, with_known_object(entry.new, known)) for entry in screening]


def _rescreened(entry: ScreenedActivity, new: NewActivity) -> ScreenedActivity:
    if new is entry.new:
        return entry
    return replace(
        entry,
        new=new,
        fingerprint=fingerprint(new.content, new.object),
        search_text=search_text(new.content, new.object),
    )


def _with_its_tags(new: NewActivity, row: Embedding, now: datetime) -> ScreenedActivity:
    tags = {name: getattr(row.activity, name) for name in ("topics", "countries", "reasons")}
    return replace(screened(new, Policy.AUTO, now), **tags)


def _stored(tx: Transaction, again: Iterable[tuple[int, ScreenedActivity]], now: datetime) -> int:
    by_source: dict[int, list[ScreenedActivity]] = {}
    for source_id, entry in again:
        by_source.setdefault(source_id, []).append(entry)
    return sum(
        tx.stream.activities.store(source_id, entries, now, edit_policy=_POLICY).changed
        for source_id, entries in by_source.items()
    )


def _differs(row: Shown, new: NewActivity) -> bool:
    """Return whether a fetched post has a newer version than the stored one, or other withheld countries."""
    version, codes = _visible_state(row.url, row.detail)
    fetched, current = _visible_state(new.content.url, {"withheld": new.content.withheld})
    if fetched != version:
        return fetched > version
    if new.object is not None:  # a repost is withheld with its original
        stored = (row.object or {}).get("content", {})
        codes, current = (found - set(new.object.content.withheld) for found in (codes, current))
        codes -= set(stored.get("withheld") or ())
    return codes != current


def _visible_state(url: str | None, detail: Mapping[str, Any] | None) -> tuple[tuple[int, str], set[str]]:
    """Return the version of a post, as a sort key, and its withheld countries."""
    version = (url or "").rpartition("/")[2]
    return (len(version), version), set((detail or {}).get("withheld") or ())
