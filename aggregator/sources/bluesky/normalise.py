"""Convert posts of the AppView's API to activities. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.activity import ActivityKind, Actor, Content, Link, NewActivity, Original
from aggregator.domain.errors import UnreadableError
from aggregator.domain.polling.results import UnreadEntry
from aggregator.source_api.untrusted_json import (
    Record,
    address,
    compact,
    decoded,
    moment,
    record,
    records,
    text,
    texts,
    without,
)
from aggregator.sources.bluesky import richtext
from aggregator.sources.bluesky.addresses import (
    POSTS,
    REPOSTS,
    Uri,
    is_did,
    is_handle,
    page_of,
    profile_page,
    uri_of,
)
from aggregator.sources.bluesky.embeds import embedded
from aggregator.sources.bluesky.labels import Hidden, hidden_by, is_sensitive
from aggregator.sources.bluesky.lexicon import type_of
from aggregator.sources.bluesky.network import API, NETWORK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

MOST_POSTS = 100  # in a response
REASON_REPOST = "app.bsky.feed.defs#reasonRepost"
NOWHERE = 1e11  # the place of an entry without a time

_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # from a post with another structure
_LONGEST_CURSOR = 1000
# The fields of the profile of a timeline's author (`#profileViewBasic`) that other profiles have, too.
_BASIC = ("did", "handle", "displayName", "avatar", "labels", "createdAt")
# These change without an edit.
_VOLATILE = frozenset(
    (
        "replyCount",
        "repostCount",
        "likeCount",
        "quoteCount",
        "bookmarkCount",
        "followersCount",
        "followsCount",
        "postsCount",
        "listItemCount",
        "viewer",
        "threadgate",
        "indexedAt",
        "associated",
        "verification",
        "status",
        "pronouns",
        "debug",
        "cts",
        "exp",
        "sig",
    )
)


class Entry(NamedTuple):
    """An entry of a page: a post, or a repost of `subject`."""

    digest: str
    placed: float  # its place in the order of a timeline: seconds since the epoch, never later than entries above it
    subject: str = ""  # the AT URI of the reposted post


@dataclass(frozen=True, slots=True)
class Reading:
    """What a response contains."""

    activities: list[NewActivity] = field(default_factory=list)  # newest first
    unread: list[UnreadEntry] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)  # by native id, in the order of the response
    hidden: dict[str, Hidden] = field(default_factory=dict)  # by native id: entries that may not be shown
    ids: list[str] = field(default_factory=list)  # native ids of all entries, those that are left out included
    cursor: str | None = None  # of the next page


def read_page(body: bytes, no_reposts: bool = False) -> Reading:
    """Convert a page of a timeline, each post separately, so that an odd one costs no other.

    Args:
        body: the response of a method that returns `feed` (of `#feedViewPost`), or of a search.
        no_reposts: whether to leave reposts out.

    Raises:
        UnreadableError: it is no such response.
    """
    page = record(decoded(body, API))
    if not isinstance(page.get("feed"), list):
        return read_posts(body)
    reading = Reading(cursor=text(page.get("cursor"), _LONGEST_CURSOR) or None)
    for item in records(page["feed"])[:MOST_POSTS]:
        if not _is_pinned(item):
            _read(item, reading, no_reposts=no_reposts)
    _put_in_order(reading.entries)
    return reading


def read_posts(body: bytes) -> Reading:
    """Convert the posts that were looked up by their ids, or found by a search.

    Args:
        body: the response of a method that returns `posts` (of `#postView`).

    Raises:
        UnreadableError: it is no such response.
    """
    return read_items([{"post": post} for post in posts_in(body)])


def posts_in(body: bytes) -> list[Record]:
    """Return the posts (`#postView`) of a response.

    Raises:
        UnreadableError: it has none.
    """
    posts = record(decoded(body, API)).get("posts")
    if not isinstance(posts, list):
        raise UnreadableError("The response has no list of posts, so this is not the API of a Bluesky AppView.")
    return records(posts)[:MOST_POSTS]


def read_items(items: Iterable[Record]) -> Reading:
    """Convert posts and reposts (`#feedViewPost`) that are no page of a timeline."""
    reading = Reading()
    for item in items:
        _read(item, reading)
    return reading


def reposted(view: Record, by: Record, uri: str, at: datetime) -> Record:
    """Return a repost as a timeline has it (`#feedViewPost`).

    Args:
        view: the reposted post.
        by: the profile of the account that reposted it.
        uri: of the repost.
        at: when it was reposted.
    """
    author = {name: by[name] for name in _BASIC if name in by}
    indexed = at.isoformat(timespec="milliseconds")
    return {"post": view, "reason": {"$type": REASON_REPOST, "by": author, "uri": uri, "indexedAt": indexed}}


def _put_in_order(entries: dict[str, Entry]) -> None:
    """Give no entry a later time than those above it: AppViews don't report the time by which they sort."""
    latest = NOWHERE
    for native_id, entry in entries.items():
        latest = min(latest, entry.placed)
        entries[native_id] = entry._replace(placed=latest)


