"""Define an X search as a source: posts of the last seven days that match a query, if the plan includes search."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.results import Discovery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.sources.twitter.read_budget import ReadQuota
    from aggregator.sources.twitter.timeline import PageFetcher

LONGEST_QUERY = 512  # characters, on self-service plans
_LEAST_PAGE = 10  # posts; X's minimum page size
_REACH = timedelta(days=7) - timedelta(hours=1)  # X's search window, less a margin for clock differences
_X_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # post ids contain milliseconds since this instant
_PREFIX = re.compile(r"(?:x-)?search:\s*(.*)", re.IGNORECASE | re.DOTALL)
_SPACES = re.compile(r"\s+")


def query_in(address: str) -> str | None:
    """Return the query of "search:QUERY"; None for any other address."""
    found = _PREFIX.fullmatch(address.strip())
    return checked(found[1]) if found else None


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


def discovered(query: str, host: str, floor: timedelta, kind: str) -> Discovery:
    """Return a search as a source. Its first poll shows whether the plan includes search."""
    return Discovery(
        kind=kind,
        address=f"search:{query}",
        host=host,
        name=f"X: {query}"[:80],
        slug=("x-" + re.sub(r"[^a-z0-9]+", "-", query.casefold()).strip("-"))[:40].strip("-"),
        every=None,
        floor=floor,
        options={"query": query},
    )


def clamped_quota(quota: ReadQuota) -> ReadQuota:
    """Return a quota with page sizes that X accepts for searches."""
    return replace(quota, first=max(quota.first, _LEAST_PAGE), page=max(quota.page, _LEAST_PAGE))


def as_timeline(fetch: PageFetcher, now: datetime) -> PageFetcher:
    """Wrap the search call as a timeline call: map the token's name, and drop ids that are too old."""

    async def page(**parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401  # X's own parameters
        if "pagination_token" in parameters:
            parameters["next_token"] = parameters.pop("pagination_token")
        since = parameters.get("since_id")
        if since is not None and now - _time_of(int(since)) > _REACH:
            del parameters["since_id"]  # all results are newer
        return await fetch(**parameters)

    return page


def _time_of(post_id: int) -> datetime:
    return _X_EPOCH + timedelta(milliseconds=post_id >> 22)
