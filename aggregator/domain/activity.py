"""What flows through the container: what a source said (`NewActivity`) and what we hold (`Activity`).

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
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from pydantic import TypeAdapter

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)
WITHHELD_EVERYWHERE = frozenset({"XX", "XY"})  # X's codes for all countries: by law, and by copyright
BY_RULE, BY_SOURCE = "(rule)", "(source)"  # reasons of tags that no word of the activity gave
LONGEST_NATIVE_ID = 512  # bytes; a longer key breaks a B-tree page

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses NUL, UTF-8 refuses lone surrogates
_T = TypeVar("_T")


class ActivityKind(StrEnum):
    """What an activity is. A repost is ActivityStreams' `Announce`; the others are `Create` of an object."""

    POST = "post"
    REPOST = "repost"
    QUOTE = "quote"
    REPLY = "reply"
    ARTICLE = "article"
    EVENT = "event"
    VIDEO = "video"


class Upstream(StrEnum):
    """How the original stands where it was published."""

    LIVE = "live"
    GONE = "gone"
    WITHHELD = "withheld"
    PROTECTED = "protected"


class Review(StrEnum):
    """What our side decided. Only `PUBLISHED` is shown."""

    WAITING = "waiting"
    PUBLISHED = "published"
    HIDDEN = "hidden"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who said it. `(network, native_id)` is the identity; handles and names change."""

    network: str  # "x", "web", ...
    native_id: str  # numeric id on X; address or host and name on the web
    name: str
    handle: str | None = None  # without "@"
    url: str | None = None
    avatar: str | None = None  # address of a picture
    partial: bool = field(default=False, compare=False)  # told by others in passing: better than nothing known, no more


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, sound or film that belongs to an activity."""

    type: str  # "image", "video", "audio", "animation" or "file"
    url: str
    alt: str | None = None
    mime: str | None = None
    bytes: int | None = None
    width: int | None = None  # pixels
    height: int | None = None  # pixels
    duration: float | None = None  # seconds
    preview: str | None = None  # address of a still picture


@dataclass(frozen=True, slots=True)
class Link:
    """An address that the text points to."""

    url: str  # where it leads
    text: str | None = None  # how the publisher shows it
    via: str | None = None  # the wrapped address that the publisher's text carries (t.co)


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody named in the text."""

    handle: str  # without "@"
    native_id: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """When and where an event takes place. `zone_label` is what the source wrote ("EST"), never guessed away.

    An event that takes whole days starts and ends at midnights UTC of calendar days, its end exclusive.
    """

    start: datetime
    end: datetime | None = None
    zone_label: str | None = None
    place: str | None = None
    all_day: bool = False
    online: str | None = None  # address at which it can be attended
    cancelled: bool = False
    other_start: datetime | None = None  # the other instant that an ambiguous label may mean; the end moves with it


@dataclass(frozen=True, slots=True)
class Content:
    """What people see of an activity, or of the object it is about."""

    kind: ActivityKind
    network: str
    url: str | None = None  # canonical address of the original
    actor: Actor | None = None
    title: str | None = None
    text: str = ""  # plain text, whole
    html: str = ""  # clean HTML: sanitised, absolute links
    lang: str | None = None  # BCP 47
    published: datetime | None = None  # None: the source did not say
    updated: datetime | None = None
    media: tuple[Media, ...] = ()
    links: tuple[Link, ...] = ()
    hashtags: tuple[str, ...] = ()  # without "#"
    mentions: tuple[Mention, ...] = ()
    event: Occasion | None = None
    sensitive: bool = False
    edited: bool = False
    complete: bool = True  # False: the source cut the text and the whole could not be had
    in_reply_to: str | None = None  # address of what this answers
    withheld: tuple[str, ...] = ()  # codes of the countries in which its network does not show it


@dataclass(frozen=True, slots=True)
class Original:
    """The object of a repost or quote: somebody else's words, with their own author, time and address."""

    key: str
    native_id: str
    content: Content


@dataclass(frozen=True, slots=True)
class NewActivity:
    """What a source said.

    `native_id` is unique within its source; `key` ("x:123", "web:<hash of the canonical address>") is the same
    wherever the same thing turns up; `object_key` is the key of what a repost or quote is about, also when the
    object itself could not be had. `entry_digest` changes when the raw entry does; `raw` is that entry.
    """

    native_id: str
    key: str
    content: Content
    entry_digest: str
    object: Original | None = None
    object_key: str | None = None
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class ScheduledTransition:
    """A review decision that the clock will make."""

    due: datetime
    review: Review
    by: str  # "policy", "rule" or "person"
    reason: str


