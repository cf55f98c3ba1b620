"""Define the kind of source for YouTube: channels and playlists, by their feeds and the API."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import BadRequestError, FetchError, MissingAccountError, SourceError
from aggregator.domain.polling.results import Discovery, PublisherHints
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR
from aggregator.domain.source_options import OptionType, SourceOption
from aggregator.fetching.request_target import host_key
from aggregator.source_api.documents import freshness, side_by_side
from aggregator.source_api.kind import SourceKind
from aggregator.source_api.timeline_poll import TimelinePoll, discovered
from aggregator.sources.youtube.addresses import Form, Subject, feed_address, page_address, subject_of, uploads_of
from aggregator.sources.youtube.network import YOUTUBE
from aggregator.sources.youtube.settings import SERVICE, SETTINGS, SITE, api_key, key_id
from aggregator.text.urls import slug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aggregator.domain.polling.results import FetchResult, PollOutcome
    from aggregator.domain.source import Json, Source
    from aggregator.fetching.ip_policy import Network as IpNetwork
    from aggregator.fetching.response import Response, TransferStats
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.youtube.api import DataApi
    from aggregator.sources.youtube.timeline import VideoTimeline

READER = 1  # raise when videos are read differently, so that all are read again
MOST_KNOWN = 200  # videos whose removal is noticed
MOST_CHECKS = 50  # videos that are looked up every hour, with one call
FALLBACK_EVERY = timedelta(hours=1)  # between polls of a source by the API, for the sake of the quota

_ACCEPT = "application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_GONE = "The channel was deleted or terminated; its videos were removed."


class YouTube(SourceKind):
    """Polls the feeds of channels and playlists, and looks videos up by the API if there is a key."""

    name = "youtube"
    label = "a channel or playlist on YouTube"
    syndicated = True
    address_form = "the address of a channel, playlist or video on YouTube (https://www.youtube.com/@name)"
    options = (
        SourceOption(
            "exclude",
            OptionType.SET,
            "Leave out",
            "On YouTube, videos to leave out: shorts and, if there is an API key, live streams (live, recordings) and "
            "premieres.",
            choices=("live", "premieres", "recordings", "shorts"),
        ),
    )
    settings = SETTINGS
    networks = (YOUTUBE,)
    late_modules = ("aggregator.sources.youtube.timeline",)

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        """Return a channel or playlist as a source; the channel of a handle, a name or a video is looked up.

        Raises:
            MissingAccountError: it doesn't exist.
            SourceError: the response was not usable.
        """
        del headers
        from aggregator.sources.youtube.discovery import followed

        named = subject_of(address)
        if named is None:
            return None
        api = _api(context)
        subject = await followed(named, api, context)
        poll = _Poll(subject, options, {}, context, api)
        response, result = await poll.run(None)
        if response is None:
            raise MissingAccountError(_GONE)
        found = discovered(
            self, poll.host, feed_address(subject), poll.title or subject.key, response, result, options, poll.notes()
        )
        return replace(found, converts=True)

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll channels and playlists concurrently, each failing separately."""
        async for outcome in side_by_side(batch, context, _read):
            yield outcome

    def address_key(self, address: str) -> str | None:
        """Return the address of the feed, if no request is needed to know it."""
        subject = subject_of(address)
        if subject is None or subject.form not in {Form.CHANNEL, Form.PLAYLIST, Form.USER}:
            return None
        return feed_address(subject)

    def unfetched(self, address: str, name: str | None, private_networks: Sequence[IpNetwork]) -> Discovery:
        """Return a channel or playlist as a source without a request.

        Raises:
            BadRequestError: the channel of a name must be looked up.
        """
        del private_networks
        subject = subject_of(address)
        if subject is None or subject.form not in {Form.CHANNEL, Form.PLAYLIST}:
            raise BadRequestError(f"The channel of {address} must be looked up; import it without --no-fetch.")
        name = name or subject.key
        url = feed_address(subject)
        return Discovery(
            self.name, url, host_key(SITE), name, slug(name) or self.name, None, DOCUMENT_FLOOR, converts=True
        )

    def web_page(self, source: Source) -> str:
        """Return the page of the channel or playlist."""
        subject = subject_of(source.address)
        return page_address(subject) if subject else ""

    def credential(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return the name of the service and the id of the configured key; None without one, which is no fault."""
        key = api_key(values)
        return (SERVICE, key_id(key)) if key else None

    def has_fallback(self, values: Mapping[str, Any]) -> bool:
        """Return whether there is a key, so that the API is read while feeds fail."""
        return api_key(values) is not None


def _api(context: PollContext, tally: TransferStats | None = None, source_id: int = 0) -> DataApi:
    from aggregator.sources.youtube.api import DataApi

    return DataApi(context, tally, source_id)


async def _read(source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
    subject = subject_of(source.address)
    if subject is None or subject.form not in {Form.CHANNEL, Form.PLAYLIST, Form.USER}:
        raise BadRequestError("This source has no address of a feed; remove it and add it again.")
    api = _api(context, tally, source.id)
    poll = _Poll(subject, source.options, source.poll.fetch_state, context, api)
    return (await poll.run(tally))[1]


class _Poll:
    """One poll of a channel or playlist: by its feed, or by the API while the feed fails."""

    def __init__(
        self,
        subject: Subject,
        options: Mapping[str, Json],
        state: Mapping[str, Any],
        context: PollContext,
        api: DataApi,
    ) -> None:
        self._subject, self._context, self._api = subject, context, api
        excluded = options.get("exclude")
        self._excluded = [str(name) for name in excluded] if isinstance(excluded, list) else []
        self._url = feed_address(subject, context.settings.get("youtube_site", SITE))
        self.host = host_key(self._url)
        basis: dict[str, Json] = {"reader": READER, "exclude": [*sorted(self._excluded)]}
        most_checks = MOST_CHECKS if api.usable else 0
        self._poll = TimelinePoll(self._url, basis, state, context.clock(), MOST_KNOWN, most_checks)
        self._timeline: VideoTimeline | None = None

    @property
    def title(self) -> str:
        """The title of the channel or playlist."""
        return self._timeline.title if self._timeline else ""

    def notes(self) -> list[str]:
        """Return notes for people who add the source."""
        return [note] if self._timeline and (note := self._timeline.note()) else []

    async def run(self, tally: TransferStats | None) -> tuple[Response | None, FetchResult]:
        """Return the response and the result; there is no response about a channel that is gone.

        Raises:
            SourceError: neither the feed nor the API gave a usable response.
        """
        try:
            response = await self._context.http.get(self._url, accept=_ACCEPT, tally=tally, etag=self._poll.etag)
        except FetchError as problem:
            return await self._without_feed(problem)
        return response, await self._result(response, _hints(response, self._poll), from_api=False)

    async def _without_feed(self, problem: FetchError) -> tuple[Response | None, FetchResult]:
        playlist = uploads_of(self._subject)
        if playlist is None or not self._api.usable:
            raise problem
        try:
            response = await self._api.playlist(playlist)
        except MissingAccountError:
            if problem.status in _ABSENT and await self._is_gone():
                return None, self._poll.account_gone(_GONE)
            raise
        except SourceError as other:
            raise problem from other  # an outage is that of the feeds
        hints = PublisherHints(at_least=FALLBACK_EVERY, why="the API is read instead of the feed")
        return response, await self._result(response, hints, from_api=True)

    async def _is_gone(self) -> bool:
        """Return whether a channel with known videos doesn't exist any more; playlists are left to people."""
        if self._subject.form is not Form.CHANNEL or not self._poll.state.get("known"):
            return False
        return await self._api.channel(id=self._subject.key) is None

    async def _result(self, response: Response, hints: PublisherHints, *, from_api: bool) -> FetchResult:
        def timeline(known: Mapping[str, Any]) -> VideoTimeline:
            from aggregator.sources.youtube.timeline import VideoTimeline

            api = self._api if self._api.usable else None
            self._timeline = VideoTimeline(known, api, self._context, self._excluded, from_api=from_api)
            return self._timeline

        return await self._poll.result(response, timeline, None, hints)


def _hints(response: Response, poll: TimelinePoll) -> PublisherHints:
    """Return how long the feed is fresh."""
    longest = max(freshness(response.headers, poll.now), default=None)
    return PublisherHints() if longest is None else PublisherHints(at_least=longest[0], why=longest[1])


KIND = YouTube()
