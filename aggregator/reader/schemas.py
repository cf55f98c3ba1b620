"""Define the JSON responses of the API: one type each for the encoder, the OpenAPI schema and the documentation.

Field descriptions are part of the OpenAPI document. Times are RFC 3339 in UTC.
"""

from typing import Annotated, Literal

from msgspec import Struct

from aggregator.domain.activity import ActivityKind
from aggregator.reader.health_schemas import Liveness, Readiness
from aggregator.reader.schema_fields import Instant
from aggregator.reader.schema_fields import described as _doc


class SourceName(Struct, frozen=True):
    """The source that an activity was collected from."""

    slug: Annotated[str, _doc("Stable name in URLs", "ministry-news")]
    name: Annotated[str, _doc("Display name", "Ministry of Justice: News")]


class ActorItem(Struct, frozen=True):
    """The author of an activity."""

    id: Annotated[str, _doc("Network and the author's ID there; the same for all activities of an author", "x:1001")]
    name: Annotated[str, _doc("Display name", "Open Gov Hub")]
    handle: Annotated[str | None, _doc("Handle without @", "OpenGovHub")]
    url: Annotated[str | None, _doc("Profile URL", "https://x.com/OpenGovHub")]
    avatar: Annotated[str | None, _doc("Avatar URL")]


class FocusItem(Struct, frozen=True):
    """The point of an image that stays visible when it is cropped."""

    x: Annotated[float, _doc("From -1 (left) to 1 (right)", -0.4)]
    y: Annotated[float, _doc("From -1 (bottom) to 1 (top)", 0.25)]


class MediaItem(Struct, frozen=True):
    """An image, audio or video file, hosted by its publisher."""

    type: Annotated[str, _doc("image, video, audio, animation or file", "image")]
    url: Annotated[str, _doc("URL of the file")]
    alt: Annotated[str | None, _doc("Alternative text", "Delegates in a plenary hall")]
    mime: Annotated[str | None, _doc("Media type", "image/jpeg")]
    width: Annotated[int | None, _doc("Pixels", 1200)]
    height: Annotated[int | None, _doc("Pixels", 800)]
    bytes: Annotated[int | None, _doc("File size", 81234)]
    duration: Annotated[float | None, _doc("Seconds", 83.5)]
    preview: Annotated[str | None, _doc("URL of a still image")]
    focus: Annotated[FocusItem | None, _doc("The point that crops keep; null: the center")]


class LinkItem(Struct, frozen=True):
    """A link in the text."""

    url: Annotated[str, _doc("Target URL", "https://example.org/apply")]
    text: Annotated[str | None, _doc("Link text as the publisher shows it", "example.org/apply")]
    title: Annotated[str | None, _doc("Title of the linked page, if there is a preview", "Call for applications")]
    description: Annotated[str | None, _doc("Description in the preview")]
    image: Annotated[str | None, _doc("URL of the image in the preview")]


class PollItem(Struct, frozen=True):
    """A vote among options. Counts are not given: they change until the end."""

    options: Annotated[tuple[str, ...], _doc("Options in their order; empty: not known here", ["Yes", "No"])]
    ends_at: Annotated[Instant | None, _doc("End of the vote, UTC")]


class MentionItem(Struct, frozen=True):
    """A person or organization mentioned in the text."""

    handle: Annotated[str, _doc("Handle without @", "opengovpart")]
    url: Annotated[str | None, _doc("Profile URL", "https://x.com/opengovpart")]


class EventItem(Struct, frozen=True):
    """Time and place of an event."""

    start: Annotated[Instant, _doc("UTC", "2014-04-16T14:00:00Z")]
    end: Annotated[Instant | None, _doc("UTC", "2014-04-16T15:00:00Z")]
    zone_label: Annotated[str | None, _doc("Time zone as the source wrote it", "EST")]
    place: Annotated[str | None, _doc("Venue", "Dublin Castle")]
    all_day: Annotated[bool, _doc("True: start and end are midnights UTC of calendar days; the end is exclusive")]
    online_url: Annotated[str | None, _doc("URL for online attendance", "https://meet.example.org/ogp")]
    cancelled: Annotated[bool, _doc("True: the event was cancelled")]
    other_start: Annotated[
        Instant | None,
        _doc(
            "The other start that an ambiguous time zone label may mean, UTC; the end moves with it",
            "2014-04-16T15:00:00Z",
        ),
    ]


