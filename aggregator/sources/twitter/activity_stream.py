"""Receive events of X's Activity API: new and deleted posts of followed accounts, over one open connection.

The stream has a line of JSON per event and an empty line every 20 seconds. Subscriptions belong to the app, so those of
this program carry a tag; others are left alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import SourceError
from aggregator.fetching.line_stream import line_stream
from aggregator.source_api.push import AccountChanged, PostDeleted
from aggregator.sources.twitter import errors
from aggregator.sources.twitter.addresses import USER_ID
from aggregator.sources.twitter.normalise import moment_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence

    from aggregator.source_api.kind import PollContext
    from aggregator.sources.twitter.api import Api

STREAM, SUBSCRIPTIONS = "/2/activity/stream", "/2/activity/subscriptions"
CREATED, DELETED = "post.create", "post.delete"
EVENTS = (CREATED, DELETED)
TAG = "activity-stream-aggregator"
MOST_SUBSCRIPTIONS = 1500  # of an app on a self-service plan

MOST_CHANGES = 10  # new subscriptions at a time: requests have spacing, and meanwhile no event is applied

_MOST_AT_ONCE = 100  # ids in a request that deletes subscriptions
_PAGE = 1000
_MOST_PAGES = 5
_SILENCE = 50.0  # seconds without a byte; X sends one every 20 seconds


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription of this program."""

    id: str
    event: str
    user_id: str


@dataclass(frozen=True, slots=True)
class PostCreated:
    """A new post, which X bills."""

    native_id: str
    account: AccountChanged


async def subscribe(
    api: Api, accounts: Collection[str], events: Sequence[str] = EVENTS, *, most: int = MOST_CHANGES
) -> bool:
    """Subscribe to these events of these accounts, and cancel this program's other subscriptions.

    With more accounts than the plan allows, deletions of the first ones count most.

    Returns:
        Whether all is done; False after `most` new subscriptions.

    Raises:
        SourceError: X gave no usable response.
    """
    due = [(event, account) for event in reversed(events) for account in accounts]
    due = due[:MOST_SUBSCRIPTIONS]
    chosen = frozenset(due)
    existing = {(found.event, found.user_id): found.id for found in await _subscriptions(api)}
    obsolete = [id_ for key, id_ in existing.items() if key not in chosen]
    for start in range(0, len(obsolete), _MOST_AT_ONCE):
        some = ",".join(obsolete[start : start + _MOST_AT_ONCE])
        await api.send("DELETE", SUBSCRIPTIONS, params={"ids": some})
    missing = [key for key in due if key not in existing]
    for event, account in missing[:most]:
        content = {"event_type": event, "filter": {"user_id": account}, "tag": TAG}
        await api.send("POST", SUBSCRIPTIONS, json=content)
    return len(missing) <= most


async def _subscriptions(api: Api) -> list[Subscription]:
    found: list[Subscription] = []
    token: str | None = None
    for _ in range(_MOST_PAGES):
        params = {"max_results": str(_PAGE)} | ({"pagination_token": token} if token else {})
        page = await api.send("GET", SUBSCRIPTIONS, params=params)
        found += subscriptions_in(page)
        meta = page.get("meta")
        token = str(meta["next_token"]) if isinstance(meta, dict) and meta.get("next_token") else None
        if token is None:
            break
    return found


def subscriptions_in(page: Mapping[str, Any]) -> Iterator[Subscription]:
    """Return this program's subscriptions in a response."""
    data = page.get("data")
    for item in data if isinstance(data, list) else []:
        if isinstance(item, dict) and item.get("tag") == TAG and isinstance(item.get("filter"), dict):
            yield Subscription(
                str(item.get("subscription_id")), str(item.get("event_type")), str(item["filter"].get("user_id"))
            )


async def listen(base: str, token: str, context: PollContext) -> AsyncGenerator[PostCreated | PostDeleted | None]:
    """Yield the events of the stream; None for a keep-alive line, and when the connection is open.

    Args:
        base: the API's base URL.
        token: the app's bearer token.
        context: of the poll.

    Raises:
        SourceError: X refused the connection, or it broke.
    """
    headers = {"Authorization": f"Bearer {token}"}
    async with line_stream(base.rstrip("/") + STREAM, headers, silence=_SILENCE) as stream:
        if stream.status != HTTPStatus.OK:
            raise errors.from_status(stream.status, stream.headers, await stream.refusal(), context.clock())
        yield None
        async for line in stream.lines():
            for event in events_in(line):
                yield event
            if not line.strip():
                yield None


def events_in(line: bytes) -> Iterator[PostCreated | PostDeleted]:
    """Return the events in a line; unknown and malformed ones are ignored.

    Raises:
        SourceError: the line is an error, after which X closes the connection.
    """
    try:
        decoded = json.loads(line) if line.strip() else None
    except (ValueError, RecursionError):
        return
    if not isinstance(decoded, dict):
        return
    data = decoded.get("data")
    if not isinstance(data, dict):
        if decoded.get("errors"):
            raise SourceError(f"X's activity stream ended: {errors.error_message(line)}.")
        return
    payload, filter_ = data.get("payload"), data.get("filter")
    payload = payload if isinstance(payload, dict) else {}
    author = str(payload.get("author_id") or (filter_.get("user_id") if isinstance(filter_, dict) else ""))
    native_id = str(payload.get("id"))
    if not USER_ID.fullmatch(author):
        return
    if data.get("event_type") == DELETED and USER_ID.fullmatch(native_id):
        yield PostDeleted(native_id, author, moment_of(data.get("created_at")), has_versions=True)
    elif data.get("event_type") == CREATED and USER_ID.fullmatch(native_id):
        yield PostCreated(native_id, AccountChanged(author))
