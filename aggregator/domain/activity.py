"""Define activities as sources deliver them (`NewActivity`) and as they are stored (`Activity`).

All types are frozen; all times are aware and in UTC; all text is text, never bytes.
"""

from __future__ import annotations

import hashlib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar, cast

from aggregator.domain.adapters import adapter

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)
WITHHELD_EVERYWHERE = frozenset({"XX", "XY"})  # X's codes for all countries: by law, and by copyright
BY_RULE, BY_SOURCE = "(rule)", "(source)"  # reasons of tags without a matching word
LONGEST_NATIVE_ID = 512  # bytes; a longer key breaks a B-tree page

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses NUL, UTF-8 refuses lone surrogates
_T = TypeVar("_T")


class ActivityKind(StrEnum):
    """The kind of an activity. A repost is ActivityStreams' `Announce`; the others are `Create` of an object."""

    POST = "post"
    REPOST = "repost"
    QUOTE = "quote"
    REPLY = "reply"
    ARTICLE = "article"
    EVENT = "event"
    VIDEO = "video"


class Upstream(StrEnum):
    """The state of the original at its network."""

    LIVE = "live"
    GONE = "gone"
    WITHHELD = "withheld"
    PROTECTED = "protected"


class Review(StrEnum):
    """The review state. Only `PUBLISHED` items are shown."""

    WAITING = "waiting"
    PUBLISHED = "published"
    HIDDEN = "hidden"
    QUARANTINED = "quarantined"


ReviewOrigin = Literal["policy", "rule", "freeze", "person"]  # what decided on the review state


@dataclass(frozen=True, slots=True)
class Actor:
    """An author. `(network, native_id)` is the identity; handles and names change."""

    network: str  # "x", "web", ...
    native_id: str  # numeric id on X; address or host and name on the web
    name: str
    handle: str | None = None  # without "@"
    url: str | None = None
    avatar: str | None = None  # URL of an image
    partial: bool = field(default=False, compare=False)  # from another post, with less detail than a profile


@dataclass(frozen=True, slots=True)
class Media:
    """An image, audio or video of an activity."""

    type: str  # "image", "video", "audio", "animation" or "file"
    url: str
    alt: str | None = None
    mime: str | None = None
    bytes: int | None = None
    width: int | None = None  # pixels
    height: int | None = None  # pixels
    duration: float | None = None  # seconds
    preview: str | None = None  # URL of a still image
    focus: tuple[float, float] | None = None  # the point that a cropped image keeps: right and up, from -1 to 1


@dataclass(frozen=True, slots=True)
class Link:
    """A link in the text."""

    url: str  # the target
    text: str | None = None  # the link text
    via: str | None = None  # the publisher's short link (t.co)
    title: str | None = None  # of the linked page, as the network shows it; title, description and image are its card
    description: str | None = None
    image: str | None = None  # URL


@dataclass(frozen=True, slots=True)
class Poll:
    """A vote among options. Counts are not kept: they change until the end."""

    options: tuple[str, ...]
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """A person mentioned in the text."""

    handle: str  # without "@"
    native_id: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """The time and place of an event. `zone_label` is the source's own text ("EST"), kept as is.

    All-day events start and end at midnights UTC of calendar days, with an exclusive end.
    """

    start: datetime
    end: datetime | None = None
    zone_label: str | None = None
    place: str | None = None
    all_day: bool = False
    online: str | None = None  # URL for attending online
    cancelled: bool = False
    other_start: datetime | None = None  # the other instant that an ambiguous label may mean; the end moves with it


