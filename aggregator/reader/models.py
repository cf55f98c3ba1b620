"""The shapes of the API's answers, for its documentation.

Answers are serialised by `serialise`, not by these models: a test holds the two together.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from aggregator.activity import ActivityKind
from aggregator.source import SourceState


def _said(description: str, *examples: object) -> object:
    return Field(description=description, examples=list(examples) or None)


class SourceName(BaseModel):
    """The source that brought an activity."""

    slug: Annotated[str, _said("Its name in addresses", "ministry-news")]
    name: Annotated[str, _said("Its name for people", "Ministry of Justice: News")]


class ActorItem(BaseModel):
    """Who said it."""

    name: Annotated[str, _said("Name as shown", "Open Gov Hub")]
    handle: Annotated[str | None, _said("Handle without @", "OpenGovHub")]
    url: Annotated[str | None, _said("Profile", "https://x.com/OpenGovHub")]
    avatar: Annotated[str | None, _said("Address of a picture")]


class MediaItem(BaseModel):
    """A picture, sound or film. Files stay with their publisher."""

    type: Annotated[str, _said("image, video, audio, animation or file", "image")]
    url: Annotated[str, _said("Where the file is")]
    alt: Annotated[str | None, _said("What it shows, for those who can't see it", "Delegates in a plenary hall")]
    mime: Annotated[str | None, _said("Media type", "image/jpeg")]
    width: Annotated[int | None, _said("Pixels", 1200)]
    height: Annotated[int | None, _said("Pixels", 800)]
    bytes: Annotated[int | None, _said("Size of the file", 81234)]
    duration: Annotated[float | None, _said("Seconds", 83.5)]
    preview: Annotated[str | None, _said("Address of a still picture")]


class LinkItem(BaseModel):
    """An address that the text points to."""

    url: Annotated[str, _said("Where it leads", "https://example.org/apply")]
    text: Annotated[str | None, _said("How the publisher shows it", "example.org/apply")]


class MentionItem(BaseModel):
    """Somebody named in the text."""

    handle: Annotated[str, _said("Handle without @", "opengovpart")]
    url: Annotated[str | None, _said("Profile", "https://x.com/opengovpart")]


class EventItem(BaseModel):
    """When and where an event takes place."""

    start: Annotated[datetime, _said("Instant, UTC", "2014-04-16T14:00:00Z")]
    end: Annotated[datetime | None, _said("Instant, UTC", "2014-04-16T15:00:00Z")]
    zone_label: Annotated[str | None, _said("Time zone as the source wrote it", "EST")]
    place: Annotated[str | None, _said("Where", "Dublin Castle")]


class _Content(BaseModel):
    kind: Annotated[ActivityKind, _said("What it is")]
    network: Annotated[str, _said("Where it was published: x, web, ...", "web")]
    actor: Annotated[ActorItem | None, _said("Who said it; null where the source does not tell")]
    title: Annotated[str | None, _said("Headline", "New action plan published")]
    text: Annotated[str, _said("Plain text, whole")]
    html: Annotated[str, _said("The same as clean HTML: sanitised, links absolute")]
    url: Annotated[str | None, _said("Address of the original", "https://example.org/news/plan")]
    lang: Annotated[str | None, _said("Language (BCP 47)", "en")]
    published_at: Annotated[datetime | None, _said("As the source says, UTC", "2014-04-02T15:04:05Z")]
    updated_at: Annotated[datetime | None, _said("As the source says, UTC")]
    media: Annotated[list[MediaItem], _said("Pictures, sounds and films, in the publisher's order")]
    links: Annotated[list[LinkItem], _said("Addresses in the text")]
    hashtags: Annotated[list[str], _said("Without #", ["OpenGov"])]
    mentions: Annotated[list[MentionItem], _said("People and organisations named in the text")]
    event: Annotated[EventItem | None, _said("For events: when and where")]
    sensitive: Annotated[bool, _said("The publisher marked it as sensitive")]
    edited: Annotated[bool, _said("The publisher changed it after publishing")]
    complete: Annotated[bool, _said("False: the source gave only the beginning")]
    in_reply_to: Annotated[str | None, _said("Address of what this answers")]
    withheld_in: Annotated[list[str], _said("Countries (ISO 3166) in which its network does not show it", ["DE"])]
    content_withheld: Annotated[
        bool,
        _said("True: the terms of its network let us give no more than its id and address; follow `url` for the rest"),
    ]


class RepostItem(BaseModel):
    """Another repost of the same original, which collapsed into the one shown."""

    id: Annotated[str, _said("Ours", "1041")]
    native_id: Annotated[str, _said("Id where it was published", "454545454545454546")]
    url: Annotated[str | None, _said("Its address", "https://x.com/josephpowell/status/454545454545454546")]
    actor: Annotated[ActorItem | None, _said("Who reposted it; null where that may not be given")]


class ObjectItem(_Content):
    """What a repost or quote is about, in the words of an activity; null where it has no place in this stream."""

    id: Annotated[None, _said("Always null")]
    native_id: Annotated[str, _said("Id where it was published", "454545454545454545")]
    source: Annotated[None, _said("Always null")]
    first_seen_at: Annotated[None, _said("Always null")]
    revision: Annotated[None, _said("Always null")]
    object: Annotated[None, _said("Always null")]
    also_reposted_by: Annotated[list[RepostItem], _said("Always empty")]


class ActivityItem(_Content):
    """One activity of the stream."""

    id: Annotated[str, _said("Ours; never reused", "1042")]
    native_id: Annotated[str, _said("Id at its source", "454545454545454545")]
    source: Annotated[SourceName, _said("Who brought it")]
    first_seen_at: Annotated[datetime, _said("When it came to us, UTC", "2014-04-02T15:05:00Z")]
    revision: Annotated[int, _said("Rises with every change of this activity", 5120)]
    object: Annotated[ObjectItem | None, _said("What a repost or quote is about, with its own author")]
    also_reposted_by: Annotated[
        list[RepostItem], _said("Further reposts of the same original within 40 entries; not given by `stitch=no`")
    ]


class ActivityPage(BaseModel):
    """One page of the merged stream, newest first."""

    items: list[ActivityItem]
    next: Annotated[str | None, _said("Cursor of the next page; null on the last one", "MS4xMzk2NDUxMDQ1MDAwMDAwLjE3")]


class SourceItem(BaseModel):
    """A source and how it is."""

    slug: Annotated[str, _said("Its name in addresses", "ministry-news")]
    name: Annotated[str, _said("Its name for people", "Ministry of Justice: News")]
    kind: Annotated[str, _said("How it is read: rss, twitter, ...", "rss")]
    address: Annotated[str, _said("What is polled", "https://example.org/feed")]
    state: Annotated[
        Literal[SourceState.ACTIVE, SourceState.PAUSED, SourceState.STOPPED], _said("Whether it is polled")
    ]
    state_reason: Annotated[str, _said("Why, for a state other than active")]
    last_success_at: Annotated[datetime | None, _said("When it last answered, UTC")]
    last_new_at: Annotated[datetime | None, _said("When it last brought something new, UTC")]
    last_polled_at: Annotated[datetime | None, _said("When it was last asked, UTC")]
    next_poll_at: Annotated[datetime, _said("When it will be asked next, UTC")]
    last_error: Annotated[str | None, _said("Why the last poll failed; null after a success")]
    stale: Annotated[bool, _said("True: what it shows may be old, since it fails or is long overdue")]


class SourceList(BaseModel):
    """All sources."""

    items: list[SourceItem]


class Liveness(BaseModel):
    """The process is alive."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Whether this reader can answer, and whether anything new may be expected."""

    status: Annotated[Literal["ready", "unavailable"], _said("Whether readers get answers")]
    database: Annotated[str, _said("ok, or what is wrong with it", "ok")]
    last_tick_at: Annotated[datetime | None, _said("When a scheduler last ran, UTC")]
    last_tick_age: Annotated[float | None, _said("The same in seconds", 3.2)]
    worker: Annotated[str | None, _said("A warning where nothing seems to be polled; the reader still answers")]
