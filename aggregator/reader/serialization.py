"""Convert activities, changes and sources to the response types of `schemas` and encode them as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from aggregator.domain.activity import ActivityKind
from aggregator.domain.descriptions import image_key, images_of
from aggregator.domain.source import SourceState
from aggregator.domain.source_health import is_stale
from aggregator.reader.public_sources import error_code, sentence_of, site_of
from aggregator.reader.schemas import (
    ActivityChange,
    ActivityItem,
    ActivityPage,
    ActorChange,
    ActorItem,
    ChangeList,
    EditorsWords,
    EventItem,
    FacetList,
    FacetValue,
    FocusItem,
    GoneChange,
    LinkItem,
    MediaItem,
    MentionItem,
    ObjectItem,
    PollItem,
    RepostItem,
    SourceChange,
    SourceGoneChange,
    SourceItem,
    SourceName,
    StaleSource,
    ToldItem,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import Activity, Actor, Content, Media, Occasion, Original, SourceRef
    from aggregator.domain.source import Source
    from aggregator.domain.stream import Changes, Page
    from aggregator.reader.facets import Facet
    from aggregator.reader.health import Stale
    from aggregator.reader.schemas import Change
    from aggregator.reader.visibility import Audience

encode = msgspec.json.encode


def page(found: Page, audience: Audience, stale: Sequence[Stale] = ()) -> ActivityPage:
    """Convert a page of the stream, as far as its audience may see it."""
    return ActivityPage(
        items=tuple(activity(item, audience, found.others.get(item.id, ())) for item in found.items),
        pinned=tuple(activity(item, audience, found.others.get(item.id, ())) for item in found.pinned),
        next=str(found.next) if found.next else None,
        prev=str(found.prev) if found.prev else None,
        partial=found.partial,
        stale=bool(stale),
        stale_sources=tuple(_stale(source, audience) for source in stale),
    )


def selected(whole: ActivityPage, fields: frozenset[str]) -> dict[str, Any]:
    """Reduce the items of a page to some of their fields."""
    return {
        **msgspec.structs.asdict(whole),
        "items": [_with_fields(item, fields) for item in whole.items],
        "pinned": [_with_fields(item, fields) for item in whole.pinned],
    }


def _with_fields(item: ActivityItem, fields: frozenset[str]) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__struct_fields__ if name in fields}


def _stale(source: Stale, audience: Audience) -> StaleSource:
    reason = source.reason if audience.source_details else source.plain
    return StaleSource(source.slug, source.name, source.last_success, source.age, source.code, reason)


def facets(found: Mapping[str, Sequence[Facet]], examined: int, *, partial: bool) -> FacetList:
    """Convert facet counts."""
    listed = {
        name: tuple(FacetValue(facet.value, facet.label, facet.count) for facet in values)
        for name, values in found.items()
    }
    return FacetList(**listed, examined=examined, partial=partial)


def changes(found: Changes, instance: str, audience: Audience, now: datetime) -> ChangeList:
    """Convert changes, in revision order."""
    listed: list[Change] = [
        *(ActivityChange(item.revision, activity(item, audience)) for item in found.activities),
        *(GoneChange(revision, str(id_)) for id_, revision in found.gone),
        *(_source_change(source, now, audience) for source in found.sources),
        *(ActorChange(revision, _actor(actor)) for actor, revision in found.actors if audience.actor(actor)),
    ]
    listed.sort(key=lambda change: change.revision)
    return ChangeList(instance, tuple(listed), found.upto, found.more)


def _source_change(changed: Source, now: datetime, audience: Audience) -> SourceChange | SourceGoneChange:
    if changed.state is SourceState.REMOVED:
        return SourceGoneChange(changed.revision, changed.slug)
    return SourceChange(changed.revision, source(changed, now, audience))


def activity(item: Activity, audience: Audience, others: Iterable[Activity] = ()) -> ActivityItem:
    """Convert one activity with its original and what collapsed into it: other reposts, other items of the story."""
    return ActivityItem(
        id=str(item.id),
        native_id=item.native_id,
        source=_name(item.source),
        position_at=item.position,
        first_seen_at=item.first_seen,
        revision=item.revision,
        topics=tuple(item.topics),
        countries=tuple(item.countries),
        editors=_editors(item, audience),
        pinned_until=item.pinned_until,
        thread=item.thread if audience.gets(item.content.network) else None,
        object=_original(item.object, audience) if item.object else None,
        also_reposted_by=tuple(_repost(other, audience) for other in others if _is_repost(other)),
        story=tuple(_story_item(other, audience) for other in others if not _is_repost(other)),
        **_content(item.content, audience),
    )


def _editors(item: Activity, audience: Audience) -> EditorsWords | None:
    """Return what the editors added to an item, if anything."""
    images = images_of(item.content, item.object) if item.descriptions and audience.gets(item.content.network) else ()
    described = tuple(image.url for image in images if image_key(image.url) in item.descriptions)
    return EditorsWords(item.headline, item.note, described) if item.headline or item.note or described else None


def source(shown: Source, now: datetime, audience: Audience) -> SourceItem:
    """Convert one source and its status; addresses and error details only where the audience may see them."""
    code = error_code(shown.state, shown.poll.last_error_code)
    plain = sentence_of(code) if code else None
    details = audience.source_details
    return SourceItem(
        slug=shown.slug,
        name=shown.name,
        kind=shown.kind,
        site=site_of(shown),
        address=shown.address if details else None,
        state=shown.state.value,  # type: ignore[arg-type]  # removed sources are not listed
        state_reason=shown.state_reason if details else plain or "",
        last_success_at=shown.poll.last_success,
        last_new_at=shown.poll.last_new,
        last_polled_at=shown.poll.last_polled,
        next_poll_at=shown.poll.due,
        error_code=code,
        last_error=shown.poll.last_error if details else plain,
        stale=is_stale(shown.state, shown.poll, now),
    )


def _repost(item: Activity, audience: Audience) -> RepostItem:
    return RepostItem(
        id=str(item.id),
        native_id=item.native_id,
        url=item.content.url,
        actor=_maybe_actor(audience.content(item.content).actor),
    )


def _is_repost(item: Activity) -> bool:
    return item.content.kind is ActivityKind.REPOST


def _story_item(item: Activity, audience: Audience) -> ToldItem:
    content = audience.content(item.content)
    return ToldItem(
        id=str(item.id),
        kind=content.kind,
        network=content.network,
        source=_name(item.source),
        actor=_maybe_actor(content.actor),
        title=content.title,
        text=content.text,
        url=content.url,
        published_at=content.published,
    )


def _original(original: Original, audience: Audience) -> ObjectItem:
    return ObjectItem(
        id=None,
        native_id=original.native_id,
        source=None,
        position_at=None,
        first_seen_at=None,
        revision=None,
        topics=(),
        countries=(),
        editors=None,
        pinned_until=None,
        thread=None,
        object=_original(original.object, audience) if original.object else None,
        also_reposted_by=(),
        story=(),
        **_content(original.content, audience),
    )


def _content(whole: Content, audience: Audience) -> dict[str, Any]:
    content = audience.content(whole)
    return {
        "kind": content.kind,
        "network": content.network,
        "actor": _maybe_actor(content.actor),
        "title": content.title,
        "text": content.text,
        "html": content.html,
        "url": content.url,
        "lang": content.lang,
        "published_at": content.published,
        "updated_at": content.updated,
        "media": tuple(_media(media) for media in content.media),
        "links": tuple(
            LinkItem(link.url, link.text, link.title, link.description, link.image) for link in content.links
        ),
        "hashtags": tuple(content.hashtags),
        "mentions": tuple(MentionItem(mention.handle, mention.url) for mention in content.mentions),
        "event": _event(content.event) if content.event else None,
        "sensitive": content.sensitive,
        "edited": content.edited,
        "complete": content.complete,
        "in_reply_to": content.in_reply_to,
        "quote_of": content.quote_of,
        "poll": PollItem(content.poll.options, content.poll.ends) if content.poll else None,
        "withheld_in": tuple(content.withheld),
        "content_withheld": content is not whole,
    }


def _name(named: SourceRef) -> SourceName:
    return SourceName(named.slug, named.name)


def _actor(actor: Actor) -> ActorItem:
    return ActorItem(f"{actor.network}:{actor.native_id}", actor.name, actor.handle, actor.url, actor.avatar)


def _maybe_actor(actor: Actor | None) -> ActorItem | None:
    return _actor(actor) if actor else None


def _media(media: Media) -> MediaItem:
    return MediaItem(
        type=media.type,
        url=media.url,
        alt=media.alt,
        mime=media.mime,
        width=media.width,
        height=media.height,
        bytes=media.bytes,
        duration=media.duration,
        preview=media.preview,
        focus=FocusItem(*media.focus) if media.focus else None,
    )


def _event(event: Occasion) -> EventItem:
    return EventItem(
        start=event.start,
        end=event.end,
        zone_label=event.zone_label,
        place=event.place,
        all_day=event.all_day,
        online_url=event.online,
        cancelled=event.cancelled,
        other_start=event.other_start,
    )
