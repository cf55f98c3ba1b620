"""Look up the posts and reposts that Jetstream announces: its events have no pictures, cards, quotes or labels."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind
from aggregator.sources.bluesky.addresses import POSTS, is_did, uri_of
from aggregator.sources.bluesky.client import MOST_URIS
from aggregator.sources.bluesky.normalise import posts_in, read_items, reposted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.source import Json
    from aggregator.source_api.kind import PollContext
    from aggregator.source_api.push import AccountChanged
    from aggregator.source_api.untrusted_json import Record
    from aggregator.sources.bluesky.client import AppView


async def look_up(events: Sequence[AccountChanged], api: AppView, context: PollContext) -> list[NewActivity]:
    """Return the announced posts and reposts that the AppView has and shows.

    Raises:
        SourceError: a response was not usable.
    """
    subjects = {event.original or event.post: None for event in events}
    bodies, profiles = await asyncio.gather(
        asyncio.gather(*(api.posts(part) for part in _parts([uri for uri in subjects if uri_of(uri, POSTS)]))),
        _profiles({event.native_id: None for event in events if event.original}, api),
    )
    return await context.parser.run(_converted, events, bodies, profiles)


def _converted(
    events: Sequence[AccountChanged], bodies: Sequence[bytes], profiles: Mapping[str, Record]
) -> list[NewActivity]:
    views = {str(view.get("uri")): view for body in bodies for view in posts_in(body)}
    items = (_item(event, views, profiles) for event in events)
    return read_items(item for item in items if item is not None).activities


async def _profiles(dids: Collection[str], api: AppView) -> dict[str, Record]:
    found = await asyncio.gather(*(api.profiles(part) for part in _parts(list(dids))))
    return {str(profile["did"]): profile for part in found for profile in part if is_did(profile.get("did"))}


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + MOST_URIS] for start in range(0, len(ids), MOST_URIS))


def _item(event: AccountChanged, views: Mapping[str, Record], profiles: Mapping[str, Record]) -> Record | None:
    """Return an announced post as a timeline has it."""
    view = views.get(event.original or event.post)
    if view is None:
        return None
    if not event.original:
        return {"post": view}
    by = profiles.get(event.native_id)
    return None if by is None else reposted(view, by, event.post, event.at or datetime.now(UTC))


def is_taken(new: NewActivity, excluded: Collection[Json], known: Mapping[str, object]) -> bool:
    """Return whether a poll would store a post, too.

    Args:
        new: the post.
        excluded: what the source leaves out.
        known: the entries of the source's timeline, by native id.
    """
    if new.content.kind is ActivityKind.REPOST:
        # An AppView that doesn't name reposts would give it another id.
        return "reposts" not in excluded and all(uri_of(id_) is not None for id_ in known)
    is_reply_to_others = new.content.in_reply_to is not None and new.thread is None
    return not (is_reply_to_others and "replies" in excluded)