@dataclass(frozen=True, slots=True)
class Content:
    """The visible content of an activity, or of the object it is about."""

    kind: ActivityKind
    network: str
    url: str | None = None  # canonical address of the original
    actor: Actor | None = None
    title: str | None = None
    text: str = ""  # plain text, not truncated
    html: str = ""  # clean HTML: sanitised, absolute links
    lang: str | None = None  # BCP 47
    published: datetime | None = None  # None: unknown
    updated: datetime | None = None
    media: tuple[Media, ...] = ()
    links: tuple[Link, ...] = ()
    hashtags: tuple[str, ...] = ()  # without "#"
    mentions: tuple[Mention, ...] = ()
    event: Occasion | None = None
    sensitive: bool = False
    edited: bool = False
    complete: bool = True  # False: the source gave less than there is, see `lacks_quote` and `is_excerpt`
    in_reply_to: str | None = None  # URL of the post that this one answers
    withheld: tuple[str, ...] = ()  # codes of the countries in which its network withholds it
    quote_of: str | None = None  # URL of the post that this one quotes
    poll: Poll | None = None
    ids_only: bool = False  # everything else was left out, see `compliance.ids_only`

    @property
    def lacks_quote(self) -> bool:
        """Whether the quoted post is missing, although its network did not report it as unavailable."""
        return not self.complete and self.quote_of is not None

    @property
    def is_excerpt(self) -> bool:
        """Whether the text is truncated."""
        return not self.complete and self.quote_of is None


@dataclass(frozen=True, slots=True)
class Original:
    """The object of a repost or quote: another author's post with its own time and URL.

    `object` is the post that a reposted quote is about. It is an object of a repost only, and never nests further.
    """

    key: str
    native_id: str
    content: Content
    object: Original | None = None


@dataclass(frozen=True, slots=True)
class NewActivity:
    """An activity as a source delivers it.

    `native_id` is unique within its source. `key` ("x:123", "web:<hash of the canonical URL>") is the same for the same
    content in all sources. `object_key` is the key of the object of a repost or quote, even if the object itself isn't
    available. `entry_digest` changes with the raw entry, which is `raw`.
    """

    native_id: str
    key: str
    content: Content
    entry_digest: str
    object: Original | None = None
    object_key: str | None = None
    raw: bytes = b""
    object_editable_until: datetime | None = None  # when its author can no longer edit the object
    thread: str | None = None  # shared by an author's post and their own replies to it


@dataclass(frozen=True, slots=True)
class ScheduledTransition:
    """A review decision that is due at a time."""

    due: datetime
    review: Review
    by: ReviewOrigin
    reason: str


@dataclass(frozen=True, slots=True)
class ScreenedActivity:
    """A `NewActivity` with derived values and the review decision, ready to store."""

    new: NewActivity
    fingerprint: str  # changes when the visible content does
    search_text: str
    position: datetime  # its position in the stream
    review: Review
    review_by: ReviewOrigin
    review_reason: str
    topics: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)  # topic or country -> the matching word
    story: str | None = None  # the key of its story, see `stories`
    review_rule: int | None = None  # the rule that decided
    later: ScheduledTransition | None = None  # the scheduled decision, if no person decides before
    pinned_until: datetime | None = None
    stable_key: str | None = None  # finds the entry again where its id changes, see `entry_matching`
    content_key: str | None = None
    upstream: Upstream = Upstream.LIVE