@dataclass(frozen=True, slots=True)
class ScreenedActivity:
    """A `NewActivity` with everything that storing it needs: derived values and the review decision."""

    new: NewActivity
    fingerprint: str  # changes when what people see does
    search_text: str
    position: datetime  # its place in the stream
    review: Review
    review_by: str  # "policy", "rule", "freeze" or "person"
    review_reason: str
    topics: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)  # topic or country -> the word that says so
    story: str | None = None  # the key of what it is about, see `stories`
    review_rule: int | None = None  # the rule that decided
    later: ScheduledTransition | None = None  # what becomes of it unless somebody decides before
    pinned_until: datetime | None = None
    stable_key: str | None = None  # finds the entry again where its id changes, see `entry_matching`
    content_key: str | None = None
    upstream: Upstream = Upstream.LIVE


@dataclass(frozen=True, slots=True)
class SourceRef:
    """The source of an activity, as readers name it."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Activity:
    """What we hold. `(position, id)` orders the stream; `revision` orders its changes."""

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
    review_by: str
    review_reason: str
    visible: bool
    reviewed: datetime | None = None
    reviewer: str | None = None  # the name of the person who decided
    review_rule: int | None = None
    headline: str | None = None  # an editor's, shown as such; what the source said is never changed
    note: str | None = None  # an editor's
    pinned_until: datetime | None = None
    gone: datetime | None = None
    gone_reason: str | None = None
    topics: tuple[str, ...] = field(default=())
    countries: tuple[str, ...] = field(default=())
    reasons: Mapping[str, str] = field(default_factory=dict)  # topic or country -> the word that says so
    story: str | None = None  # the same for all that is about one thing


_CLEAN = frozenset({bool, int, float, bytes, ActivityKind, Upstream, Review})  # types whose values are always storable


def storable(new: NewActivity) -> NewActivity:
    """Make what a source said fit to store: no NUL or lone surrogates, dates within 1970-9998, bounded native id.

    Every `NewActivity` passes here once (`ingest`), so that no source can forget it.
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
    """Whether there is nothing to do, as nearly always; a quick look, which may say no without need."""
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
        written = _writer().dump_json(new, exclude={"raw"})
    except ValueError:  # a lone surrogate, which no UTF-8 can hold
        return False
    return b"\\u0000" not in written


@cache
def _writer() -> TypeAdapter[NewActivity]:
    from pydantic import TypeAdapter  # late: the command line needs these types, but seldom this

    return TypeAdapter(NewActivity)


def _clean_moment(moment: datetime) -> bool:
    return moment.tzinfo is UTC and EARLIEST <= moment <= LATEST


def storable_json(value: Any) -> Any:  # noqa: ANN401  # whatever the json module can write
    """Return a value of JSON without what the databases can't hold: NUL and lone surrogates."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("", value)
    if isinstance(value, Mapping):
        return {storable_json(key): storable_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(one) for one in value]
    return value


def bounded_id(native_id: str) -> str:
    """Return the id, or `sha256:...` of it where it is over 512 bytes."""
    encoded = native_id.encode("utf-8", "surrogatepass")
    if len(encoded) <= LONGEST_NATIVE_ID:
        return native_id
    return "sha256:" + hashlib.sha256(encoded).hexdigest()


def _clamped(moment: datetime) -> datetime:
    return min(max(moment.astimezone(UTC), EARLIEST), LATEST)


def _cleaned(value: _T) -> _T:
    """Walk a value of the types above and clean every string and date in it."""
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
        names, said = _fields(kind)
        changed = {
            name: new
            for name, old in zip(names, said(value), strict=True)
            if old is not None and type(old) not in _CLEAN and (new := _cleaned(old)) is not old
        }
        cleaned = replace(value, **changed) if changed else value  # type: ignore[type-var]  # most text is clean, and copying is dear
    return cast("_T", cleaned)


@cache
def _fields(kind: type[Any]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(field.name for field in fields(kind))
    return names, operator.attrgetter(*names)