class EditorsWords(Struct, frozen=True):
    """Words of the editors of this stream. Attribute them to the editors, not to the author."""

    headline: Annotated[str | None, _doc("Editors' headline", "What the new plan means for you")]
    note: Annotated[str | None, _doc("Editors' note", "See also our question-and-answer page.")]
    described_images: Annotated[
        tuple[str, ...],
        _doc("URLs of the images whose `alt` the editors wrote", ["https://opengov.example/assembly.jpg"]),
    ]


class RepostItem(Struct, frozen=True):
    """Another repost of the same original, collapsed into the one shown."""

    id: Annotated[str, _doc("ID in this stream", "1041")]
    native_id: Annotated[str, _doc("ID at its network", "454545454545454546")]
    url: Annotated[str | None, _doc("Permalink", "https://x.com/josephpowell/status/454545454545454546")]
    actor: Annotated[ActorItem | None, _doc("Author of the repost; null where the terms forbid naming them")]


class ToldItem(Struct, frozen=True):
    """Another activity of the same story, collapsed into the one shown."""

    id: Annotated[str, _doc("ID in this stream", "1041")]
    kind: Annotated[ActivityKind, _doc("Kind of activity")]
    network: Annotated[str, _doc("Network of publication: x, web, ...", "x")]
    source: Annotated[SourceName, _doc("Source")]
    actor: Annotated[ActorItem | None, _doc("Author; null where unknown or where the terms forbid naming them")]
    title: Annotated[str | None, _doc("Headline")]
    text: Annotated[str, _doc("Full plain text; empty where the network's terms allow the permalink only")]
    url: Annotated[str | None, _doc("Permalink")]
    published_at: Annotated[Instant | None, _doc("Publication time given by the source, UTC")]


class _Item(Struct, frozen=True):
    """Fields shared by an activity and by the original inside a repost or quote, in the order of the JSON."""

    id: str | None
    native_id: str
    source: SourceName | None
    position_at: Instant | None
    first_seen_at: Instant | None
    revision: int | None
    kind: Annotated[ActivityKind, _doc("Kind of activity")]
    network: Annotated[str, _doc("Network of publication: x, web, ...", "web")]
    actor: Annotated[ActorItem | None, _doc("Author; null where the source names none")]
    title: Annotated[str | None, _doc("Headline", "New action plan published")]
    text: Annotated[str, _doc("Full plain text")]
    html: Annotated[str, _doc("The text as sanitized HTML with absolute links")]
    url: Annotated[str | None, _doc("Permalink of the original", "https://example.org/news/plan")]
    lang: Annotated[str | None, _doc("Language (BCP 47)", "en")]
    published_at: Annotated[Instant | None, _doc("Publication time given by the source, UTC", "2014-04-02T15:04:05Z")]
    updated_at: Annotated[Instant | None, _doc("Update time given by the source, UTC")]
    media: Annotated[tuple[MediaItem, ...], _doc("Images, audio and video in the publisher's order")]
    links: Annotated[tuple[LinkItem, ...], _doc("Links in the text")]
    hashtags: Annotated[tuple[str, ...], _doc("Hashtags without #", ["OpenGov"])]
    mentions: Annotated[tuple[MentionItem, ...], _doc("People and organizations mentioned in the text")]
    event: Annotated[EventItem | None, _doc("Time and place, for events")]
    sensitive: Annotated[bool, _doc("True: the publisher marked it as sensitive")]
    edited: Annotated[bool, _doc("True: the publisher changed it after publication")]
    complete: Annotated[bool, _doc("False: the source gave only an excerpt, or not the post that this one quotes")]
    in_reply_to: Annotated[str | None, _doc("Permalink of the post that this one replies to")]
    quote_of: Annotated[str | None, _doc("Permalink of the post that this one quotes")]
    poll: Annotated[PollItem | None, _doc("Options of a vote")]
    withheld_in: Annotated[tuple[str, ...], _doc("Countries (ISO 3166) in which its network does not show it", ["DE"])]
    content_withheld: Annotated[
        bool, _doc("True: the network's terms allow ID and permalink only; follow `url` for the content")
    ]
    topics: tuple[str, ...]
    countries: tuple[str, ...]
    editors: EditorsWords | None
    pinned_until: Instant | None
    thread: str | None
    object: object
    also_reposted_by: tuple[RepostItem, ...]
    story: tuple[ToldItem, ...]