@dataclass(frozen=True, slots=True)
class SourceRef:
    """The source of an activity as shown to readers."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Activity:
    """A stored activity. `(position, id)` orders the stream; `revision` orders its changes."""

    id: int
    source: SourceRef
    native_id: str
    key: str
    content: Content
    object: Original | None
    object_key: str | None
    first_seen: datetime
    position: datetime
    revision: int
    fingerprint: str
    upstream: Upstream
    review: Review
    review_by: ReviewOrigin
    review_reason: str
    visible: bool
    reviewed: datetime | None = None
    reviewer: str | None = None  # the name of the person who decided
    review_rule: int | None = None
    headline: str | None = None  # the editor's, marked as such; the original text is never changed
    note: str | None = None  # the editor's
    pinned_until: datetime | None = None
    gone: datetime | None = None
    gone_reason: str | None = None
    topics: tuple[str, ...] = field(default=())
    countries: tuple[str, ...] = field(default=())
    reasons: Mapping[str, str] = field(default_factory=dict)  # topic or country -> the matching word
    story: str | None = None  # shared by all items of a story
    thread: str | None = None  # as in `NewActivity`
    descriptions: Mapping[str, str] = field(default_factory=dict)  # editors' words on images, see `descriptions`


_CLEAN = frozenset({bool, int, float, bytes, ActivityKind, Upstream, Review})  # types whose values are always storable


def quoted_in(new: NewActivity) -> Original | None:
    """Return the post that a reposted quote is about, if it is embedded."""
    return new.object.object if new.object else None


def storable(new: NewActivity) -> NewActivity:
    """Make an activity storable: no NUL or lone surrogates, dates within 1970-9998, bounded native id.

    `ingest` applies this to every `NewActivity`, for all kinds of sources.
    """
    if _is_storable(new):
        return new
    return replace(
        _cleaned(new),
        native_id=bounded_id(_UNSTORABLE.sub("", new.native_id)),
        key=bounded_id(_UNSTORABLE.sub("", new.key)),
        object_key=bounded_id(_UNSTORABLE.sub("", new.object_key)) if new.object_key else None,
    )


def _is_storable(new: NewActivity) -> bool:
    """Check quickly whether an activity is storable as is; a false negative only costs time."""
    contents = (new.content, new.object.content) if new.object else (new.content,)
    occasions = [content.event for content in contents if content.event]
    moments = [moment for content in contents for moment in (content.published, content.updated)]
    moments += [moment for event in occasions for moment in (event.start, event.end, event.other_start)]
    if not all(moment is None or _clean_moment(moment) for moment in moments):
        return False
    names = (new.native_id, new.key, new.object_key or "")
    if any(len(name) > LONGEST_NATIVE_ID // 4 for name in names):
        return False
    try:
        written = adapter(NewActivity).dump_json(new, exclude={"raw"})
    except ValueError:  # a lone surrogate, which UTF-8 can't encode
        return False
    return b"\\u0000" not in written


def _clean_moment(moment: datetime) -> bool:
    return moment.tzinfo is UTC and EARLIEST <= moment <= LATEST


def storable_json(value: Any) -> Any:  # noqa: ANN401  # any JSON value
    """Return a JSON value without NUL and lone surrogates, which the databases can't store."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("", value)
    if isinstance(value, Mapping):
        return {storable_json(key): storable_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(item) for item in value]
    return value


def bounded_id(native_id: str) -> str:
    """Return the id, or `sha256:...` if it is longer than 512 bytes."""
    encoded = native_id.encode("utf-8", "surrogatepass")
    if len(encoded) <= LONGEST_NATIVE_ID:
        return native_id
    return "sha256:" + hashlib.sha256(encoded).hexdigest()


def _clamped(moment: datetime) -> datetime:
    return min(max(moment.astimezone(UTC), EARLIEST), LATEST)


def _cleaned(value: _T) -> _T:
    """Walk a value and clean every string and date in it."""
    cleaned: Any = value
    kind: Any = type(value)
    if value is None or kind in _CLEAN:
        return value
    if isinstance(value, str):
        cleaned = _UNSTORABLE.sub("", value) if _UNSTORABLE.search(value) else value
    elif isinstance(value, datetime):
        cleaned = value if _clean_moment(value) else _clamped(value)
    elif isinstance(value, tuple):
        items = tuple(map(_cleaned, value))
        cleaned = value if all(map(operator.is_, items, value)) else items
    elif is_dataclass(value):
        names, values_of = _fields(kind)
        changed = {
            name: new
            for name, old in zip(names, values_of(value), strict=True)
            if old is not None and type(old) not in _CLEAN and (new := _cleaned(old)) is not old
        }
        cleaned = replace(value, **changed) if changed else value  # type: ignore[type-var]  # most text is clean
    return cast("_T", cleaned)


@cache
def _fields(kind: type[Any]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(field.name for field in fields(kind))
    return names, operator.attrgetter(*names)
