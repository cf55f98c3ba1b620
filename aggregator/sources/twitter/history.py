"""Read the older posts of an account, page by page, within an amount of money."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.results import FetchFacts, FetchResult
from aggregator.source_api.archive import ArchiveCost
from aggregator.sources.twitter import errors, feeds
from aggregator.sources.twitter.addresses import Feed
from aggregator.sources.twitter.normalise import normalise_page
from aggregator.sources.twitter.read_budget import LEAST_PAGE, PAGE
from aggregator.sources.twitter.settings import SERVICE
from aggregator.sources.twitter.unread_posts import account_of
from aggregator.sources.twitter.vocabulary import MOST_PER_POST

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime

    from aggregator.domain.source import Json, Source
    from aggregator.source_api.archive import ArchiveRequest
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.twitter.api import Api

MOST_POSTS = 3200  # X returns no older ones of an account
MOST_POSTS_WITHOUT_REPLIES = 800
_DAY = timedelta(days=1)


def check(options: Mapping[str, Json]) -> None:
    """Check that a source has a history.

    Raises:
        BadRequestError: X returns older posts of accounts only.
    """
    if feeds.feed_of(options) is not Feed.ACCOUNT:
        raise BadRequestError("X returns older posts of accounts only, not of mentions, quotes, lists and searches.")


def cost_of(source: Source, request: ArchiveRequest, prices: tuple[float, float], now: datetime) -> ArchiveCost:
    """Return what a request may cost.

    Args:
        source: an account.
        request: its dollars are the upper limit.
        prices: dollars for a post of the account, and for another one that is included with it.
        now: the present time.
    """
    own, other = prices
    most = _most_posts(source.options, request)
    worst = most * (own + (MOST_PER_POST - 1) * other)
    daily = source.poll.daily_cost
    expected = daily * ((now - request.since) / _DAY) if daily is not None and request.since else None
    bounds = [worst, *([request.dollars] if request.dollars is not None else [])]
    return ArchiveCost(SERVICE, most, min(bounds), None if expected is None else min(expected, *bounds))


def _most_posts(options: Mapping[str, Json], request: ArchiveRequest) -> int:
    excluded = options.get("exclude") or ()
    return min(MOST_POSTS_WITHOUT_REPLIES if "replies" in excluded else MOST_POSTS, request.pages * PAGE)


async def read(
    source: Source, api: Api, context: PollContext, request: ArchiveRequest, prices: tuple[float, float]
) -> AsyncGenerator[FetchResult]:
    """Yield pages of posts older than the oldest stored one, newest first.

    Raises:
        SourceError: X gave no usable response; the pages before it are complete.
    """
    own, other = prices
    each = own + (MOST_PER_POST - 1) * other
    parameters: dict[str, Any] = {"until_id": request.oldest, "start_time": request.since}
    if source.options.get("exclude"):
        parameters["exclude"] = source.options["exclude"]
    api.begin()
    for _ in range(request.pages):
        left = PAGE if request.dollars is None else int((request.dollars - api.cost) / each) if each else PAGE
        if left < LEAST_PAGE:
            return
        bounds = {name: value for name, value in parameters.items() if value is not None}
        payload = await api.timeline(str(source.options["user_id"]), source.id, max_results=min(left, PAGE), **bounds)
        if not payload.get("data") and payload.get("errors"):
            raise errors.from_errors(payload["errors"], source.address)
        content = normalise_page(payload, account=account_of(source))
        facts = FetchFacts(context.clock(), timedelta(), api.exchange.status, api.exchange.wire_bytes, 1)
        yield FetchResult(content.activities, source.poll.fetch_state, facts=facts, unread=content.unread)
        meta = payload.get("meta")
        token = meta.get("next_token") if isinstance(meta, dict) else None
        if not token or token == parameters.get("pagination_token"):
            return
        parameters["pagination_token"] = str(token)
