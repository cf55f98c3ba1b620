"""Look up the posts that reposted quotes quote: X includes what a post refers to, but not what that refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import SourceError
from aggregator.sources.twitter.references import nested_quotes, with_included
from aggregator.sources.twitter.vocabulary import MOST_PER_POST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.sources.twitter.api import Api
    from aggregator.sources.twitter.timeline import PageFetcher

MOST_QUOTED = 100  # per request


def with_quoted(fetch: PageFetcher, api: Api) -> PageFetcher:
    """Wrap a call so that its page includes what its reposted quotes quote, as far as the reserve allows."""

    async def page(**parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401  # X's own parameters
        payload = await fetch(**parameters)
        quoted = nested_quotes(payload, int(parameters.get("since_id") or 0))
        if not quoted:
            return payload
        try:
            room = await api.room()
            some = quoted[: MOST_QUOTED if room is None else min(room // MOST_PER_POST, MOST_QUOTED)]
            return with_included(payload, await api.posts(some)) if some else payload
        except SourceError:  # the page itself is complete without them: a reposted quote links what it quotes
            return payload

    return page
