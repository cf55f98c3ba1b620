"""Find stored posts that may have changed at their network, and the activities that embed a post."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, func, literal, or_, select

from aggregator.domain.activity import ActivityKind
from aggregator.domain.compliance.records import Embedding, Held
from storage.compliance.removals import Removals
from storage.engine.connect import UtcDateTime
from storage.stream.actors import Actors
from storage.stream.content_columns import activity_of, ids_only_of
from storage.stream.pages import whole
from storage.tables.compliance import checked, gone_key
from storage.tables.stream import activity, actor

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from aggregator.domain.activity import Actor

EDITS_MISSED = timedelta(days=7)  # after that, only the rota finds an edit
YOUNG = timedelta(days=7)
YOUNG_AGAIN, OLD_AGAIN = timedelta(days=1), timedelta(days=7)  # between checks of the rota
MISSING_FOR = timedelta(days=30)  # so long, missing originals are looked up again daily
MISSING_AGAIN = timedelta(days=1)

_EMBEDDING = (ActivityKind.REPOST.value, ActivityKind.QUOTE.value)


class Lookups(Removals):
    """The posts that are worth a lookup, within one transaction."""

    def edited_since(self, network: str, now: datetime, most: int) -> list[Held]:
        """Return embedded posts that were editable when they were read, no longer are, and were not checked since."""
        until = activity.c.object_editable_until
        later = exists().where(checked.c.key == activity.c.object_key, checked.c.at >= until)
        rows = self._connection.execute(
            select(activity.c.object_key, activity.c.object)
            .where(_live(network), activity.c.object.is_not(None))
            .where(until <= now, until > now - EDITS_MISSED, until > activity.c.first_seen, ~later)
            .order_by(until.desc(), activity.c.id.desc())
            .limit(most)
        )
        return list({row.object_key: Held(row.object_key, row.object["content"].get("url")) for row in rows}.values())

    def incomplete(self, network: str, now: datetime, most: int) -> list[Held]:
        """Return originals of reposts and quotes that the network did not return, and that were not removed.

        None where only ids are stored: the network's own embeds show the current state of each post.
        """
        if network in ids_only_of(self._connection):
            return []
        removed = exists().where(gone_key.c.key == activity.c.object_key)
        lately = exists().where(checked.c.key == activity.c.object_key, checked.c.at > now - MISSING_AGAIN)
        newest = func.max(activity.c.id)
        rows = self._connection.execute(
            select(activity.c.object_key)
            .where(_live(network), activity.c.object.is_(None), activity.c.object_key.is_not(None))
            .where(activity.c.kind.in_(_EMBEDDING), activity.c.first_seen > now - MISSING_FOR, ~removed, ~lately)
            .group_by(activity.c.object_key)
            .order_by(newest.desc())
            .limit(most)
        )
        return [Held(row.object_key, None) for row in rows]

    def longest_unchecked(self, network: str, now: datetime, most: int) -> list[Held]:
        """Return visible posts that are due for a check, those that were not checked for longest first.

        Half of them are from the last week, if there are enough, so that a long backlog delays no new post. None where
        only ids are stored, which no edit changes.
        """
        if network in ids_only_of(self._connection):
            return []
        is_young = activity.c.position > now - YOUNG
        young = self._longest_unchecked(network, is_young, now - YOUNG_AGAIN, most)
        old = self._longest_unchecked(network, ~is_young, now - OLD_AGAIN, most)
        half = max(most - most // 2, most - len(old))
        return list({post.key: post for post in (*young[:half], *old)}.values())[:most]

    def _longest_unchecked(self, network: str, which: ColumnElement[bool], before: datetime, most: int) -> list[Held]:
        seen = func.coalesce(checked.c.at, activity.c.first_seen)
        due = and_(_live(network), activity.c.visible, which, seen < literal(before, UtcDateTime()))
        own = (
            select(activity.c.key, activity.c.url, seen.label("seen"))
            .outerjoin(checked, checked.c.key == activity.c.key)
            .where(due)
        )
        embedded = (
            select(activity.c.object_key, activity.c.object, seen.label("seen"))
            .outerjoin(checked, checked.c.key == activity.c.object_key)
            .where(due, activity.c.object.is_not(None))
        )
        found = []
        for chosen in (own, embedded):
            for row in self._connection.execute(chosen.order_by(seen, activity.c.id.desc()).limit(most)):
                key, shown_by, moment = row
                url = shown_by if isinstance(shown_by, str | None) else shown_by["content"].get("url")
                found.append((moment, Held(key, url)))
        by_age = {post.key: post for _, post in sorted(found, key=lambda entry: entry[0])}
        return list(by_age.values())[:most]

    def original_authors(self, keys: Collection[str]) -> dict[str, Actor]:
        """Return the authors of the embedded posts with these keys, by native id."""
        wrote = exists().where(activity.c.object_actor_id == actor.c.id, activity.c.object_key.in_(keys))
        return {row.native_id: Actors.actor_of(row) for row in self._connection.execute(select(actor).where(wrote))}

    def embedding(self, keys: Collection[str], most: int) -> list[Embedding]:
        """Return the activities that embed posts with these keys, or lack them; the newest first."""
        kinds = or_(activity.c.object.is_not(None), activity.c.kind.in_(_EMBEDDING))
        chosen = whole().add_columns(activity.c.source_id.label("of_source"), activity.c.object_editable_until)
        rows = self._connection.execute(
            chosen.where(activity.c.object_key.in_(keys), activity.c.gone.is_(None), kinds)
            .order_by(activity.c.id.desc())
            .limit(most)
        )
        return [Embedding(row.of_source, activity_of(row, self._connection), row.object_editable_until) for row in rows]


def _live(network: str) -> ColumnElement[bool]:
    return (activity.c.network == network) & activity.c.gone.is_(None)
