"""Validate the parameters of calls of the simulated X, by X's rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.x_api.problems import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aggregator.demo.x_shapes import ApiCall

# The fields that it knows; X has more, which are empty in this world.
_CHOICES = {
    "tweet.fields": "article attachments author_id conversation_id created_at display_text_range edit_controls"
    " edit_history_tweet_ids entities id in_reply_to_user_id lang note_tweet possibly_sensitive public_metrics"
    " referenced_tweets reply_settings text withheld",
    "user.fields": "created_at description entities id location name pinned_tweet_id profile_image_url protected"
    " public_metrics url username verified verified_type withheld",
    "media.fields": "alt_text duration_ms height media_key preview_image_url public_metrics type url variants width",
    "expansions": "author_id referenced_tweets.id referenced_tweets.id.author_id attachments.media_keys"
    " referenced_tweets.id.attachments.media_keys in_reply_to_user_id edit_history_tweet_ids"
    " entities.mentions.username attachments.poll_ids article.cover_media",
    "poll.fields": "duration_minutes end_datetime id options voting_status",
    "exclude": "replies retweets",
}
_ID, _USERNAME = "[0-9]{1,19}", "[A-Za-z0-9_]{1,15}"
_PATTERNS = {
    "id": _ID,
    "ids": _ID,
    "since_id": _ID,
    "until_id": _ID,
    "pagination_token": _ID,
    "next_token": _ID,
    "username": _USERNAME,
    "usernames": _USERNAME,
}
_REQUIRED = {"/2/users": "ids", "/2/tweets": "ids", "/2/users/by": "usernames"}
_LEAST = {"/2/tweets/search/recent": 10, "/2/lists/{id}/tweets": 1}  # posts in a page
_MOST = 100  # posts in a page, values in a list
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def check(endpoint: str, call: ApiCall) -> None:
    """Check the parameters of a call in the older vocabulary.

    Raises:
        InvalidError: X rejects one.
    """
    for name, known in _CHOICES.items():
        check_choice(call, name, known.split())
    given = {**call.params, **call.path}
    if endpoint in _REQUIRED:
        given.setdefault(_REQUIRED[endpoint], "")
    for name, pattern in _PATTERNS.items():
        if name in given:
            _check_values(name, given[name].split(","), pattern)
    size, least = given.get("max_results", "10"), _LEAST.get(endpoint, 5)
    if not size.isdigit() or not least <= int(size) <= _MOST:
        raise _invalid("max_results", size, f"is not between {least} and {_MOST}")


def check_choice(call: ApiCall, name: str, known: Iterable[str]) -> None:
    """Check that X knows all values of a list parameter.

    Raises:
        InvalidError: it does not.
    """
    for value in sorted(set(call.values(name)).difference(known)):
        raise _invalid(name, value, f"is not one of [{','.join(sorted(known))}]")


def span(call: ApiCall) -> tuple[datetime, datetime]:
    """Return the first time, and the time after the last, of the posts that a call asks for.

    Raises:
        InvalidError: one is not a time.
    """
    return _time(call, "start_time") or _EARLIEST, _time(call, "end_time") or _LATEST


def _check_values(name: str, values: list[str], pattern: str) -> None:
    if len(values) > _MOST:
        message = f"The number of values in the `{name}` query parameter [{len(values)}] is not <= {_MOST}"
        raise InvalidError(name, str(len(values)), message)
    for value in values:
        if not re.fullmatch(pattern, value):
            raise _invalid(name, value, f"does not match ^{pattern}$")


def _time(call: ApiCall, name: str) -> datetime | None:
    text = call.params.get(name)
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text is not None else None
    except ValueError:
        raise _invalid(name, str(text), "is not a valid RFC3339 date-time") from None


def _invalid(name: str, value: str, reason: str) -> InvalidError:
    return InvalidError(name, value, f"The `{name}` query parameter value [{value}] {reason}")
