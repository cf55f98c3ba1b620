"""What we hold in the words of the API; `models` describes the same shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from aggregator.domain.activity import ActivityKind
from aggregator.domain.source import SourceState
from aggregator.domain.source_health import is_stale
from aggregator.reader.public_sources import error_code, sentence_of, site_of
from aggregator.web.dates import machine_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import (
        Activity,
        Actor,
        Content,
        Media,
        Occasion,
        Original,
    )
    from aggregator.domain.source import Source
    from aggregator.domain.stream import Changes, Page
    from aggregator.reader.facets import Facet
    from aggregator.reader.health import Stale
    from aggregator.reader.visibility import Audience


def encode(value: Mapping[str, Any]) -> bytes:
    """Return JSON as UTF-8."""
    return to_json(value)


def page(
    found: Page, audience: Audience, stale: Sequence[Stale] = (), fields: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return a page of the stream, as far as its audience may have it, its items slimmed to some fields."""
    items = [activity(item, audience, found.others.get(item.id, ())) for item in found.items]
    pinned = [activity(item, audience) for item in found.pinned]
    return {
        "items": _slimmed(items, fields),
        "pinned": _slimmed(pinned, fields),
        "next": str(found.next) if found.next else None,
        "prev": str(found.prev) if found.prev else None,
        "partial": found.partial,
        "stale": bool(stale),
        "stale_sources": [
            {
                "slug": one.slug,
                "name": one.name,
                "last_success_at": _moment(one.last_success),
                "age": one.age,
                "code": one.code,
                "reason": one.reason if audience.source_details else one.plain,
            }
            for one in stale
        ],
    }


def facets(found: Mapping[str, Sequence[Facet]], examined: int, *, partial: bool) -> dict[str, Any]:
    """Return what could be filtered by, and how much there is of each."""
    listed = {
        name: [{"value": one.value, "label": one.label, "count": one.count} for one in values]
        for name, values in found.items()
    }
    return {**listed, "examined": examined, "partial": partial}


def _slimmed(items: list[dict[str, Any]], fields: frozenset[str]) -> list[dict[str, Any]]:
    return [{name: item[name] for name in item if name in fields} for item in items] if fields else items


def changes(found: Changes, instance: str, audience: Audience, now: datetime) -> dict[str, Any]:
    """Return what changed, in the order of the changes."""
    listed = [
        *(
            {"type": "activity", "revision": one.revision, "activity": activity(one, audience)}
            for one in found.activities
        ),
        *({"type": "gone", "revision": revision, "id": str(id_)} for id_, revision in found.gone),
        *(_source_change(one, now, audience) for one in found.sources),
        *(
            {"type": "actor", "revision": revision, "actor": _actor(one)}
            for one, revision in found.actors
            if audience.actor(one)
        ),
    ]
    return {
        "instance": instance,
        "changes": sorted(listed, key=lambda change: change["revision"]),
        "next": found.upto,
        "more": found.more,
    }


def _source_change(of: Source, now: datetime, audience: Audience) -> dict[str, Any]:
    if of.state is SourceState.REMOVED:
        return {"type": "source_gone", "revision": of.revision, "slug": of.slug}
    return {"type": "source", "revision": of.revision, "source": source(of, now, audience)}


def activity(item: Activity, audience: Audience, others: Iterable[Activity] = ()) -> dict[str, Any]:
    """Return one activity with the object it is about, and the other reposts of that which collapsed into it."""
    return {
        "id": str(item.id),
        "native_id": item.native_id,
        "source": {"slug": item.source.slug, "name": item.source.name},
        "position_at": machine_time(item.position),
        "first_seen_at": machine_time(item.first_seen),
        "revision": item.revision,
        **_content(item.content, audience),
        "topics": list(item.topics),
        "countries": list(item.countries),
        "editors": {"headline": item.headline, "note": item.note} if item.headline or item.note else None,
        "pinned_until": _moment(item.pinned_until),
        "object": _original(item.object, audience) if item.object else None,
        "also_reposted_by": [_repost(one, audience) for one in others if _is_repost(one)],
        "story": [_told(one, audience) for one in others if not _is_repost(one)],
    }