def read_again(raw: bytes) -> list[NewActivity]:
    """Convert a post that a former version could not read, as it was kept."""
    reading = Reading()
    _read(record(decoded(raw, API)), reading)
    return reading.activities


def _is_repost(item: Record) -> bool:
    return type_of(record(item.get("reason"))) == REASON_REPOST


def _is_pinned(item: Record) -> bool:
    """Return whether a post is shown a second time, at the top."""
    return type_of(record(item.get("reason"))) == "app.bsky.feed.defs#reasonPin"


def _read(item: Record, reading: Reading, *, no_reposts: bool = False) -> None:
    post, reason = record(item.get("post")), record(item.get("reason")) if _is_repost(item) else {}
    uri, by = uri_of(post.get("uri"), POSTS), record(reason.get("by"))
    if uri is None or (reason and not is_did(by.get("did"))):
        return
    native_id = _repost_id(reason, by, uri) if reason else str(uri)
    if native_id in reading.ids:
        return
    reading.ids.append(native_id)
    if reason and no_reposts:
        return
    if (why := hidden_by(post, record(post.get("author")), by)) is not None:
        reading.hidden[native_id] = why
        return
    kept = {"post": post, **({"reason": reason} if reason else {})}
    try:
        activity = _repost(native_id, kept, uri) if reason else _post(kept, uri)
    except _ODD as problem:
        reason_ = f"{type(problem).__name__}: {problem}"[:200]
        reading.unread.append(UnreadEntry(native_id, f"{NETWORK}:{native_id}", reason_, compact(kept)))
        return
    reading.activities.append(activity)
    placed = moment(reason.get("indexedAt")) if reason else activity.content.published
    reading.entries[native_id] = Entry(
        activity.entry_digest, placed.timestamp() if placed else NOWHERE, str(uri) if reason else ""
    )


def _repost_id(reason: Record, by: Record, uri: Uri) -> str:
    """Return the AT URI of a repost, or an id in its place: older AppViews don't give it."""
    found = uri_of(reason.get("uri"), REPOSTS)
    return str(found) if found else f"{by['did']} reposts {uri}"


def _post(kept: Record, uri: Uri) -> NewActivity:
    view = _View.of_post(kept["post"], uri)
    quoted = _quoted(view)
    return NewActivity(
        native_id=str(uri),
        key=f"{NETWORK}:{uri}",
        content=_content(view, quoted),
        entry_digest=_digest(kept),
        object=quoted,
        object_key=quoted.key if quoted else None,
        raw=compact(kept),
        thread=_thread(view),
    )


def _repost(native_id: str, kept: Record, uri: Uri) -> NewActivity:
    view, reason = _View.of_post(kept["post"], uri), kept["reason"]
    quoted = _quoted(view)
    original = Original(f"{NETWORK}:{uri}", str(uri), _content(view, quoted), quoted)
    content = Content(
        kind=ActivityKind.REPOST,
        network=NETWORK,
        url=page_of(uri),
        actor=actor_of(record(reason.get("by"))),
        lang=original.content.lang,
        published=moment(reason.get("indexedAt")),
        sensitive=original.content.sensitive,
    )
    return NewActivity(
        native_id=native_id,
        key=f"{NETWORK}:{native_id}",
        content=content,
        entry_digest=_digest(kept),
        object=original,
        object_key=original.key,
        raw=compact(kept),
    )