class ObjectItem(_Item, frozen=True):
    """The original inside a repost or quote. Fields that belong to a place in this stream are null or empty."""

    id: Annotated[None, _doc("Always null")]
    native_id: Annotated[str, _doc("ID at its network", "454545454545454545")]
    source: Annotated[None, _doc("Always null")]
    position_at: Annotated[None, _doc("Always null")]
    first_seen_at: Annotated[None, _doc("Always null")]
    revision: Annotated[None, _doc("Always null")]
    topics: Annotated[tuple[str, ...], _doc("Always empty")]
    countries: Annotated[tuple[str, ...], _doc("Always empty")]
    editors: Annotated[None, _doc("Always null")]
    pinned_until: Annotated[None, _doc("Always null")]
    thread: Annotated[None, _doc("Always null")]
    object: Annotated["ObjectItem | None", _doc("The quoted post, where a quote is reposted; it never nests further")]
    also_reposted_by: Annotated[tuple[RepostItem, ...], _doc("Always empty")]
    story: Annotated[tuple[ToldItem, ...], _doc("Always empty")]


class ActivityItem(_Item, frozen=True):
    """One activity of the stream."""

    id: Annotated[str, _doc("ID in this stream; never reused", "1042")]
    native_id: Annotated[str, _doc("ID at its source", "454545454545454545")]
    source: Annotated[SourceName, _doc("Source")]
    position_at: Annotated[
        Instant, _doc("Sort key of the stream, followed by the ID: publication time, or when it was first shown")
    ]
    first_seen_at: Annotated[Instant, _doc("Collection time, UTC", "2014-04-02T15:05:00Z")]
    revision: Annotated[int, _doc("Increases with every change of this activity", 5120)]
    topics: Annotated[tuple[str, ...], _doc("Topic slugs", ["open-data"])]
    countries: Annotated[tuple[str, ...], _doc("Countries that it is about (ISO 3166)", ["GH"])]
    editors: Annotated[EditorsWords | None, _doc("Editors' headline and note; not by the author")]
    pinned_until: Annotated[Instant | None, _doc("Pinned to the top until this time, UTC")]
    thread: Annotated[
        str | None,
        _doc("Shared by a post and its author's own replies to it", "x:454545454545454545@2001"),
    ]
    object: Annotated[ObjectItem | None, _doc("Original of a repost or quote, with its own author")]
    also_reposted_by: Annotated[
        tuple[RepostItem, ...],
        _doc("Further reposts of the same original within 40 entries; empty with `collapse=none`"),
    ]
    story: Annotated[
        tuple[ToldItem, ...],
        _doc("Further activities of the same story within 40 entries; empty unless `collapse` is `story`"),
    ]


ITEM_FIELDS = ActivityItem.__struct_fields__


class StaleSource(Struct, frozen=True):
    """A source that fails or is long overdue; its last good items are shown."""

    slug: Annotated[str, _doc("Stable name in URLs", "ministry-news")]
    name: Annotated[str, _doc("Display name", "Ministry of Justice: News")]
    last_success_at: Annotated[Instant | None, _doc("Last successful poll, UTC; null: never")]
    age: Annotated[int | None, _doc("Seconds since then, in whole minutes", 7200)]
    code: Annotated[str, _doc("Stable error code; `overdue`: not polled for a long time", "http-status")]
    reason: Annotated[
        str,
        _doc("Description of the code; with a token, the details", "The publisher's server answered with an error."),
    ]


class ActivityPage(Struct, frozen=True):
    """One page of the merged stream."""

    items: Annotated[tuple[ActivityItem, ...], _doc("Activities; with `fields`, these fields only")]
    pinned: Annotated[
        tuple[ActivityItem, ...],
        _doc("Pinned activities, newest first; on the first page only. `items` repeats those that fall in the page"),
    ]
    next: Annotated[
        str | None, _doc("Cursor of the next (older) page; null on the last", "MS4xMzk2NDUxMDQ1MDAwMDAwLjE3")
    ]
    prev: Annotated[str | None, _doc("Cursor of the previous (newer) page; null on the first")]
    partial: Annotated[
        bool, _doc("True: the filters match so rarely that only part of the stream was searched; follow `next`")
    ]
    stale: Annotated[bool, _doc("True: some sources are out of date; their last good items are shown")]
    stale_sources: Annotated[tuple[StaleSource, ...], _doc("Sources that are out of date")]


class FacetValue(Struct, frozen=True):
    """A filter value and its count."""

    value: Annotated[str, _doc("Value for the filter parameter", "GH")]
    label: Annotated[str, _doc("Display name", "Ghana")]
    count: Annotated[int, _doc("Number of activities", 12)]


class FacetList(Struct, frozen=True):
    """Facet counts, highest first."""

    kind: tuple[FacetValue, ...]
    network: tuple[FacetValue, ...]
    source: tuple[FacetValue, ...]
    topic: tuple[FacetValue, ...]
    country: tuple[FacetValue, ...]
    cohort: tuple[FacetValue, ...]
    lang: tuple[FacetValue, ...]
    examined: Annotated[int, _doc("Number of activities counted: the newest that match", 10000)]
    partial: Annotated[bool, _doc("True: more activities match than were counted; `since` limits the range")]


