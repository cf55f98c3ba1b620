"""Define an X search as a source: posts of the last seven days that match a query, if the plan includes search."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.polling.results import Discovery
from aggregator.sources.twitter.snowflakes import time_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aggregator.sources.twitter.read_budget import ReadQuota
    from aggregator.sources.twitter.timeline import PageFetcher, Watermark

_LEAST_PAGE = 10  # posts; X's minimum page size
_REACH = timedelta(days=7) - timedelta(hours=1)  # X's search window, less a margin for clock differences
# A change of 2026-05-04 by X.
NO_REPOSTS = (
    "X's search has returned no reposts for words and hashtags since May 2026; add accounts to get what they repost."
)


def discovered(query: str, host: str, floor: timedelta, kind: str) -> Discovery:
    """Return a search as a source. Its first poll shows whether the plan includes search."""
    return Discovery(
        kind=kind,
        address=f"search:{query}",
        host=host,
        name=f"X: {query}"[:80],
        slug=slug_of(query),
        every=None,
        floor=floor,
        options={"query": query},
        notes=(NO_REPOSTS,),
    )


def slug_of(words: str) -> str:
    """Return the proposed slug of a source without a handle."""
    return ("x-" + re.sub(r"[^a-z0-9]+", "-", words.casefold()).strip("-"))[:40].strip("-")


def clamped_quota(quota: ReadQuota) -> ReadQuota:
    """Return a quota with page sizes that X accepts for searches."""
    return replace(quota, first=max(quota.first, _LEAST_PAGE), page=max(quota.page, _LEAST_PAGE))


def within_reach(mark: Watermark, now: datetime, last_success: datetime | None) -> tuple[Watermark, bool]:
    """Return the position without a gap that is too old for X, and whether posts are lost.

    Args:
        mark: the last position.
        now: the present time.
        last_success: when the search was last read, or None.
    """
    if mark.until is not None and now - time_of(mark.until) > _REACH:
        return mark.without_gap(), True
    return mark, mark.since is not None and last_success is not None and now - last_success > _REACH


def as_timeline(fetch: PageFetcher, now: datetime) -> PageFetcher:
    """Wrap the search call as a timeline call: map the token's name, and drop ids that are too old."""

    async def page(**parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401  # X's own parameters
        if "pagination_token" in parameters:
            parameters["next_token"] = parameters.pop("pagination_token")
        since = parameters.get("since_id")
        if since is not None and now - time_of(int(since)) > _REACH:
            del parameters["since_id"]  # all results are newer
        return await fetch(**parameters)

    return page
