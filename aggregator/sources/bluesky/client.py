"""Send requests to the public API of an AppView."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from aggregator.domain.errors import MissingAccountError, NotAllowedError, SourceError, UnreadableError
from aggregator.fetching.response import TransferStats
from aggregator.source_api.untrusted_json import Record, decoded, record, records
from aggregator.sources.bluesky.addresses import is_did, xrpc
from aggregator.sources.bluesky.network import API

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.fetching.client import Http
    from aggregator.fetching.response import Response

PAGE = 50  # entries per request
MOST_URIS = 25  # posts or profiles per request, as the lexicons say

_ACCEPT = "application/json"
_CLOSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_ABSENT = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})  # an AppView sends the first
_LONGEST_LIMIT = timedelta(days=1)


class AppView:
    """An AppView's public API.

    Args:
        base: its base URL.
        http: the HTTP client.
        tally: counts requests and bytes.
    """

    def __init__(self, base: str, http: Http, tally: TransferStats | None = None) -> None:
        self.base, self._http = base, http
        self._tally = TransferStats() if tally is None else tally

    async def profile(self, actor: str) -> Record:
        """Return the profile of an account, by its handle or DID.

        Raises:
            MissingAccountError: it doesn't exist, or was deactivated, deleted or taken down.
            SourceError: the response was not usable.
        """
        url = xrpc(self.base, "app.bsky.actor.getProfile", {"actor": actor})
        found = record(decoded((await self._get(url, f"the account {actor}")).body, API))
        if not is_did(found.get("did")):
            raise UnreadableError(f"{self.base} answers without an account, so it is not the API of a Bluesky AppView.")
        return found

    async def profiles(self, dids: Sequence[str]) -> list[Record]:
        """Return those profiles that exist, of 25 accounts at most.

        Raises:
            SourceError: the response was not usable.
        """
        url = xrpc(self.base, "app.bsky.actor.getProfiles", {"actors": dids})
        found = record(decoded((await self._get(url, "one of the accounts")).body, API)).get("profiles")
        if not isinstance(found, list):
            raise UnreadableError(f"{self.base} answers without profiles, so it is not the API of a Bluesky AppView.")
        return records(found)

    async def described(self, method: str, query: Mapping[str, str]) -> Record:
        """Return the description of a feed or list.

        Raises:
            SourceError: the response was not usable.
        """
        return record(decoded((await self._get(xrpc(self.base, method, query), "this feed or list")).body, API))

    async def page(self, url: str, etag: str | None = None) -> Response:
        """Request a page of posts.

        Raises:
            MissingAccountError: its account, feed or list doesn't exist any more.
            NotAllowedError: the AppView answers this only to signed-in clients.
            SourceError: the response was not usable.
        """
        return await self._get(url, "this account, feed or list", etag)

    async def posts(self, uris: Sequence[str]) -> bytes:
        """Return the response about 25 posts at most; it omits those that don't exist.

        Raises:
            SourceError: the response was not usable.
        """
        url = xrpc(self.base, "app.bsky.feed.getPosts", {"uris": uris})
        return (await self._get(url, "one of the posts")).body

    async def _get(self, url: str, what: str, etag: str | None = None) -> Response:
        try:
            return await self._http.get(url, accept=_ACCEPT, tally=self._tally, etag=etag)
        except SourceError as problem:
            raise self._explained(problem, what) from None

    def _explained(self, problem: SourceError, what: str) -> SourceError:
        if problem.status in _CLOSED:
            return NotAllowedError(
                f"{self.base} answers this to signed-in clients only ({problem.status}), which Bluesky does with "
                "searches of hashtags at times. AGGREGATOR_BLUESKY_API names the AppView that is used."
            )
        if problem.status in _ABSENT:
            return MissingAccountError(
                f"{self.base} does not have {what}: it never existed, or was deleted, deactivated or taken down.",
                status=problem.status,
            )
        return problem


def limit_reached_until(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return until when the service allows no further request, by its rate limit headers; a day at most."""
    named = {name.lower(): value.strip() for name, value in headers.items()}
    if named.get("ratelimit-remaining") != "0":
        return None
    digits = named.get("ratelimit-reset", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 11):  # noqa: PLR2004 - to the year 5138
        return None
    until = min(datetime.fromtimestamp(int(digits), UTC), now.astimezone(UTC) + _LONGEST_LIMIT)
    return until if until > now.astimezone(UTC) else None