@dataclass(frozen=True, slots=True)
class _View:
    """A post, as the timeline or an embed has it."""

    uri: Uri
    author: Record
    post: Record  # the record
    embeds: Sequence[Record]
    labels: object
    indexed: object

    @classmethod
    def of_post(cls, view: Record, uri: Uri) -> _View:
        """Read a `app.bsky.feed.defs#postView`."""
        post = view.get("record")
        if not isinstance(post, dict) or not isinstance(post.get("text"), str):
            raise ValueError("a post without a text")  # noqa: TRY004 - of the data, not of an argument
        embed = record(view.get("embed"))
        return cls(uri, record(view.get("author")), post, [embed], view.get("labels"), view.get("indexedAt"))

    @classmethod
    def of_embed(cls, view: Record, uri: Uri) -> _View:
        """Read a `app.bsky.embed.record#viewRecord`."""
        return cls(
            uri,
            record(view.get("author")),
            record(view.get("value")),
            records(view.get("embeds")),
            view.get("labels"),
            view.get("indexedAt"),
        )


def _quoted(view: _View) -> Original | None:
    """Return the quoted post, if it is available and may be shown."""
    quoted = embedded(view.embeds).quoted
    uri = uri_of(quoted.get("uri"), POSTS) if quoted else None
    if quoted is None or uri is None or hidden_by(quoted, record(quoted.get("author"))):
        return None
    content = _content(_View.of_embed(quoted, uri), None)
    return Original(f"{NETWORK}:{uri}", str(uri), replace(content, quote_of=None))


def _content(view: _View, quoted: Original | None) -> Content:
    found = embedded(view.embeds)
    markup = richtext.render(text(view.post.get("text")), view.post.get("facets"))
    answered = _reply_to(view, "parent")
    kind = ActivityKind.QUOTE if found.quotes else ActivityKind.POST
    return Content(
        kind=ActivityKind.REPLY if answered else kind,
        network=NETWORK,
        url=page_of(view.uri),
        actor=actor_of({**view.author, "did": view.uri.did}),
        text=markup.text,
        html=markup.html,
        lang=next(iter(texts(view.post.get("langs"), 35)), None),
        published=_published(view),
        media=tuple(found.media),
        links=_links(markup.links, found.cards),
        hashtags=tuple(dict.fromkeys((*markup.hashtags, *texts(view.post.get("tags"))))),
        mentions=markup.mentions,
        sensitive=is_sensitive(view.labels, view.author, view.post),
        in_reply_to=page_of(answered) if answered else None,
        quote_of=quoted.content.url if quoted else None,
    )


def _published(view: _View) -> datetime | None:
    """Return when a post was published: authors may name an earlier time, as of an imported post, but no later one."""
    times = [found for value in (view.post.get("createdAt"), view.indexed) if (found := moment(value))]
    return min(times, default=None)


def _links(links: Sequence[Link], cards: Sequence[Link]) -> tuple[Link, ...]:
    """Return the links of the text; a card takes the place of the link to the same page."""
    shown = {card.url: card for card in cards}
    inline = [
        replace(shown.pop(link.url), text=link.text) if link.url in shown else link
        for link in {link.url: link for link in links}.values()
    ]
    return (*inline, *shown.values())


def _reply_to(view: _View, which: str) -> Uri | None:
    return uri_of(record(record(view.post.get("reply")).get(which)).get("uri"), POSTS)


def _thread(view: _View) -> str | None:
    """Return the key of the thread that a post begins or continues: its author's replies to themselves."""
    parent, root = _reply_to(view, "parent"), _reply_to(view, "root")
    if parent is None:
        return f"{NETWORK}:{view.uri}"
    own = root is not None and parent.did == root.did == view.uri.did
    return f"{NETWORK}:{root}" if own else None


def actor_of(profile: Record) -> Actor:
    """Return the author for a profile view.

    Raises:
        ValueError: it has no DID.
    """
    did = profile.get("did")
    if not is_did(did):
        raise ValueError("an author without a DID")
    handle = profile.get("handle") if is_handle(profile.get("handle")) else None
    name = text(profile.get("displayName"), 300).strip() or text(handle) or str(did)
    return Actor(NETWORK, str(did), name, text(handle) or None, profile_page(str(did)), address(profile.get("avatar")))


def _digest(kept: Record) -> str:
    return hashlib.sha256(compact(without(kept, _VOLATILE))).hexdigest()
