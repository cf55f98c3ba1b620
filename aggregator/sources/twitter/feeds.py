"""Read the feeds of X: timelines and mentions of accounts, quotes of their posts, lists and searches."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from aggregator.domain.billing.metering import Purpose
from aggregator.domain.errors import BadRequestError
from aggregator.sources.twitter import search, threads, timeline
from aggregator.sources.twitter.addresses import LIST_ID, USER_ID, Feed, checked, handle_in, parse
from aggregator.sources.twitter.quoted import with_quoted
from aggregator.sources.twitter.read_budget import PAGES
from aggregator.sources.twitter.unread_posts import account_of
from aggregator.sources.twitter.vocabulary import MOST_PER_POST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aggregator.domain.source import Json, Source
    from aggregator.sources.twitter.api import Api
    from aggregator.sources.twitter.read_budget import ReadQuota
    from aggregator.sources.twitter.timeline import PageFetcher, ReadResult, Watermark

LIST_PAGE = 20  # posts of a list in a page; X bills the newest page again on each UTC day
DAYS_A_MONTH = 30

_OF_ACCOUNT = {Feed.MENTIONS.value, Feed.QUOTES.value}


def feed_of(options: Mapping[str, Json]) -> Feed:
    """Return the feed that the options of a source describe."""
    if "query" in options:
        return Feed.SEARCH
    return Feed.LIST if "list_id" in options else Feed(str(options.get("feed") or Feed.ACCOUNT))


def is_owned(options: Mapping[str, Json], owner: str | None) -> bool:
    """Return whether a source has the posts of the account `owner` itself, which have the owner's price."""
    return owner is not None and feed_of(options) is Feed.ACCOUNT and options.get("user_id") == owner


def checked_options(parsed: Mapping[str, Any], label: str) -> Mapping[str, Json]:
    """Validate the options of a source together.

    Raises:
        BadRequestError: a value is invalid, or an option does not apply to the feed.
    """
    if "exclude" in parsed and (parsed.keys() & {"query", "list_id", "feed"}):
        hint = "For a search, exclude posts in the query: -is:retweet, -is:reply." if "query" in parsed else ""
        raise BadRequestError(hint or "The option exclude applies to the posts of an account only.")
    if "query" in parsed:
        return {"query": checked(parsed["query"])}
    name, pattern, what = ("list_id", LIST_ID, "list") if "list_id" in parsed else ("user_id", USER_ID, "account")
    if not pattern.fullmatch(value := parsed.get(name, "")):
        raise BadRequestError(
            f"Invalid value {value!r} for the option {name!r} of {label}; expected the {what}'s numeric id."
        )
    if parsed.get("feed", Feed.MENTIONS.value) not in _OF_ACCOUNT:
        raise BadRequestError(f"Invalid value {parsed['feed']!r} for the option 'feed'; expected mentions or quotes.")
    return parsed


async def read(
    source: Source, options: Mapping[str, Any], api: Api, mark: Watermark, quota: ReadQuota, now: datetime
) -> ReadResult:
    """Read the new posts of a source within its quota; `options` are as returned by `checked_options`.

    Raises:
        SourceError: X gave no usable response.
    """
    ask: PageFetcher
    match feed_of(options):
        case Feed.ACCOUNT:
            ask = with_quoted(_account(source, options, api, now), api)
            return await timeline.read(ask, source.address, mark, account_of(source), quota, now)
        case Feed.MENTIONS:
            ask = with_quoted(partial(api.mentions, str(options["user_id"]), source.id), api)
            return await timeline.read(ask, source.address, mark, None, quota, now)
        case Feed.LIST:
            ask = with_quoted(_without_bounds(partial(api.list_posts, str(options["list_id"]), source.id)), api)
            return await timeline.read(ask, source.address, mark, None, list_quota(quota), now)
        case Feed.QUOTES | Feed.SEARCH:
            return await _search(options.get("query") or _quotes(source), source, api, mark, quota, now)


def _account(source: Source, options: Mapping[str, Any], api: Api, now: datetime) -> PageFetcher:
    """Return the call for an account's posts, with its own threads where its replies are left out."""
    user_id, handle = str(options["user_id"]), handle_in(source.address)
    left_out = {"exclude": options["exclude"]} if "exclude" in options else {}
    ask: PageFetcher = partial(api.timeline, user_id, source.id, **left_out)
    if "replies" in left_out.get("exclude", ()) and handle:
        search_call = partial(api.search, source_id=source.id, purpose=Purpose.LOOKUP)  # a plan needn't include it
        searching = threads.search_for(handle, search_call, now)
        return threads.kept(ask, searching, user_id)
    return ask


def _quotes(source: Source) -> str:
    address = parse(source.address)
    return quotes_of(address.value if address else "")


async def _search(query: str, source: Source, api: Api, mark: Watermark, quota: ReadQuota, now: datetime) -> ReadResult:
    ask = with_quoted(search.as_timeline(partial(api.search, query, source.id), now), api)
    mark, lost = search.within_reach(mark, now, source.poll.last_success)
    result = await timeline.read(ask, f"the search {query!r}", mark, None, search.clamped_quota(quota), now)
    result.lost |= lost
    return result


def quotes_of(handle: str) -> str:
    """Return the search for quotes of an account's posts by others: X stores a quote with the URL of its original."""
    own = f"is:quote -from:{handle}"
    return f'url:"x.com/{handle}/status" {own} OR url:"twitter.com/{handle}/status" {own}'


def list_quota(quota: ReadQuota) -> ReadQuota:
    """Return a quota for lists, which X returns from the newest post only."""
    return replace(quota, page=min(quota.page, LIST_PAGE), pages=min(quota.pages, PAGES), skipping=True)


def list_cost(post_price: float) -> str:
    """Return the recurring cost of a list as a sentence."""
    daily = LIST_PAGE * MOST_PER_POST * post_price
    return (
        f"X can't return only the new posts of a list: each poll reads its newest {LIST_PAGE} posts again, and X bills "
        f"them, and the posts that they quote or answer, again on each UTC day. That costs up to ${daily:,.2f} a day "
        f"(${daily * DAYS_A_MONTH:,.2f} a month) besides its new posts; following its accounts instead does not."
    )


def _without_bounds(fetch: PageFetcher) -> PageFetcher:
    """Wrap the call for a list as a timeline call: lists have no `since_id` and `until_id`."""

    async def page(**parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401  # X's own parameters
        bounds = {"since_id", "until_id"}
        return await fetch(**{name: value for name, value in parameters.items() if name not in bounds})

    return page
