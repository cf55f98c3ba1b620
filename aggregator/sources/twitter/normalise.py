"""Convert a page of X's API v2 to activities. Pure.

X renamed fields in 2026 (`tweet` became `post`). Both vocabularies are supported: newer names are converted to the
older ones first, so that a post gives the same activity, digest and raw entry in either vocabulary.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import (
    WITHHELD_EVERYWHERE,
    ActivityKind,
    Actor,
    Content,
    NewActivity,
    Original,
)
from aggregator.domain.errors import UnreadableError
from aggregator.sources.twitter.markup import SITE, Shown, render, unescape, web_address
from aggregator.sources.twitter.media import pictures_and_films

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NETWORK = "x"

Record = dict[str, Any]

_OLDER_NAMES = {
    "referenced_posts": "referenced_tweets",
    "note_post": "note_tweet",
    "edit_history_post_ids": "edit_history_tweet_ids",
    "posts": "tweets",
    "repost_count": "retweet_count",
}
# Counts and the remaining edit time change without an edit.
_VOLATILE = frozenset({"public_metrics", "edit_controls"})
_LANGUAGES = {"in": "id", "iw": "he", "ji": "yi"}  # X still uses codes that were withdrawn in 1989
_NO_LANGUAGE = frozenset({"und", "zxx", "art", "qam", "qct", "qht", "qme", "qst"})
_X_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # post ids contain milliseconds since this instant
_STATUS = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/(\w{1,15})/status(?:es)?/(\d{1,19})\b.*", re.IGNORECASE
)
_LONGEST_EDITING = timedelta(hours=2)  # X allows edits for an hour; with a larger gap, the id contains no time


@dataclass(frozen=True, slots=True)
class _Page:
    """The objects of a page by their ids, and all handles in it."""

    posts: Mapping[str, Record]
    users: Mapping[str, Record]
    media: Mapping[str, Record]
    handles: Mapping[str, str]
    account: Actor | None


def normalise(payload: Mapping[str, Any], *, account: Actor | None = None) -> list[NewActivity]:
    """Convert a timeline page to activities, oldest first.

    Args:
        payload: the decoded JSON of `GET /2/users/:id/tweets`, in either vocabulary.
        account: the owner of the timeline, for posts whose author the page does not include.

    Raises:
        UnreadableError: the payload doesn't have the shape of such a page.
    """
    older = older_names(dict(payload))
    posts = _records(older, "data")
    includes = older.get("includes") or {}
    if not isinstance(includes, dict):
        raise UnreadableError("X returned `includes` that is not an object; its API may have changed.")
    page = _page(posts, includes, account)
    return [_checked(post, page) for post in sorted(posts, key=lambda post: int(post["id"]))]


def _page(posts: list[Record], includes: Record, account: Actor | None) -> _Page:
    tweets = _records(includes, "tweets")
    users = _records(includes, "users")
    return _Page(
        posts={post["id"]: post for post in tweets},
        users={user["id"]: user for user in users},
        media={item["media_key"]: item for item in _records(includes, "media", key="media_key")},
        handles=_handles([*posts, *tweets])
        | _linked_handles(posts, tweets)
        | {user["id"]: str(user.get("username", "")) for user in users},
        account=account,
    )


def _records(holder: Mapping[str, Any], name: str, *, key: str = "id") -> list[Record]:
    """Return the objects of a list that have a usable key, with the key as text."""
    found = holder.get(name) or []
    if not isinstance(found, list):
        raise UnreadableError(f"X returned `{name}` that is not a list; its API may have changed.")
    records = [{**item, key: str(item[key])} for item in found if isinstance(item, dict) and item.get(key)]
    return [item for item in records if key != "id" or (item["id"].isascii() and item["id"].isdigit())]


def _checked(post: Record, page: _Page) -> NewActivity:
    try:
        return _activity(post, page)
    except (AttributeError, KeyError, TypeError, ValueError):  # for example a list in place of an object
        raise UnreadableError(f"X's post {post['id']} has an unknown structure; its API may have changed.") from None


def _activity(post: Record, page: _Page) -> NewActivity:
    references = _references(post)
    reposted, quoted = references.get("retweeted"), references.get("quoted")
    about = reposted or quoted
    object_ = _original(page.posts[about], page) if about and about in page.posts else None
    if quoted and object_ and not WITHHELD_EVERYWHERE.isdisjoint(object_.content.withheld):
        object_ = None  # a quote keeps its own text
    content = _repost(post, page, object_) if reposted else _content(post, page, embedded=object_)
    raw = _raw(post, page)
    return NewActivity(
        native_id=_first_id(post),
        key=_key(_first_id(post)),
        content=content,
        entry_digest=hashlib.sha256(_compact(_without_volatile(raw))).hexdigest(),
        object=object_,
        object_key=(object_.key if object_ else _key(about)) if about else None,
        raw=_compact(raw),
    )


def _original(post: Record, page: _Page) -> Original:
    first = _first_id(post)
    return Original(key=_key(first), native_id=first, content=_content(post, page, embedded=None))


def _repost(post: Record, page: _Page, original: Original | None) -> Content:
    """Return a repost as an activity; its text is the original's, if the page includes more than X's truncated copy."""
    if original is None:
        return _content(post, page, embedded=None, complete=False)
    return Content(
        kind=ActivityKind.REPOST,
        network=NETWORK,
        url=_permalink(post, page),
        actor=_actor(post, page),
        lang=_language(post),
        published=moment_of(post.get("created_at")),
        sensitive=post.get("possibly_sensitive") is True,
        withheld=tuple(sorted({*_withheld(post), *original.content.withheld})),
    )


def _content(post: Record, page: _Page, *, embedded: Original | None, complete: bool = True) -> Content:
    references = _references(post)
    keys = (post.get("attachments") or {}).get("media_keys") or []
    media = pictures_and_films(page.media[key] for key in keys if key in page.media)
    quoted = references.get("quoted") if embedded else None
    versions = [quoted, *_history(page.posts[quoted])] if quoted else []  # the link may refer to an earlier version
    shown = Shown(media=bool(media), quoted=frozenset(versions))
    note = post.get("note_tweet") or {}  # the full text of a long post, with its own entities
    words = note if note.get("text") else post
    markup = render(str(words.get("text") or ""), words.get("entities") or {}, shown)
    created = moment_of(post.get("created_at"))
    edited = len(_history(post)) > 1
    return Content(
        kind=_kind(references),
        network=NETWORK,
        url=_permalink(post, page),
        actor=_actor(post, page),
        text=markup.text,
        html=markup.html,
        lang=_language(post),
        published=_first_published(post, created) if edited else created,
        updated=created if edited else None,
        media=media,
        links=markup.links,
        hashtags=markup.hashtags,
        mentions=markup.mentions,
        sensitive=post.get("possibly_sensitive") is True,
        edited=edited,
        complete=complete,
        in_reply_to=_replied_to(post, page),
        withheld=_withheld(post),
    )


def _kind(references: Mapping[str, str]) -> ActivityKind:
    if "retweeted" in references:
        return ActivityKind.REPOST
    if "replied_to" in references:  # before quotes: a reply with a quote belongs to its conversation
        return ActivityKind.REPLY
    return ActivityKind.QUOTE if "quoted" in references else ActivityKind.POST


def _references(post: Record) -> dict[str, str]:
    found = post.get("referenced_tweets") or []
    return {str(item.get("type")): str(item["id"]) for item in found if isinstance(item, dict) and item.get("id")}


def _history(post: Record) -> list[str]:
    """Return the ids of all versions of a post, oldest first."""
    return [str(id_) for id_ in post.get("edit_history_tweet_ids") or []] or [post["id"]]


def _first_id(post: Record) -> str:
    return _history(post)[0]


def _key(post_id: str) -> str:
    return f"x:{post_id}"


def _first_published(post: Record, created: datetime | None) -> datetime | None:
    """Return the publication time of an edited post's first version, which only its id contains."""
    first = _first_id(post)
    if created is None or not first.isdigit() or len(first) > len("9223372036854775807"):
        return created
    moment = _X_EPOCH + timedelta(milliseconds=int(first) >> 22)
    return moment if timedelta() <= created - moment <= _LONGEST_EDITING else created


