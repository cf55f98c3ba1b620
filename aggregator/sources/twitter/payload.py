"""Read the objects of a page of X's API v2: posts, accounts, media, polls and errors. Pure.

X renamed fields in 2026 (`tweet` became `post`). Both vocabularies are supported: newer names are converted to the
older ones first, so that a post gives the same activity, digest and raw entry in either vocabulary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import UnreadableError
from aggregator.sources.twitter.markup import SITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aggregator.domain.activity import Actor

NETWORK = "x"

Record = dict[str, Any]

_OLDER_NAMES = {
    "referenced_posts": "referenced_tweets",
    "note_post": "note_tweet",
    "edit_history_post_ids": "edit_history_tweet_ids",
    "posts": "tweets",
    "repost_count": "retweet_count",
}
_X_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # post ids contain milliseconds since this instant
_FIRST_TIMED_ID = 29_700_859_247  # earlier ids were counted, and contain no time
_LONGEST_ID = len("9223372036854775807")
_STATUS = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/(\w{1,15})/status(?:es)?/(\d{1,19})\b.*", re.IGNORECASE
)
_POST_TYPES = frozenset({"tweet", "post"})  # X's resource types in errors
_UNAVAILABLE = frozenset({"resource-not-found", "not-authorized-for-resource"})


@dataclass(frozen=True, slots=True)
class Page:
    """The objects of a page by their ids, and all handles in it."""

    posts: Mapping[str, Record]  # the included ones
    users: Mapping[str, Record]
    media: Mapping[str, Record]
    polls: Mapping[str, Record]
    handles: Mapping[str, str]
    account: Actor | None
    unavailable: Mapping[str, Record] = field(default_factory=dict)  # the errors of posts that X reports as gone

    def missing(self, post_id: str | None) -> bool:
        """Return whether X did not include a post, and did not report it as unavailable either."""
        return post_id is not None and post_id not in self.posts and post_id not in self.unavailable


def page_of(payload: Mapping[str, Any], account: Actor | None) -> tuple[list[object], Page]:
    """Return the entries of a page in the older vocabulary as X sent them, and its objects.

    Raises:
        UnreadableError: the payload doesn't have the shape of such a page.
    """
    entries, includes = payload.get("data") or [], payload.get("includes") or {}
    if not isinstance(entries, list):
        raise UnreadableError("X returned `data` that is not a list; its API may have changed.")
    if not isinstance(includes, dict):
        raise UnreadableError("X returned `includes` that is not an object; its API may have changed.")
    posts = [post for entry in entries if (post := identified(entry)) is not None]
    tweets, users = _records(includes, "tweets"), _records(includes, "users")
    return entries, Page(
        posts={post["id"]: post for post in tweets},
        users={user["id"]: user for user in users},
        media={item["media_key"]: item for item in _records(includes, "media", key="media_key")},
        polls={poll["id"]: poll for poll in _records(includes, "polls")},
        handles=_handles([*posts, *tweets])
        | _linked_handles(posts, tweets)
        | {user["id"]: str(user.get("username", "")) for user in users},
        account=account,
        unavailable=_unavailable(payload.get("errors")),
    )


def identified(entry: object, key: str = "id") -> Record | None:
    """Return an object with its key as text, or None if it has no usable key."""
    if not isinstance(entry, dict) or not entry.get(key):
        return None
    found = str(entry[key])
    return {**entry, key: found} if key != "id" or (found.isascii() and found.isdigit()) else None


def references_of(post: Record) -> dict[str, str]:
    """Return the ids of the posts that a post refers to, by the type of the reference.

    Raises:
        TypeError: X changed the structure, so that the kind of the post is unknown.
    """
    found = post.get("referenced_tweets") or []
    if not isinstance(found, list):
        raise TypeError("references that are not a list")
    return {str(item.get("type")): str(item["id"]) for item in found if isinstance(item, dict) and item.get("id")}


def history_of(post: Record) -> list[str]:
    """Return the ids of all versions of a post, oldest first."""
    found = post.get("edit_history_tweet_ids")
    return [str(id_) for id_ in found] if isinstance(found, list) and found else [post["id"]]


def first_id(post: Record) -> str:
    """Return the id of a post's first version, which identifies it."""
    return history_of(post)[0]


