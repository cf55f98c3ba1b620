"""What an answer of X's API is billed for: each post and each person in it, in `data` and in `includes`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.domain.billing.metering import Returned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def returned_in(payload: object) -> Returned:
    """Return the ids of all posts and people that an answer holds, in either vocabulary."""
    if not isinstance(payload, dict):
        return Returned()
    given = payload.get("includes")
    includes = given if isinstance(given, dict) else {}
    data = list(_objects(payload, "data"))
    people = [one for one in data if "username" in one]
    posts = [one for one in data if "text" in one or "edit_history_tweet_ids" in one or "edit_history_post_ids" in one]
    posts += [*_objects(includes, "tweets"), *_objects(includes, "posts")]
    people += _objects(includes, "users")
    return Returned(posts=_ids(posts), users=_ids(people))


def _objects(holder: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    found = holder.get(name)
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, dict):
            yield one


def _ids(objects: list[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(one["id"]) for one in objects if one.get("id")))