def _replied_to(post: Record, page: _Page) -> str | None:
    answered = _references(post).get("replied_to")
    if answered is None:
        return None
    known = page.posts.get(answered, {"id": answered, "author_id": post.get("in_reply_to_user_id")})
    return _permalink(known, page)


def _permalink(post: Record, page: _Page) -> str:
    handle = _handle(str(post.get("author_id") or ""), page) or "i"  # X resolves /i/status/ID for any author
    return f"{SITE}/{handle}/status/{post['id']}"


def _actor(post: Record, page: _Page) -> Actor | None:
    author = str(post.get("author_id") or "")
    user = page.users.get(author)
    if user is None:
        if page.account is not None and author in {"", page.account.native_id}:
            return page.account
        handle = page.handles.get(author)
        name = f"@{handle}" if handle else f"X user {author}"
        return replace(_named(author, name, handle), partial=True) if author else None
    return actor_of(user)


def actor_of(user: Mapping[str, Any]) -> Actor:
    """Return the actor for a user object of the API."""
    handle = str(user.get("username") or "") or None
    name = unescape(str(user.get("name") or handle or user["id"]))
    return _named(str(user["id"]), name, handle, web_address(user.get("profile_image_url")))


def _named(native_id: str, name: str, handle: str | None, avatar: str | None = None) -> Actor:
    return Actor(NETWORK, native_id, name, handle, url=f"{SITE}/{handle}" if handle else None, avatar=avatar)


