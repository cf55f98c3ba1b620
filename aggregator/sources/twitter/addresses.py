"""Parse addresses on X: accounts, lists, searches, hashtags and posts, as handles, prefixes or URLs. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from aggregator.domain.errors import BadRequestError
from aggregator.sources.twitter.network import X

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_QUERY = 512  # characters, on self-service plans
USER_ID = LIST_ID = re.compile(r"[0-9]{1,19}")

_HANDLE = re.compile(r"@?([A-Za-z0-9_]{1,15})")
_PREFIX = re.compile(r"(?:x-)?(search|list|mentions|quotes):\s*(.*)", re.IGNORECASE | re.DOTALL)
_URL = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_MAIN_HOST = re.compile(r"(?:(?:www|mobile|m)\.)?\w+\.com", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
# First path segments on X that are X's own pages, not handles.
_NO_HANDLE = re.compile(
    "about|account|compose|download|explore|hashtag|home|i|intent|jobs|login|logout|messages|notifications|privacy"
    "|search|settings|share|signup|statuses|tos|who_to_follow",
    re.IGNORECASE,
)
_STATUS = re.compile(r"(?:i/web/status|\w+/status(?:es)?|statuses)/([0-9]{1,19})\b.*")
_POST_ID = re.compile(r"(?:x:)?([0-9]{1,19})")
_ACCOUNT_ID = re.compile(r"(?:x:@)?([0-9]{1,19})")
_FORMS = "an account (@name), mentions:@name, quotes:@name, list:ID or search:QUERY"


class Feed(StrEnum):
    """The timelines of X that can be followed."""

    ACCOUNT = "account"
    MENTIONS = "mentions"  # of an account
    QUOTES = "quotes"  # of an account's posts
    LIST = "list"
    SEARCH = "search"


class Address(NamedTuple):
    """A timeline on X: `value` is a handle, an account's id (`by_id`), a list's id or a query."""

    feed: Feed
    value: str
    by_id: bool = False

    def __str__(self) -> str:
        """Return the canonical form, as given to `source add`."""
        value = self.value if self.feed in {Feed.LIST, Feed.SEARCH} else f"@{self.value}"
        return value if self.feed is Feed.ACCOUNT else f"{self.feed}:{value}"


def parse(text: str) -> Address | None:
    """Return the timeline that an address on X names, or None for an address elsewhere.

    Raises:
        BadRequestError: it is on X, but can't be followed; the message names an alternative.
    """
    text = text.strip()
    if (found := _PREFIX.fullmatch(text)) is not None:
        return _prefixed(Feed(found[1].lower()), found[2].strip())
    if text.startswith("@"):
        match = _HANDLE.fullmatch(text)
        return Address(Feed.ACCOUNT, match[1]) if match else None
    parts = _on_x(text)
    return _at(parts) if parts is not None else None


def post_id(text: str) -> str | None:
    """Return the id of a post from its id, its key or its URL."""
    if (found := _POST_ID.fullmatch(text)) is not None:
        return found[1]
    parts = _on_x(text)
    match = _STATUS.fullmatch(parts.path.strip("/")) if parts else None
    return match[1] if match else None


def account_id(text: str) -> str | None:
    """Return the id of an account from its id or its key."""
    found = _ACCOUNT_ID.fullmatch(text)
    return found[1] if found else None


def handle_in(address: str) -> str | None:
    """Return the handle of an account's address, or None for any other address."""
    try:
        found = parse(address)
    except BadRequestError:
        return None
    return found.value if found and found.feed is Feed.ACCOUNT and not found.by_id else None


def checked(query: str) -> str:
    """Return a query with whitespace collapsed.

    Raises:
        BadRequestError: it is empty or too long.
    """
    words = _SPACES.sub(" ", query).strip()
    if not words:
        raise BadRequestError("The search is empty; write it as 'search:from:opengovpart OR #opengov'.")
    if len(words) > LONGEST_QUERY:
        raise BadRequestError(
            f"The search has {len(words)} characters, more than X's limit of {LONGEST_QUERY}; split it in two."
        )
    return words