def key_of(post_id: str) -> str:
    """Return the key of a post: "x:1"."""
    return f"{NETWORK}:{post_id}"


def author_of(post: Record) -> str:
    """Return the id of a post's author, or "" if X doesn't name it."""
    return str(post.get("author_id") or "")


def permalink(post: Record, page: Page) -> str:
    """Return the address of a post; X resolves /i/status/ID for any author."""
    return f"{SITE}/{handle_of(author_of(post), page) or 'i'}/status/{post['id']}"


def handle_of(user_id: str, page: Page) -> str | None:
    """Return the handle of an account, as far as the page contains it."""
    if page.account is not None and user_id in {"", page.account.native_id}:
        return page.handles.get(user_id) or page.account.handle
    return page.handles.get(user_id)


def linked_handle(post: Record, other: str) -> str | None:
    """Return the handle in a post's link to another post."""
    return next((handle for handle, linked in _linked(post) if linked == other), None)


def objects(holder: object, *path: str) -> Iterator[Record]:
    """Yield the objects of a list in an object, by its path; anything else is passed over."""
    for name in path:
        holder = holder.get(name) if isinstance(holder, dict) else None
    yield from (item for item in holder if isinstance(item, dict)) if isinstance(holder, list) else ()


def moment_of(text: object) -> datetime | None:
    """Parse a timestamp of X; return None if it is invalid."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # in the zone, year 1 or 9999 may be year 0 or 10000
        return None


def time_of_id(post_id: str) -> datetime | None:
    """Return the time that a post's id contains; ids before November 2010 contain none."""
    if not (post_id.isascii() and post_id.isdigit()) or len(post_id) > _LONGEST_ID or int(post_id) < _FIRST_TIMED_ID:
        return None
    return _X_EPOCH + timedelta(milliseconds=int(post_id) >> 22)


def older_names(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return a response with the field names of X's API description up to 2.166."""
    if isinstance(value, dict):
        return {_OLDER_NAMES.get(name, name): older_names(item) for name, item in value.items()}
    return [older_names(item) for item in value] if isinstance(value, list) else value


def _records(holder: Mapping[str, Any], name: str, *, key: str = "id") -> list[Record]:
    found = holder.get(name) or []
    if not isinstance(found, list):
        raise UnreadableError(f"X returned `{name}` that is not a list; its API may have changed.")
    return [record for item in found if (record := identified(item, key)) is not None]


def _unavailable(errors: object) -> dict[str, Record]:
    """Return the errors of posts that are deleted or hidden, by the post's id."""
    return {
        str(error.get("resource_id") or error.get("value")): error
        for error in objects({"errors": errors}, "errors")
        if str(error.get("resource_type", "tweet")) in _POST_TYPES
        and str(error.get("type", "")).rpartition("/")[2] in _UNAVAILABLE
    }


def _handles(posts: Iterable[Record]) -> dict[str, str]:
    """Return the handles in the posts' mentions, by user id. The author of an original may appear nowhere else."""
    return {
        str(mention["id"]): str(mention["username"])
        for post in posts
        for words in (post, post.get("note_tweet"))
        for mention in objects(words, "entities", "mentions")
        if mention.get("id") and mention.get("username")
    }


def _linked_handles(posts: Iterable[Record], quoted: Iterable[Record]) -> dict[str, str]:
    """Return the handles in the links to quoted posts, by user id."""
    authors = {post["id"]: str(post["author_id"]) for post in quoted if post.get("author_id")}
    return {authors[linked]: handle for post in posts for handle, linked in _linked(post) if linked in authors}


def _linked(post: Record) -> Iterator[tuple[str, str]]:
    """Yield handle and id of each post that the text links to."""
    for words in (post, post.get("note_tweet")):
        for url in objects(words, "entities", "urls"):
            found = _STATUS.fullmatch(str(url.get("expanded_url") or ""))
            if found and found[1] != "i":
                yield found[1], found[2]
