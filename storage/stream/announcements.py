"""Make posts that announce the same on several networks one story."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, select, update

from aggregator.domain.activity import ActivityKind
from aggregator.domain.matching.announcements import PREFIX, Announcement, Member, announcement_of, stories_of
from aggregator.domain.matching.stories import page_of
from aggregator.domain.organizations import NO_ORGANIZATIONS
from storage.revision import Stream
from storage.stream.content_columns import ORGANIZATIONS, activity_of
from storage.stream.pages import whole
from storage.tables.stream import activity, activity_link

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.organizations import Organizations

_MOST = 200  # newest posts of an announcement that are compared

_FREE = activity.c.story_by_hand.is_(False) & activity.c.gone.is_(None)  # no editor chose the story
_MOVE = (
    update(activity)
    .where(activity.c.id == bindparam("row"))
    .values(story=bindparam("new_story"), revision=bindparam("next"))
)


class _Post(NamedTuple):
    """A stored post that makes an announcement."""

    id: int
    story: str | None
    member: Member


class Announcements:
    """The announcements of organizations, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        current: Callable[[], Organizations] | None = connection.get_execution_options().get(ORGANIZATIONS)
        self._organizations = current() if current is not None else NO_ORGANIZATIONS

    def of(self, written: Mapping[int, NewActivity]) -> dict[int, Announcement]:
        """Return the announcements of posts, by the ids of their rows."""
        if not self._organizations:
            return {}
        found = {id_: announcement_of(new.content, self._organizations) for id_, new in written.items()}
        return {id_: announcement for id_, announcement in found.items() if announcement is not None}

    def group(self, announcements: Collection[Announcement]) -> None:
        """Assign stories to the posts of announcements, and to their reposts, except where an editor did."""
        for announcement in sorted(set(announcements)):
            posts = self._posts(announcement)
            stories = stories_of(announcement, [post.member for post in posts])
            self._move({**dict(_moves(announcement, posts, stories)), **dict(self._reposts(stories))})

    def follow_originals(self, written: Mapping[int, NewActivity]) -> None:
        """Give reposts the story of an original that makes an announcement."""
        reposts = [id_ for id_, new in written.items() if new.content.kind is ActivityKind.REPOST]
        if not self._organizations or not reposts:
            return
        original, link = activity.alias("original"), activity_link
        is_announcement = select(link.c.key).where(link.c.activity_id == original.c.id, link.c.key.startswith(PREFIX))
        rows = self._connection.execute(
            select(activity.c.id, original.c.story)
            .join(original, original.c.key == activity.c.object_key)
            .where(activity.c.id.in_(reposts), _FREE, activity.c.story != original.c.story)
            .where(original.c.story_by_hand.is_(False), original.c.gone.is_(None), is_announcement.exists())
        )
        self._move({row.id: row.story for row in rows})

    def _posts(self, announcement: Announcement) -> list[_Post]:
        ids = select(activity_link.c.activity_id).where(activity_link.c.key == announcement.key)
        newest = whole().where(activity.c.id.in_(ids), _FREE).order_by(activity.c.position.desc()).limit(_MOST)
        found = [activity_of(row, self._connection) for row in self._connection.execute(newest)]
        return [
            _Post(
                item.id,
                item.story,
                Member(item.key, item.content.network, item.position, page_of(item.content) or item.key),
            )
            for item in found
        ]

    def _reposts(self, stories: Mapping[str, str]) -> Iterator[tuple[int, str]]:
        chosen = select(activity.c.id, activity.c.object_key, activity.c.story).where(
            activity.c.object_key.in_(stories), activity.c.kind == ActivityKind.REPOST.value, _FREE
        )
        for row in self._connection.execute(chosen):
            if row.story != stories[row.object_key]:
                yield row.id, stories[row.object_key]

    def _move(self, moves: Mapping[int, str]) -> None:
        if not moves:
            return
        first = Stream(self._connection).take(len(moves))
        rows = [
            {"row": id_, "new_story": story, "next": first + offset}
            for offset, (id_, story) in enumerate(moves.items())
        ]
        self._connection.execute(_MOVE, rows)


def _moves(announcement: Announcement, posts: Sequence[_Post], stories: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Yield the changes; a post that is alone leaves this announcement's stories only."""
    ours = {post.member.natural for post in posts}
    for post in posts:
        story = stories[post.member.key]
        is_alone = story == post.member.natural
        left = post.story is not None and (post.story in ours or post.story.startswith(f"{announcement.key}:"))
        if post.story != story and (left or not is_alone):
            yield post.id, story