class DayCount(Struct, frozen=True):
    """The number of activities of a day."""

    date: Annotated[str, _doc("Day (UTC)", "2014-04-15")]
    count: Annotated[int, _doc("Number of activities", 12)]


class Statistics(Struct, frozen=True):
    """The numbers of a period: by day, oldest first, and by value, highest first."""

    since: Annotated[str, _doc("First day (UTC)", "2014-04-01")]
    days: tuple[DayCount, ...]
    source: tuple[FacetValue, ...]
    topic: tuple[FacetValue, ...]
    country: tuple[FacetValue, ...]
    network: tuple[FacetValue, ...]
    kind: tuple[FacetValue, ...]
    counted: Annotated[int, _doc("Number of activities counted: the newest of the period", 840)]
    partial: Annotated[bool, _doc("True: the period has more activities than were counted")]


class SourceItem(Struct, frozen=True):
    """A source and its status."""

    slug: Annotated[str, _doc("Stable name in URLs", "ministry-news")]
    name: Annotated[str, _doc("Display name", "Ministry of Justice: News")]
    kind: Annotated[str, _doc("Kind of source: rss, twitter, ...", "rss")]
    site: Annotated[str | None, _doc("Home page; null where unknown or not public", "https://example.org/")]
    address: Annotated[str | None, _doc("Polled address; null without a token", "https://example.org/feed")]
    state: Annotated[Literal["active", "paused", "stopped"], _doc("Polling state")]
    state_reason: Annotated[str, _doc("Reason for a state other than active; details with a token only")]
    last_success_at: Annotated[Instant | None, _doc("Last successful poll, UTC")]
    last_new_at: Annotated[Instant | None, _doc("Last poll that found new items, UTC")]
    last_polled_at: Annotated[Instant | None, _doc("Last poll, UTC")]
    next_poll_at: Annotated[Instant | None, _doc("Next poll, UTC; null where editors write the items")]
    error_code: Annotated[str | None, _doc("Stable error code of the last poll; null after a success")]
    last_error: Annotated[str | None, _doc("Description of the code; with a token, the details")]
    stale: Annotated[bool, _doc("True: out of date, since it fails or is long overdue")]


class SourceList(Struct, frozen=True):
    """A page of the sources, by slug."""

    items: tuple[SourceItem, ...]
    next: Annotated[str | None, _doc("Cursor of the next page; null on the last", "cy5taW5pc3RyeS1uZXdz")]


class ActivityChange(Struct, frozen=True, tag_field="type", tag="activity"):
    """A new or changed activity in its current form."""

    revision: Annotated[int, _doc("Revision of this change", 5120)]
    activity: ActivityItem


class GoneChange(Struct, frozen=True, tag_field="type", tag="gone"):
    """An activity that left the stream: deleted, hidden or withdrawn."""

    revision: Annotated[int, _doc("Revision of this change", 5121)]
    id: Annotated[str, _doc("ID of the activity", "1042")]


class SourceChange(Struct, frozen=True, tag_field="type", tag="source"):
    """A new or changed source in its current form."""

    revision: Annotated[int, _doc("Revision of this change", 5122)]
    source: SourceItem


class SourceGoneChange(Struct, frozen=True, tag_field="type", tag="source_gone"):
    """A removed source. What happens to its items follows as changes of these."""

    revision: Annotated[int, _doc("Revision of this change", 5123)]
    slug: Annotated[str, _doc("Slug of the source", "ministry-news")]


class ActorChange(Struct, frozen=True, tag_field="type", tag="actor"):
    """An author's new name, handle or avatar; valid for all their activities, also inside reposts."""

    revision: Annotated[int, _doc("Revision of this change", 5124)]
    actor: Annotated[ActorItem, _doc("The author's current profile")]


Change = ActivityChange | GoneChange | SourceChange | SourceGoneChange | ActorChange


class ChangeList(Struct, frozen=True):
    """Changes after a revision, each object once, in revision order."""

    instance: Annotated[
        str, _doc("ID of the database. If it differs from the last response, revisions restarted: mirror from 0 again")
    ]
    changes: tuple[Change, ...]
    next: Annotated[int, _doc("Value for `after` in the next request", 5124)]
    more: Annotated[bool, _doc("True: more changes are available now")]


RESPONSES = (ActivityPage, ActivityItem, FacetList, ChangeList, SourceList, Liveness, Readiness, Statistics)
