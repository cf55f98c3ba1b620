"""Send requests to the YouTube Data API, within its quota.

The key is sent as a header, so that no address contains it. Each call costs one unit of the daily quota.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aggregator.domain.errors import (
    BudgetError,
    CapReachedError,
    CredentialsError,
    FetchError,
    MissingAccountError,
    SourceError,
    UnreadableError,
)
from aggregator.domain.polling.api_refusals import ApiCall
from aggregator.fetching.response import TransferStats
from aggregator.source_api.untrusted_json import decoded, record, records, text
from aggregator.sources.youtube.network import API
from aggregator.sources.youtube.settings import API_BASE, SERVICE, api_key, key_id, quota
from aggregator.sources.youtube.videos import MOST_VIDEOS, read_channels, read_videos

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.fetching.response import Response
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.youtube.videos import Video

_HEADER = "X-Goog-Api-Key"
_USED_UP = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class DataApi:
    """The API with the key of the settings.

    Args:
        context: clients, clock and settings.
        tally: counts requests and bytes.
        source_id: of the source that is polled; 0: none.
    """

    def __init__(self, context: PollContext, tally: TransferStats | None = None, source_id: int = 0) -> None:
        self._context, self._source_id = context, source_id
        self._tally = TransferStats() if tally is None else tally
        self._key = api_key(context.settings)
        self._base = context.settings.get("youtube_api", API_BASE)
        self._quota = quota(context.settings)

    @property
    def usable(self) -> bool:
        """Whether there is a key."""
        return self._key is not None

    async def videos(self, ids: Sequence[str]) -> Mapping[str, Video | None]:
        """Return the videos that exist, of 50 at most; None for those that were withdrawn.

        Raises:
            SourceError: the response was not usable.
        """
        query = {"part": "snippet,contentDetails,status,liveStreamingDetails", "id": ",".join(ids[:MOST_VIDEOS])}
        response = await self._get("videos", {**query, "maxResults": str(MOST_VIDEOS)})
        return await self._context.parser.run(read_videos, response.body)

    async def playlist(self, id_: str) -> Response:
        """Return the response with the newest videos of a playlist.

        Raises:
            MissingAccountError: there is no such playlist.
            SourceError: the response was not usable.
        """
        query = {"part": "snippet,contentDetails,status", "playlistId": id_, "maxResults": str(MOST_VIDEOS)}
        return await self._get("playlistItems", query)

    async def channel(self, **names: str) -> tuple[str, str] | None:
        """Return the id and title of a channel, by `id`, `forHandle` or `forUsername`; None if there is none.

        Raises:
            SourceError: the response was not usable.
        """
        response = await self._get("channels", {"part": "id,snippet", **names})
        found = await self._context.parser.run(read_channels, response.body)
        return found[0] if found else None

    async def _get(self, endpoint: str, query: Mapping[str, str]) -> Response:
        if self._key is None:
            raise CredentialsError("There is no key for the YouTube Data API; see AGGREGATOR_YOUTUBE_API_KEY.")
        call = ApiCall(SERVICE, key_id(self._key), endpoint, polls=False)
        is_probe = await self._context.refusals.check(call)
        await self._context.spending.take_unit(self._quota, f"{endpoint}.list", self._source_id)
        url, headers = f"{self._base}/{endpoint}?{urlencode(query, safe=',')}", {_HEADER: self._key.reveal()}
        try:
            response = await self._context.http.get(url, accept="application/json", headers=headers, tally=self._tally)
        except FetchError as problem:
            raise await self._explained(problem, call) from None
        if is_probe:
            await self._context.refusals.answered(call)
        return response

    async def _explained(self, problem: FetchError, call: ApiCall) -> SourceError:
        """Return the error for people; what concerns all sources is stored for all workers."""
        if problem.status == HTTPStatus.NOT_FOUND:
            return MissingAccountError(f"{API} does not have this channel or playlist.", status=problem.status)
        if problem.status not in _REFUSED:
            return problem
        reason = _reason(problem.body)
        if reason in _TOO_FAST:
            return problem
        if reason in _USED_UP:
            now = self._context.clock()
            message = f"{API} reports that its daily quota is used up. It is used again after midnight Pacific time."
            until = await self._context.spending.block(SERVICE, message, self._quota.ends(now))
            return CapReachedError(message, until=until, status=problem.status)
        error = CredentialsError(
            f"{API} refuses the key in AGGREGATOR_YOUTUBE_API_KEY ({problem.status}{f', {reason}' if reason else ''}). "
            "Check in the Google Cloud console that the key exists, that the API is enabled for its project, and that "
            "its restrictions allow this machine.",
            status=problem.status,
        )
        error.until = await self._context.refusals.refused(call, error)
        return error


def _reason(body: bytes) -> str:
    """Return the reason in the body of an error; a longer one is cut, so it has none."""
    try:
        error = record(record(decoded(body, API)).get("error"))
    except UnreadableError:
        return ""
    reason = next((text(item.get("reason"), 60) for item in records(error.get("errors"))), "")
    return reason if reason.isascii() and reason.isalnum() else ""


def in_words(problem: SourceError) -> str:
    """Return a note for people that the API was not used."""
    if isinstance(problem, BudgetError):
        return "The daily quota of the API is used up, so durations, live streams and removals are read later."
    return f"The API could not be used: {problem}"