def _handle(user_id: str, page: _Page) -> str | None:
    if page.account is not None and user_id in {"", page.account.native_id}:
        return page.handles.get(user_id) or page.account.handle
    return page.handles.get(user_id)


def _handles(posts: Iterable[Record]) -> dict[str, str]:
    """Return the handles in the posts' mentions, by user id. The author of an original may appear nowhere else."""
    handles = {}
    for post in posts:
        for words in (post, post.get("note_tweet") or {}):
            for mention in (words.get("entities") or {}).get("mentions") or []:
                if mention.get("id") and mention.get("username"):
                    handles[str(mention["id"])] = str(mention["username"])
    return handles


def _linked_handles(posts: Iterable[Record], quoted: Iterable[Record]) -> dict[str, str]:
    """Return the handles in the links to quoted posts, by user id."""
    authors = {post["id"]: str(post["author_id"]) for post in quoted if post.get("author_id")}
    handles = {}
    for post in posts:
        for url in (post.get("entities") or {}).get("urls") or []:
            found = _STATUS.fullmatch(str(url.get("expanded_url") or ""))
            if found and found[1] != "i" and found[2] in authors:
                handles[authors[found[2]]] = found[1]
    return handles


def _withheld(post: Record) -> tuple[str, ...]:
    """Return the countries in which X withholds a post."""
    codes = (post.get("withheld") or {}).get("country_codes") or []
    return tuple(sorted({code.upper() for code in codes if isinstance(code, str)}))


def _language(post: Record) -> str | None:
    code = post.get("lang")
    if not isinstance(code, str) or not code or code in _NO_LANGUAGE:
        return None
    return _LANGUAGES.get(code, code)


def moment_of(text: object) -> datetime | None:
    """Parse a timestamp of X; return None if it is invalid."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _raw(post: Record, page: _Page) -> Record:
    """Return the post with its referenced objects as a page of its own, so that it can be normalized again later."""
    references = _references(post)
    about = [page.posts[id_] for id_ in dict.fromkeys(references.values()) if id_ in page.posts]
    answered = {references.get("replied_to")} - {references.get("quoted"), references.get("retweeted")}
    about = [_without_text(other) if other["id"] in answered else other for other in about]
    keys = [key for p in (post, *about) for key in (p.get("attachments") or {}).get("media_keys") or []]
    authors = [str(p.get("author_id") or "") for p in (post, *about)]
    includes = {
        "media": [page.media[key] for key in dict.fromkeys(keys) if key in page.media],
        "tweets": about,
        "users": [page.users[id_] for id_ in dict.fromkeys(authors) if id_ in page.users],
    }
    return {"data": [post], "includes": {name: found for name, found in includes.items() if found}}


def _without_text(answered: Record) -> Record:
    """Return the fields of a replied-to post that are needed. Its text is never displayed, so it is not stored."""
    return {name: answered[name] for name in ("id", "author_id") if name in answered}


def _without_volatile(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return JSON without fields that change without an edit."""
    if isinstance(value, dict):
        return {name: _without_volatile(item) for name, item in value.items() if name not in _VOLATILE}
    return [_without_volatile(item) for item in value] if isinstance(value, list) else value


def older_names(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return a response with the field names of X's API description up to 2.166."""
    if isinstance(value, dict):
        return {_OLDER_NAMES.get(name, name): older_names(item) for name, item in value.items()}
    return [older_names(item) for item in value] if isinstance(value, list) else value


def _compact(value: Record) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")  # keeps lone surrogates
