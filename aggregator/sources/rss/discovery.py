"""Find the feed of an address: itself, those of a platform, those that its page announces, or at usual places."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aggregator.domain.errors import (
    ForbiddenAddressError,
    NoFeedError,
    PausedError,
    SlowError,
    SourceError,
    UnreachableError,
)
from aggregator.fetching.request_target import display_url, host_key
from aggregator.sources.rss import detect
from aggregator.sources.rss.page_links import joined_header
from aggregator.sources.rss.platforms import feeds_at, usual_places

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from aggregator.domain.polling.results import Discovery
    from aggregator.fetching.response import Response
    from aggregator.source_api.kind import PollContext

_OUT_OF_REACH = (PausedError, SlowError, UnreachableError)  # further requests to the host would fail, too


@dataclass(slots=True)
class FeedSearch:
    """One search for the feed of an address; each address is requested once at most."""

    context: PollContext
    headers: Mapping[str, str]  # secret headers, sent to the host of the address only
    request: Callable[[str, Mapping[str, str]], Awaitable[Response]]
    source_at: Callable[[Response, str], Awaitable[Discovery]]  # raises a SourceError if it is no feed
    home: str = ""  # host of the address
    failed: dict[str, SourceError] = field(default_factory=dict)  # by URL, in order
    out_of_reach: set[str] = field(default_factory=set)  # hosts
    pages: set[str] = field(default_factory=set)  # URLs of the page that was given

    async def run(self, url: str) -> Discovery:
        """Return the first feed.

        Raises:
            SourceError: there is none; the message describes the response.
        """
        self.home = host_key(url)
        if found := await self._first(feeds_at(url), f"This is the feed of {display_url(url)}."):
            return found
        response = await self.request(url, self.headers)
        content_type, link = response.headers.get("Content-Type", ""), joined_header(response.headers.items())
        page = await self.context.parser.run(detect.page, response.body, content_type, response.url, link)
        if page is None:
            return await self.source_at(response, url)
        self.pages |= {url, response.url}
        announced = [address for address in page.feeds if address not in self.pages]
        place = display_url(response.url)
        if found := await self._first(announced, f"{place} announces this feed."):
            return found
        guessed = f"{place} announces no feed that can be read; this one is at a usual place."
        if found := await self._first(usual_places(response.url), guessed):
            return found
        raise self._failure(place, page, announced)

    async def _first(self, addresses: Iterable[str], how: str) -> Discovery | None:
        """Return the first of some addresses that is a feed."""
        for address in addresses:
            if address in self.failed or address in self.pages or self._host(address) in self.out_of_reach:
                continue
            try:
                secret = self.headers if self._host(address) == self.home else {}
                found = await self.source_at(await self.request(address, secret), address)
            except SourceError as problem:
                self.failed[address] = problem
                if isinstance(problem, _OUT_OF_REACH):
                    self.out_of_reach.add(self._host(address))
            else:
                return replace(found, notes=(how, *self._notes()))
        return None

    def _notes(self) -> Iterable[str]:
        """Return the addresses that failed, with the reasons."""
        for address, problem in self.failed.items():
            named = "" if display_url(address) in str(problem) else f"{display_url(address)}: "
            yield f"Tried before: {named}{problem}"

    def _host(self, address: str) -> str:
        try:
            return host_key(address)
        except ForbiddenAddressError:
            return ""

    def _failure(self, place: str, page: detect.Page, announced: list[str]) -> SourceError:
        tried = [self.failed[address] for address in announced if address in self.failed]
        if not tried:
            return NoFeedError(
                f"{place} is {page.words} without a feed link, and no feed is at the usual places. "
                "Give the address of a feed."
            )
        if len(announced) == 1:
            return tried[0]
        return NoFeedError(f"None of the {len(announced)} feeds that {place} announces can be read. {tried[0]}")
