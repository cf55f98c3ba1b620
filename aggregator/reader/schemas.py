"""The shapes of the API's answers, for its documentation.

Answers are serialised by `serialise`, not by these models: a test holds the two together.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from aggregator.domain.activity import ActivityKind
from aggregator.domain.source import SourceState


def _said(description: str, *examples: object) -> object:
    return Field(description=description, examples=list(examples) or None)


class SourceName(BaseModel):
    """The source that brought an activity."""

    slug: Annotated[str, _said("Its name in addresses", "ministry-news")]
    name: Annotated[str, _said("Its name for people", "Ministry of Justice: News")]


class ActorItem(BaseModel):
    """Who said it."""

    id: Annotated[str, _said("The same for everything that they say: network and their id there", "x:1001")]
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
    all_day: Annotated[
        bool, _said("It takes whole days: start and end are midnights UTC of calendar days, end exclusive")
    ]
    online_url: Annotated[str | None, _said("Where to attend it online", "https://meet.example.org/ogp")]
    cancelled: Annotated[bool, _said("It will not take place")]
    other_start: Annotated[
        datetime | None,
        _said(
            "The other instant that an ambiguous zone label may mean, UTC; the end moves with it",
            "2014-04-16T15:00:00Z",
        ),
    ]


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


class EditorsWords(BaseModel):
    """What editors of this stream wrote beside an activity. Show it as theirs; the activity's own words are whole."""

    headline: Annotated[str | None, _said("Their headline", "What the new plan means for you")]
    note: Annotated[str | None, _said("Their note", "See also our question-and-answer page.")]


class RepostItem(BaseModel):
    """Another repost of the same original, which collapsed into the one shown."""

    id: Annotated[str, _said("Ours", "1041")]
    native_id: Annotated[str, _said("Id where it was published", "454545454545454546")]
    url: Annotated[str | None, _said("Its address", "https://x.com/josephpowell/status/454545454545454546")]
    actor: Annotated[ActorItem | None, _said("Who reposted it; null where that may not be given")]


class ToldItem(BaseModel):
    """Another activity about the same thing, which collapsed into the one shown."""

    id: Annotated[str, _said("Ours", "1041")]
    kind: Annotated[ActivityKind, _said("What it is")]
    network: Annotated[str, _said("Where it was published: x, web, ...", "x")]
    source: Annotated[SourceName, _said("Who brought it")]
    actor: Annotated[ActorItem | None, _said("Who said it; null where that is not told or may not be given")]
    title: Annotated[str | None, _said("Headline")]
    text: Annotated[str, _said("Plain text, whole; empty where its network lets us give no more than its address")]
    url: Annotated[str | None, _said("Its address")]
    published_at: Annotated[datetime | None, _said("As the source says, UTC")]


class ObjectItem(_Content):
    """What a repost or quote is about, in the words of an activity; null where it has no place in this stream."""

    id: Annotated[None, _said("Always null")]
    native_id: Annotated[str, _said("Id where it was published", "454545454545454545")]
    source: Annotated[None, _said("Always null")]
    position_at: Annotated[None, _said("Always null")]
    first_seen_at: Annotated[None, _said("Always null")]
    revision: Annotated[None, _said("Always null")]
    topics: Annotated[list[str], _said("Always empty")]
    countries: Annotated[list[str], _said("Always empty")]
    editors: Annotated[None, _said("Always null")]
    pinned_until: Annotated[None, _said("Always null")]
    object: Annotated[None, _said("Always null")]
    also_reposted_by: Annotated[list[RepostItem], _said("Always empty")]
    story: Annotated[list[ToldItem], _said("Always empty")]


class ActivityItem(_Content):
    """One activity of the stream."""

    id: Annotated[str, _said("Ours; never reused", "1042")]
    native_id: Annotated[str, _said("Id at its source", "454545454545454545")]
    source: Annotated[SourceName, _said("Who brought it")]
    position_at: Annotated[
        datetime, _said("What the stream is ordered by, then by id: when it was published, or first shown")
    ]
    first_seen_at: Annotated[datetime, _said("When it came to us, UTC", "2014-04-02T15:05:00Z")]
    revision: Annotated[int, _said("Rises with every change of this activity", 5120)]
    topics: Annotated[list[str], _said("What it is about, by slug", ["open-data"])]
    countries: Annotated[list[str], _said("Countries that it is about (ISO 3166)", ["GH"])]
    editors: Annotated[EditorsWords | None, _said("What editors wrote beside it; not by its author")]
    pinned_until: Annotated[datetime | None, _said("Until when editors want it on top, UTC")]
    object: Annotated[ObjectItem | None, _said("What a repost or quote is about, with its own author")]
    also_reposted_by: Annotated[
        list[RepostItem], _said("Further reposts of the same original within 40 entries; not given by `stitch=no`")
    ]
    story: Annotated[
        list[ToldItem], _said("What else is about the same thing within 40 entries; given by `collapse=story`")
    ]


ITEM_FIELDS = tuple(ActivityItem.model_fields)