def source(of: Source, now: datetime, audience: Audience) -> dict[str, Any]:
    """Return one source and its status; its address and error sentences only where the audience gets them."""
    code = error_code(of)
    plain = sentence_of(code) if code else None
    details = audience.source_details
    return {
        "slug": of.slug,
        "name": of.name,
        "kind": of.kind,
        "site": site_of(of),
        "address": of.address if details else None,
        "state": of.state.value,
        "state_reason": of.state_reason if details else plain or "",
        "last_success_at": _moment(of.last_success),
        "last_new_at": _moment(of.last_new),
        "last_polled_at": _moment(of.last_polled),
        "next_poll_at": machine_time(of.due),
        "error_code": code,
        "last_error": of.last_error if details else plain,
        "stale": is_stale(of, now),
    }


def _repost(item: Activity, audience: Audience) -> dict[str, Any]:
    actor = audience.actor(item.content.actor)
    return {
        "id": str(item.id),
        "native_id": item.native_id,
        "url": item.content.url,
        "actor": _actor(actor) if actor else None,
    }


def _is_repost(item: Activity) -> bool:
    return item.content.kind is ActivityKind.REPOST


def _told(item: Activity, audience: Audience) -> dict[str, Any]:
    content = audience.content(item.content)
    return {
        "id": str(item.id),
        "kind": content.kind.value,
        "network": content.network,
        "source": {"slug": item.source.slug, "name": item.source.name},
        "actor": _actor(content.actor) if content.actor else None,
        "title": content.title,
        "text": content.text,
        "url": content.url,
        "published_at": _moment(content.published),
    }


def _original(original: Original, audience: Audience) -> dict[str, Any]:
    return {
        "id": None,  # it is shown within ours and has no place of its own in the stream
        "native_id": original.native_id,
        "source": None,
        "position_at": None,
        "first_seen_at": None,
        "revision": None,
        **_content(original.content, audience),
        "topics": [],
        "countries": [],
        "editors": None,
        "pinned_until": None,
        "object": None,
        "also_reposted_by": [],
        "story": [],
    }


def _content(whole: Content, audience: Audience) -> dict[str, Any]:
    content = audience.content(whole)
    return {
        "kind": content.kind.value,
        "network": content.network,
        "actor": _actor(content.actor) if content.actor else None,
        "title": content.title,
        "text": content.text,
        "html": content.html,
        "url": content.url,
        "lang": content.lang,
        "published_at": _moment(content.published),
        "updated_at": _moment(content.updated),
        "media": [_media(media) for media in content.media],
        "links": [{"url": link.url, "text": link.text} for link in content.links],
        "hashtags": list(content.hashtags),
        "mentions": [{"handle": mention.handle, "url": mention.url} for mention in content.mentions],
        "event": _event(content.event) if content.event else None,
        "sensitive": content.sensitive,
        "edited": content.edited,
        "complete": content.complete,
        "in_reply_to": content.in_reply_to,
        "withheld_in": list(content.withheld),
        "content_withheld": content is not whole,
    }


def _actor(actor: Actor) -> dict[str, Any]:
    who = f"{actor.network}:{actor.native_id}"
    return {"id": who, "name": actor.name, "handle": actor.handle, "url": actor.url, "avatar": actor.avatar}


def _media(media: Media) -> dict[str, Any]:
    return {
        "type": media.type,
        "url": media.url,
        "alt": media.alt,
        "mime": media.mime,
        "width": media.width,
        "height": media.height,
        "bytes": media.bytes,
        "duration": media.duration,
        "preview": media.preview,
    }


def _event(event: Occasion) -> dict[str, Any]:
    return {
        "start": machine_time(event.start),
        "end": _moment(event.end),
        "zone_label": event.zone_label,
        "place": event.place,
        "all_day": event.all_day,
        "online_url": event.online,
        "cancelled": event.cancelled,
        "other_start": _moment(event.other_start),
    }


def _moment(moment: datetime | None) -> str | None:
    return machine_time(moment) if moment else None
