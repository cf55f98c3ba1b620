"""Reduce activities to ids, for operators who may not store or show the content of a network. Pure.

What remains is needed to find a post again, to link to it, and to remove it when its network does: id, permalink, kind,
time, the handle of its author if it is known, the id of the original of a repost or quote, and withheld countries.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.domain.activity import BY_RULE, BY_SOURCE, ActivityKind, Actor, Content, NewActivity
from aggregator.domain.matching.entry_matching import entry_keys
from aggregator.domain.matching.fingerprint import fingerprint
from aggregator.domain.matching.stories import story_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.activity import Activity, ScreenedActivity

_NOT_FROM_WORDS = {BY_RULE, BY_SOURCE}  # reasons of tags


def reduced_actor(actor: Actor | None) -> Actor | None:
    """Return an account without its name and picture."""
    if actor is None:
        return None
    name = f"@{actor.handle}" if actor.handle else actor.native_id
    return Actor(actor.network, actor.native_id, name, actor.handle, actor.url, partial=actor.partial)


def reduced_content(content: Content) -> Content:
    """Return a content without its words, media and links."""
    return Content(
        kind=content.kind,
        network=content.network,
        url=content.url,
        actor=reduced_actor(content.actor),
        published=content.published,
        withheld=content.withheld,
        ids_only=True,
    )


def reduced_activity(new: NewActivity) -> NewActivity:
    """Return an activity without its content, raw entry and embedded posts."""
    content = reduced_content(new.content)
    visible = f"{new.key} {new.object_key} {fingerprint(content, None)}"
    digest = hashlib.sha256(visible.encode()).hexdigest()  # that of the raw entry would change with its words
    return NewActivity(new.native_id, new.key, content, digest, object_key=new.object_key)


def reduced_entry(entry: ScreenedActivity) -> ScreenedActivity:
    """Return a screened activity without its content and all that was derived from it."""
    new = reduced_activity(entry.new)
    keys = entry_keys(new)
    reasons = reduced_reasons(entry.reasons)
    return replace(
        entry,
        new=new,
        fingerprint=fingerprint(new.content, None),
        search_text="",
        topics=tuple(topic for topic in entry.topics if topic in reasons),
        countries=tuple(country for country in entry.countries if country in reasons),
        reasons=reasons,
        story=story_of(new),
        stable_key=keys.stable_key,
        content_key=keys.content_key,
    )


def reduced_item(item: Activity) -> Activity:
    """Return a stored activity as it is stored without its content."""
    reasons = reduced_reasons(item.reasons)
    return replace(
        item,
        content=reduced_content(item.content),
        object=None,
        topics=tuple(topic for topic in item.topics if topic in reasons),
        countries=tuple(country for country in item.countries if country in reasons),
        reasons=reasons,
        thread=None,
        descriptions={},
    )


def reduced_reasons(reasons: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that no word of the content caused."""
    return {tag: reason for tag, reason in reasons.items() if reason in _NOT_FROM_WORDS}


def embedded_id(item: Activity) -> str | None:
    """Return the id of the post that the network's embed shows for an item: the newest version, or the original."""
    prefix = f"{item.content.network}:"
    if item.content.kind is ActivityKind.REPOST and item.object_key:
        return _numeric(item.object_key.removeprefix(prefix))
    version = (item.content.url or "").rpartition("/")[2]
    return _numeric(version) or _numeric(item.key.removeprefix(prefix))


def _numeric(native_id: str) -> str | None:
    return native_id if native_id.isascii() and native_id.isdigit() else None
