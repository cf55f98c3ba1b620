"""Group activities about the same thing into stories, by their keys and links."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import select, union

from aggregator.domain.matching.stories import Related, links_of
from storage.stream.announcements import Announcements
from storage.stream.content_columns import ids_only_of
from storage.tables.polling import source
from storage.tables.stream import activity, activity_link

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

    from aggregator.domain.activity import NewActivity

_MOST = 300  # activities of all stories per request


class Stories:
    """The stories, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def link(self, written: Mapping[int, NewActivity], replaced: Collection[int]) -> None:
        """Store the links and announcements of posts; an article is known by its own URL."""
        if replaced:
            self._connection.execute(activity_link.delete().where(activity_link.c.activity_id.in_(replaced)))
        announcements = Announcements(self._connection)
        made = announcements.of(written)
        rows = [{"key": key, "activity_id": id_} for id_, new in written.items() for key in links_of(new)]
        rows += [{"key": found.key, "activity_id": id_} for id_, found in made.items()]
        if rows:
            known = {row["activity_id"] for row in rows} - set(replaced)
            if known:  # written again without an edit: the same links, or better ones
                self._connection.execute(activity_link.delete().where(activity_link.c.activity_id.in_(known)))
            self._connection.execute(activity_link.insert(), rows)
        announcements.group(made.values())
        announcements.follow_originals(written)

    def related(self, ids: Collection[int]) -> dict[int, list[Related]]:
        """Return the related activities of each of these activities, newest first, in two queries."""
        about = self._about(ids)
        keys = {key for related in about.values() for key in related}
        if not keys:
            return {}
        by_key = union(
            select(activity.c.id, activity.c.key.label("about")).where(activity.c.key.in_(keys)),
            select(activity.c.id, activity.c.object_key).where(activity.c.object_key.in_(keys)),
            select(activity.c.id, activity.c.story).where(activity.c.story.in_(keys)),
            select(activity_link.c.activity_id, activity_link.c.key).where(activity_link.c.key.in_(keys)),
        ).subquery()
        columns = (activity.c.kind, source.c.name, activity.c.title, activity.c.text, activity.c.review)
        rows = self._connection.execute(
            select(by_key.c.about, activity.c.network, activity.c.id, *columns, activity.c.position)
            .join(activity, activity.c.id == by_key.c.id)
            .join(source, source.c.id == activity.c.source_id)
            .where(activity.c.gone.is_(None))
            .order_by(activity.c.id.desc())
            .limit(_MOST)
        ).all()
        found: dict[int, dict[int, Related]] = defaultdict(dict)
        ids_only = ids_only_of(self._connection)
        for about_key, network, *rest in rows:
            related = Related(*rest)
            if network in ids_only:
                related = related._replace(title=None, text=None)
            for id_, keys_of in about.items():
                if about_key in keys_of and related.id != id_:
                    found[id_][related.id] = related
        return {id_: list(them.values()) for id_, them in found.items()}

    def _about(self, ids: Collection[int]) -> dict[int, set[str]]:
        """Return the keys of the subjects of activities."""
        about: dict[int, set[str]] = {id_: set() for id_ in ids}
        columns = (activity.c.id, activity.c.key, activity.c.object_key, activity.c.story)
        own = select(*columns).where(activity.c.id.in_(ids))
        for id_, *keys in self._connection.execute(own):
            about[id_].update(filter(None, keys))
        links = select(activity_link.c.activity_id, activity_link.c.key).where(activity_link.c.activity_id.in_(ids))
        for id_, key in self._connection.execute(links):
            about[id_].add(key)
        return about
