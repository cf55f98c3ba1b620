"""Parse and validate the parameters of requests to the sample X, with X's rules."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aggregator.demo.x_shapes import MEDIA_FIELDS, TWEET_FIELDS, USER_FIELDS
from aggregator.demo.x_vocabulary import NEWER_EXPANSIONS, NEWER_FIELDS, NEWER_PARAMETER, older_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

    from aggregator.demo.world import Post

_EXPANSIONS = frozenset(
    {
        "author_id",
        "referenced_tweets.id",
        "referenced_tweets.id.author_id",
        "attachments.media_keys",
        "referenced_tweets.id.attachments.media_keys",
        "in_reply_to_user_id",
        "edit_history_tweet_ids",
        "entities.mentions.username",
    }
)
_DIGITS = string.digits + string.ascii_lowercase
_NUMBER = re.compile(r"[0-9]{1,19}")
_USERNAME = re.compile(r"[A-Za-z0-9_]{1,15}")
_MOST_LISTED = 100


class NotAllowedError(Exception):
    """A call that the plan does not include."""


class InvalidError(Exception):
    """A parameter that X would reject."""

    def __init__(self, name: str, value: str, message: str) -> None:
        super().__init__(message)
        self.name, self.value = name, value


class ApiRequest:
    """A request, converted to the older vocabulary."""

    def __init__(self, request: Request, vocabulary: str) -> None:
        self.newer = vocabulary == "posts"
        self.path = request.path_params
        self.base = str(request.base_url).rstrip("/")
        self.params: Mapping[str, str] = dict(request.query_params)
        if self.newer:
            _choice(self.params, NEWER_PARAMETER, NEWER_FIELDS)
            _choice(self.params, "expansions", NEWER_EXPANSIONS)
            self.params = older_request(self.params)


@dataclass(frozen=True, slots=True)
class RequestedFields:
    """The requested fields and expansions."""

    tweet: frozenset[str]
    user: frozenset[str]
    media: frozenset[str]
    expansions: frozenset[str]


def names_references(expansions: Iterable[str]) -> bool:
    """Return whether the response includes referenced posts."""
    return any(name.startswith("referenced_tweets.id") for name in expansions)


def requested_fields(asking: ApiRequest) -> RequestedFields:
    """Return the requested fields and expansions."""
    return RequestedFields(
        _choice(asking.params, "tweet.fields", TWEET_FIELDS),
        _choice(asking.params, "user.fields", USER_FIELDS),
        _choice(asking.params, "media.fields", MEDIA_FIELDS),
        _choice(asking.params, "expansions", _EXPANSIONS),
    )


def _choice(params: Mapping[str, str], name: str, known: Iterable[str]) -> frozenset[str]:
    given = frozenset(filter(None, params.get(name, "").split(",")))
    for value in sorted(given - frozenset(known)):
        raise InvalidError(
            name, value, f"The `{name}` query parameter value [{value}] is not one of [{','.join(sorted(known))}]"
        )
    return given


def listed(asking: ApiRequest, name: str) -> list[str]:
    """Return the values of a list parameter, up to a hundred."""
    values = asking.params.get(name, "").split(",")
    if len(values) > _MOST_LISTED:
        message = f"The number of values in the `{name}` query parameter [{len(values)}] is not <= {_MOST_LISTED}"
        raise InvalidError(name, str(len(values)), message)
    return values


def page_size(params: Mapping[str, str], least: int) -> int:
    """Return the page size."""
    text = params.get("max_results", "10")
    if not text.isdigit() or not least <= int(text) <= 100:  # noqa: PLR2004  # X's own bound
        raise InvalidError(
            "max_results", text, f"The `max_results` query parameter value [{text}] is not between {least} and 100"
        )
    return int(text)


def within(posts: list[Post], params: Mapping[str, str]) -> list[Post]:
    """Return the posts, newest first, within the bounds of a request."""
    exclude = _choice(params, "exclude", {"replies", "retweets"})
    unwanted = {"replied_to" if name == "replies" else "retweeted" for name in exclude}
    since = int(id_of(params["since_id"], "since_id")) if "since_id" in params else 0
    bounds = [int(id_of(params["until_id"], "until_id"))] if "until_id" in params else []
    if token := params.get("pagination_token"):
        if not set(token) <= set(_DIGITS):
            raise InvalidError(
                "pagination_token", token, f"The `pagination_token` query parameter value [{token}] is not valid"
            )
        bounds.append(int(token, 36))
    start, end = (_time(params, name) for name in ("start_time", "end_time"))
    return [
        post
        for post in posts
        if post.id > since
        and (start is None or post.created >= start)
        and (end is None or post.created < end)
        and all(post.id < bound for bound in bounds)
        and not unwanted & {kind for kind, _ in post.references}
    ]


def id_of(text: str, name: str) -> str:
    """Return an id."""
    if not _NUMBER.fullmatch(text):
        raise InvalidError(name, text, f"The `{name}` query parameter value [{text}] is not valid")
    return text


def page_token(number: int) -> str:
    """Return the token of the page that ends with this post."""
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits


def _time(params: Mapping[str, str], name: str) -> datetime | None:
    text = params.get(name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise InvalidError(
            name, text, f"The `{name}` query parameter value [{text}] is not a valid RFC3339 date-time"
        ) from None


def is_old(post: Post) -> bool:
    """Return whether a later version has replaced a post."""
    return bool(post.history) and post.history[-1] != post.id


def is_username(text: str) -> bool:
    """Return whether a text can be a handle."""
    return _USERNAME.fullmatch(text) is not None