def _prefixed(feed: Feed, value: str) -> Address:
    """Return the timeline of "list:ID" and the like; the value may be a URL of the list or account."""
    if feed is Feed.SEARCH:
        return Address(feed, checked(value))
    if feed is Feed.LIST:
        found = parse(value) if _on_x(value) else None
        number = found.value if found and found.feed is Feed.LIST else value
        if not LIST_ID.fullmatch(number):
            raise BadRequestError(f"{value[:80]!r} is not the id of a list on X; write it as 'list:1234567890'.")
        return Address(feed, number)
    match = _HANDLE.fullmatch(value)
    handle = match[1] if match else handle_in(value)
    if handle is None:
        raise BadRequestError(f"{value[:80]!r} is not an account on X; write it as '{feed}:@name'.")
    return Address(feed, handle)


def _on_x(text: str) -> SplitResult | None:
    """Return the parts of a URL on X, with or without a scheme."""
    try:
        parts = urlsplit(text if _URL.match(text) else f"//{text}")
        host = (parts.hostname or "").rstrip(".")
    except ValueError:  # a bracket that is not part of an IPv6 address
        return None
    return parts if X.owns(host) and not any(map(str.isspace, text)) else None


def _at(parts: SplitResult) -> Address:
    path = parts.fragment.removeprefix("!") if parts.fragment.startswith("!/") else parts.path
    segments = [unquote(segment) for segment in path.split("/") if segment]
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    is_main = _MAIN_HOST.fullmatch((parts.hostname or "").rstrip("."))
    found = (_own_page(segments, query) or _profile(segments)) if is_main else None
    if found is None:
        raise BadRequestError(f"Pages of X are not read as web pages, and this one can't be followed. Use {_FORMS}.")
    return found


def _own_page(segments: Sequence[str], query: Mapping[str, str]) -> Address | None:
    """Return the timeline of a page of X's own: a list, a search, a hashtag, or an account by its id."""
    match [segment.casefold() for segment in segments]:
        case ["i", "lists", number, *_] if LIST_ID.fullmatch(number):
            return Address(Feed.LIST, number)
        case ["i", "user", number] if USER_ID.fullmatch(number):
            return Address(Feed.ACCOUNT, number, by_id=True)
        case ["search"] if query.get("q", "").strip():
            return Address(Feed.SEARCH, checked(query["q"]))
        case ["search", _]:
            return Address(Feed.SEARCH, checked(segments[1]))
        case ["hashtag", _, *_]:
            return Address(Feed.SEARCH, checked(f"#{segments[1].lstrip('#')}"))
    return _followed(query) if segments[:1] == ["intent"] else None


def _followed(query: Mapping[str, str]) -> Address | None:
    """Return the account of a "Follow" button."""
    if USER_ID.fullmatch(query.get("user_id", "")):
        return Address(Feed.ACCOUNT, query["user_id"], by_id=True)
    match = _HANDLE.fullmatch(query.get("screen_name", ""))
    return Address(Feed.ACCOUNT, match[1]) if match else None


def _profile(segments: Sequence[str]) -> Address | None:
    """Return the account of a profile page or one of its tabs.

    Raises:
        BadRequestError: it is a post, or a list by its former address.
    """
    if _STATUS.fullmatch("/".join(segments)):
        author = _HANDLE.fullmatch(segments[0])
        known = author is not None and not _NO_HANDLE.fullmatch(segments[0])
        follow = f"'@{author[1]}'" if author and known else "'@name'"
        raise BadRequestError(f"This is a single post on X, which can't be followed. Add its author: {follow}.")
    match = _HANDLE.fullmatch(segments[0]) if segments else None
    if match is None or _NO_HANDLE.fullmatch(match[1]):
        return None
    if len(segments) > 1 and segments[1].casefold() == "lists":
        raise BadRequestError(
            "This address of a list on X has no id. Open the list, and use the address that X shows then, like "
            "https://x.com/i/lists/1234567890, or 'list:1234567890'."
        )
    return Address(Feed.ACCOUNT, match[1])
