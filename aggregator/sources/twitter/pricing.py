"""Count the billed objects of a response: each post and each account in `data` and `includes`; read balances. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aggregator.domain.billing.budget import DOLLAR
from aggregator.domain.billing.metering import Returned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST = 1_000_000_000  # dollars; more is no balance
# A list, which has a `member_count`, costs as much as a post.
_FIELDS_OF_POSTS = frozenset({"text", "edit_history_tweet_ids", "edit_history_post_ids", "member_count"})


def returned_in(payload: object, *, owned: bool = False) -> Returned:
    """Return the ids of all posts and accounts in a response, in either vocabulary.

    If the call is `owned`, the posts in `data` have the owner's price. X doesn't document the price of included posts,
    so they count in full.
    """
    if not isinstance(payload, dict):
        return Returned()
    given = payload.get("includes")
    includes = given if isinstance(given, dict) else {}
    data = list(_objects(payload, "data"))
    people = [item for item in data if "username" in item]
    posts = [item for item in data if not _FIELDS_OF_POSTS.isdisjoint(item)]
    own, posts = (posts, []) if owned else ([], posts)
    posts += [*_objects(includes, "tweets"), *_objects(includes, "posts")]
    people += _objects(includes, "users")
    return Returned(posts=_ids(posts), users=_ids(people), owned=_ids(own))


def balance_in(payload: Mapping[str, Any]) -> int | None:
    """Return the balance of the credits in micros, or None if a response doesn't have it."""
    data = payload.get("data")
    given = data.get("total_balance") if isinstance(data, dict) else None
    try:
        amount = Decimal(str(given))
    except ArithmeticError:
        return None
    return round(amount * DOLLAR) if amount.is_finite() and abs(amount) < _MOST else None


def _objects(holder: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    found = holder.get(name)
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, dict):
            yield item


def _ids(objects: list[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(item["id"]) for item in objects if item.get("id")))
