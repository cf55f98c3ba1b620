"""Define the kind of source for X: timelines of accounts, mentions, quotes, lists and searches."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import (
    AccountError,
    BadRequestError,
    BudgetError,
    CredentialsError,
    NotAllowedError,
    PausedError,
    ProtectedAccountError,
    RefusedError,
    SourceError,
    UnreadableError,
)
from aggregator.domain.polling.api_refusals import ApiCall
from aggregator.domain.polling.results import (
    Failure,
    FetchFacts,
    FetchResult,
    PollOutcome,
)
from aggregator.domain.source_options import OptionType, SourceOption, parse_options
from aggregator.source_api.kind import QueueClass, Saving, SourceKind
from aggregator.sources.twitter import addresses, feeds, history, read_budget, timeline, unread_posts
from aggregator.sources.twitter import errors as problems
from aggregator.sources.twitter.account_reports import ReportsAccounts
from aggregator.sources.twitter.addresses import handle_in
from aggregator.sources.twitter.archive_import import ImportsArchives
from aggregator.sources.twitter.compliance import ReportsTakedowns
from aggregator.sources.twitter.discovery import MOST_HANDLES, DiscoversFeeds
from aggregator.sources.twitter.network import X
from aggregator.sources.twitter.normalise import NETWORK
from aggregator.sources.twitter.oauth import ConnectsAccounts
from aggregator.sources.twitter.push import PushesActivity
from aggregator.sources.twitter.settings import SERVICE, SETTINGS, metered, price_ratio, token_id
from aggregator.sources.twitter.tokens import ClientPool, connected
from aggregator.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.billing.budget import Metered
    from aggregator.domain.billing.metering import Ration
    from aggregator.domain.compliance.sweep_mode import Sweeping
    from aggregator.domain.source import Json, Source
    from aggregator.source_api.archive import ArchiveCost, ArchiveRequest
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.twitter.api import Api

# Errors after which another token may read the source.
_OTHER_TOKEN = (ProtectedAccountError, CredentialsError, NotAllowedError)
MOST_OUTAGES = 3  # consecutive accounts for which X fails; the rest of the batch is then skipped
RECOVERING = timedelta(minutes=5)


class Twitter(
    DiscoversFeeds, ReportsTakedowns, ReportsAccounts, ConnectsAccounts, PushesActivity, ImportsArchives, SourceKind
):
    """Polls timelines by numeric account ids, so that a renamed account stays the same source."""

    name = "twitter"
    label = "an account, list or search on X"
    queue = QueueClass.API
    former_queue = "twitter"
    eagerness = 12.0  # polls without new posts are free
    per_host: int | None = 100  # X's own rate limits apply, and all accounts share one host
    address_form = "an X handle (@name), mentions:@name, quotes:@name, list:ID or search:QUERY"
    options = (
        SourceOption(
            "exclude",
            OptionType.SET,
            "Leave out",
            "On X, posts of an account to leave out, which saves money; '' leaves out nothing.",
            choices=("replies", "retweets"),
        ),
        SourceOption("user_id", OptionType.TEXT, "Account id", "The account's numeric id.", discovered=True),
        SourceOption("feed", OptionType.TEXT, "Feed", "Mentions or quotes of the account.", discovered=True),
        SourceOption("list_id", OptionType.TEXT, "List id", "The numeric id of a list.", discovered=True),
        SourceOption("query", OptionType.TEXT, "Search", "The query of a search.", discovered=True),
    )
    archive_pages = history.MOST_POSTS // read_budget.PAGE
    may_backdate = False  # X dates posts: old ones that come late were missed before
    settings = SETTINGS
    networks = (X,)
    service = SERVICE
    network = NETWORK
    most_people = MOST_HANDLES
    people_kept = timedelta(days=7)  # names and pictures seldom change, and each returned account is billed
    others_kept = timedelta(days=28)

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        """Validate the options of an account, a list or a search.

        Raises:
            BadRequestError: an option is unknown or its value is invalid.
        """
        return feeds.checked_options(parse_options(self.options, options, self.label), self.label)

    def credential(self, values: Mapping[str, Any]) -> tuple[str, str]:
        """Return the name of the service and the id of the configured token."""
        bearer = values.get("x_bearer_token")
        return SERVICE, token_id(bearer.reveal()) if bearer else ""

    def metered(self, values: Mapping[str, Any]) -> Metered:
        """Return the configured prices and budget for X."""
        return metered(self.name, values)

    def savings(self, options: Mapping[str, Json], parts: Mapping[ActivityKind, float]) -> Sequence[Saving]:
        """Return the savings from leaving out reposts or replies."""
        if feeds.feed_of(options) is not addresses.Feed.ACCOUNT:
            return []
        reposts, replies = parts.get(ActivityKind.REPOST, 0.0), parts.get(ActivityKind.REPLY, 0.0)
        excluded = options.get("exclude", ())
        return [
            # A repost or reply includes its original, which is billed as well.
            Saving(f"without its {name}", {"exclude": sorted({*excluded, name})}, 2 * part / (1 + reposts + replies))
            for name, part in (("retweets", reposts), ("replies", replies))
            if name not in excluded and part
        ]

    def sweep_mode(self, values: Mapping[str, Any]) -> Sweeping:
        """Return the configured method of takedown checks."""
        mode: Sweeping = values["x_sweep"]
        return mode

    def address_key(self, address: str) -> str | None:
        """Return the canonical form of an address on X; pages that can't be followed keep their own."""
        try:
            found = addresses.parse(address)
        except BadRequestError:
            return address
        if found is None:
            return None
        return str(found) if found.feed is addresses.Feed.SEARCH else str(found).casefold()

    def web_page(self, source: Source) -> str:
        """Return the URL of an account's profile or of a list; a search has no page."""
        if list_id := source.options.get("list_id"):
            return f"https://x.com/i/lists/{list_id}"
        handle = handle_in(source.address)
        return X.profile.format(handle=handle) if handle else ""

    post_id = staticmethod(addresses.post_id)
    account_id = staticmethod(addresses.account_id)
    handle = staticmethod(addresses.handle_in)

    def archive_cost(
        self, source: Source, request: ArchiveRequest, values: Mapping[str, Any], now: datetime
    ) -> ArchiveCost:
        """Return what older posts of an account may cost.

        Raises:
            BadRequestError: the source is no account.
        """
        history.check(source.options)
        return history.cost_of(source, request, (values["x_post_price"], values["x_post_price"]), now)

    async def archive(
        self, source: Source, context: PollContext, request: ArchiveRequest
    ) -> AsyncGenerator[FetchResult]:
        """Read an account's older posts, with the cheapest token that may read them.

        Raises:
            SourceError: X gave no usable response; the pages before it are complete.
        """
        history.check(source.options)
        async with connected(context, str(source.options["user_id"])) as api:
            price = context.settings["x_post_price"]
            own = price * (price_ratio(context.settings) if feeds.is_owned(source.options, api.token.owner) else 1)
            async with aclosing(history.read(source, api, context, request, (own, price))) as pages:
                async for page in pages:
                    yield page

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll sources one after the other, since they share an endpoint and its rate limit."""
        pool = ClientPool(context)
        try:
            outages = 0
            for source in batch:
                if time.monotonic() >= context.deadline:
                    return
                if outages >= MOST_OUTAGES:
                    yield PollOutcome(source.id, Failure(_skipped(context.clock())))
                    continue
                outcome = await self._polled(source, pool, context)
                outages = outages + 1 if isinstance(outcome, Failure) and problems.is_outage(outcome.error) else 0
                yield PollOutcome(source.id, outcome)
        finally:
            pool.close()

    def read_again(self, raw: bytes, source: Source) -> Sequence[NewActivity]:
        """Read a stored page of one post."""
        return unread_posts.read_again(raw, source)

    async def _polled(self, source: Source, pool: ClientPool, context: PollContext) -> FetchResult | Failure:
        """Poll a source with the cheapest token that may read it."""
        outcome: FetchResult | Failure | None = None
        try:
            async with aclosing(pool.for_account(str(source.options.get("user_id", "")))) as clients:
                async for api in clients:
                    outcome = await self._polled_with(source, api, context)
                    if not isinstance(outcome, Failure) or not isinstance(outcome.error, _OTHER_TOKEN):
                        break
        except SourceError as error:
            if outcome is None and isinstance(error, RefusedError):
                error.until = await context.refusals.refused(ApiCall(SERVICE, "", ""), error)
            outcome = outcome or Failure(error)
        return outcome or Failure(UnreadableError("There is no token for X."))

    async def _polled_with(self, source: Source, api: Api, context: PollContext) -> FetchResult | Failure:
        started, began = context.clock(), time.monotonic()
        api.begin()

        def facts() -> FetchFacts:
            seen = api.exchange
            spent = timedelta(seconds=time.monotonic() - began)
            return FetchFacts(started, spent, seen.status, seen.wire_bytes, seen.requests)

        try:
            options = self.parse_options(source.options)
            ration = await context.spending.ration(api.service)
            if ration is not None and feeds.is_owned(options, api.token.owner):
                ration = ration.cheaper(price_ratio(context.settings))
            quota = read_budget.read_quota(ration, source.poll.daily_cost)
            mark = timeline.Watermark.of(source.poll.fetch_state)
            reading = await feeds.read(source, options, api, mark, quota, started)
            if api.ids_only:
                reading.unread = [replace(entry, raw=b"") for entry in reading.unread]
        except SourceError as error:
            return Failure(error, facts())
        except BadRequestError as error:
            return Failure(AccountError(f"{error} Remove the source and add it again."), facts())
        except Exception as error:  # noqa: BLE001  # one odd answer must never cost the other accounts their poll
            return Failure(UnreadableError(f"X's response could not be read ({type(error).__name__})."), facts())
        return _result(source, reading, mark, ration, api.cost, facts())


def _skipped(now: datetime) -> PausedError:
    return PausedError(
        f"X did not respond for {MOST_OUTAGES} accounts in a row, so this one was not requested.",
        until=now + RECOVERING,
    )


def _result(
    source: Source,
    reading: timeline.ReadResult,
    before: timeline.Watermark,
    ration: Ration | None,
    cost: float,
    facts: FetchFacts,
) -> FetchResult:
    now = facts.started
    read_cost = read_budget.ReadCost(
        cost,
        reading.posts,
        age=now - reading.oldest if reading.oldest else None,
        reach=reading.newest - reading.oldest if reading.newest and reading.oldest else None,
        whole=reading.whole,
    )
    known = source.poll.daily_cost if before.is_first is False else None
    daily_cost = read_budget.updated_daily_cost(
        known, read_cost, now - source.poll.last_success if source.poll.last_success else None
    )
    if not reading.activities and not reading.unread and reading.mark == before and reading.error is None:
        return FetchResult(state=source.poll.fetch_state, unchanged=True, appetite=daily_cost, facts=facts)
    error = reading.error
    rest = read_budget.shortest_interval(ration, cost)
    paused = error.until if isinstance(error, PausedError | BudgetError | RefusedError) else None
    return FetchResult(
        activities=reading.activities,
        state=reading.mark.state(),
        not_before=paused or (now + rest if rest else None),
        look_again=reading.editable,
        appetite=daily_cost,
        note=_note(reading),
        facts=facts,
        unread=reading.unread,
    )


def _note(reading: timeline.ReadResult) -> str | None:
    notes = []
    if reading.error:
        notes.append(f"Not everything was read: {reading.error}")
    if reading.unread:
        notes.append(unread_posts.note_of(reading.unread))
    if reading.skipped:
        notes.append("Older posts were left out to stay within the budget; see 'aggregator budget'.")
    if reading.lost:
        notes.append("Posts since an earlier poll are lost: X does not return posts that old any more.")
    if reading.empty_pages:
        pages = counted(reading.empty_pages, "page")
        notes.append(f"X returned {pages} without posts, since it leaves posts out after it has cut the pages.")
        if reading.mark.token:
            notes.append("The next poll continues after them.")
    return " ".join(notes) or None


KIND = Twitter()