class StaleSource(BaseModel):
    """A source that fails or is long overdue: its last good items are shown."""

    slug: Annotated[str, _said("Its name in addresses", "ministry-news")]
    name: Annotated[str, _said("Its name for people", "Ministry of Justice: News")]
    last_success_at: Annotated[datetime | None, _said("When it last answered, UTC; null: never")]
    age: Annotated[int | None, _said("Seconds since then, in whole minutes", 7200)]
    code: Annotated[str, _said("Stable error code; overdue: not read for a long time", "http-status")]
    reason: Annotated[
        str,
        _said("The code as a sentence; with a token, the details", "The publisher's server answered with an error."),
    ]


class ActivityPage(BaseModel):
    """One page of the merged stream."""

    items: Annotated[list[ActivityItem], _said("Whole ones; where `fields` was given, with these fields alone")]
    pinned: Annotated[
        list[ActivityItem],
        _said("On the first page: what editors want on top, newest first. It is among the items, too, where it fits"),
    ]
    next: Annotated[
        str | None, _said("Cursor of the next page (older); null on the last one", "MS4xMzk2NDUxMDQ1MDAwMDAwLjE3")
    ]
    prev: Annotated[str | None, _said("Cursor of the page before (newer); null on the first one")]
    partial: Annotated[
        bool,
        _said(
            "True: the filters hardly ever meet, and only a part of the stream was looked at; follow `next` for more"
        ),
    ]
    stale: Annotated[bool, _said("True: what some sources show may be old; the last good items are shown")]
    stale_sources: Annotated[list[StaleSource], _said("Which, how old, and why")]


class FacetValue(BaseModel):
    """A value to filter by, and how much there is of it."""

    value: Annotated[str, _said("What to give as the filter", "GH")]
    label: Annotated[str, _said("Its name for people", "Ghana")]
    count: Annotated[int, _said("How many activities", 12)]


class FacetList(BaseModel):
    """What could be filtered by further, most first."""

    kind: list[FacetValue]
    network: list[FacetValue]
    source: list[FacetValue]
    topic: list[FacetValue]
    country: list[FacetValue]
    cohort: list[FacetValue]
    lang: list[FacetValue]
    examined: Annotated[int, _said("Of how many activities: the newest that fit", 10000)]
    partial: Annotated[bool, _said("True: there are more that were not counted; `since` bounds what is looked at")]


class SourceItem(BaseModel):
    """A source and how it is."""

    slug: Annotated[str, _said("Its name in addresses", "ministry-news")]
    name: Annotated[str, _said("Its name for people", "Ministry of Justice: News")]
    kind: Annotated[str, _said("How it is read: rss, twitter, ...", "rss")]
    site: Annotated[str | None, _said("Home page; null where it has none or is not public", "https://example.org/")]
    address: Annotated[str | None, _said("What is polled; null without a token", "https://example.org/feed")]
    state: Annotated[
        Literal[SourceState.ACTIVE, SourceState.PAUSED, SourceState.STOPPED], _said("Whether it is polled")
    ]
    state_reason: Annotated[str, _said("Why, for a state other than active; details with a token only")]
    last_success_at: Annotated[datetime | None, _said("When it last answered, UTC")]
    last_new_at: Annotated[datetime | None, _said("When it last brought something new, UTC")]
    last_polled_at: Annotated[datetime | None, _said("When it was last asked, UTC")]
    next_poll_at: Annotated[datetime, _said("When it will be asked next, UTC")]
    error_code: Annotated[str | None, _said("Stable code of why the last poll failed; null after a success")]
    last_error: Annotated[str | None, _said("The code as a sentence; with a token, the details")]
    stale: Annotated[bool, _said("True: what it shows may be old, since it fails or is long overdue")]


class SourceList(BaseModel):
    """All sources."""

    items: list[SourceItem]


class ActivityChange(BaseModel):
    """An activity that came or changed, as it is now."""

    type: Literal["activity"]
    revision: Annotated[int, _said("Of this change", 5120)]
    activity: ActivityItem


class GoneChange(BaseModel):
    """An activity that left the stream: deleted, hidden or withdrawn; which of them is not told."""

    type: Literal["gone"]
    revision: Annotated[int, _said("Of this change", 5121)]
    id: Annotated[str, _said("The activity's", "1042")]


class SourceChange(BaseModel):
    """A source that came or changed, as it is now."""

    type: Literal["source"]
    revision: Annotated[int, _said("Of this change", 5122)]
    source: SourceItem


class SourceGoneChange(BaseModel):
    """A source that was removed. What becomes of its items comes as changes of these."""

    type: Literal["source_gone"]
    revision: Annotated[int, _said("Of this change", 5123)]
    slug: Annotated[str, _said("The source's", "ministry-news")]


class ActorChange(BaseModel):
    """Somebody's new name, handle or picture: it holds for everything of theirs, also within reposts."""

    type: Literal["actor"]
    revision: Annotated[int, _said("Of this change", 5124)]
    actor: Annotated[ActorItem, _said("As they are now")]


class ChangeList(BaseModel):
    """Everything that changed after a revision, each thing once, in the order of the changes."""

    instance: Annotated[
        str, _said("Of the database. If it is another one than before, revisions start anew: mirror from 0 again")
    ]
    changes: list[
        Annotated[
            ActivityChange | GoneChange | SourceChange | SourceGoneChange | ActorChange, Field(discriminator="type")
        ]
    ]
    next: Annotated[int, _said("The revision to ask after next", 5124)]
    more: Annotated[bool, _said("True: there is more already")]


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
