"""Define the kind of source for X: an account's timeline, or a search."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import ActivityKind, Actor
from aggregator.domain.errors import (
    AccountError,
    BadRequestError,
    BudgetError,
    PausedError,
    ProtectedAccountError,
    SlowError,
    SourceError,
    UnreachableError,
    UnreadableError,
)
from aggregator.domain.polling.results import (
    Discovery,
    Failure,
    FetchFacts,
    FetchResult,
    PollOutcome,
)
from aggregator.domain.source_options import OptionType, SourceOption, parse_options
from aggregator.source_api.kind import QueueClass, Saving, SourceKind
from aggregator.sources.twitter import addresses, read_budget, search, threads, timeline, unread_posts
from aggregator.sources.twitter import errors as problems
from aggregator.sources.twitter.addresses import USER_ID, handle_in, is_on_x
from aggregator.sources.twitter.compliance import ReportsTakedowns
from aggregator.sources.twitter.network import X
from aggregator.sources.twitter.normalise import NETWORK, actor_of
from aggregator.sources.twitter.settings import SERVICE, SETTINGS, metered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.billing.budget import Metered
    from aggregator.domain.billing.metering import Ration
    from aggregator.domain.compliance.sweep_mode import Sweeping
    from aggregator.domain.source import Json, Source
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.twitter.api import Api

MOST_OUTAGES = 3  # consecutive accounts for which X fails; the rest of the batch is then skipped
RECOVERING = timedelta(minutes=5)
FLOOR = timedelta(minutes=1)
FLOOR_ON_LOOPBACK = timedelta(seconds=1)  # a sample server on this machine bills nothing


class Twitter(ReportsTakedowns, SourceKind):
    """Polls timelines by numeric account ids, so that a renamed account stays the same source."""

    name = "twitter"
    label = "an account or search on X"
    queue = QueueClass.API
    former_queue = "twitter"
    eagerness = 12.0  # polls without new posts are free
    per_host: int | None = 100  # X's own rate limits apply, and all accounts share one host
    address_form = "an X handle (@name)"
    options = (
        SourceOption(
            "exclude",
            OptionType.SET,
            "Leave out",
            "Posts of an account to leave out, which saves money; '' leaves out nothing.",
            choices=("replies", "retweets"),
        ),
        SourceOption("user_id", OptionType.TEXT, "Account id", "The account's numeric id.", discovered=True),
        SourceOption("query", OptionType.TEXT, "Search", "The query of a search.", discovered=True),
    )
    settings = SETTINGS
    networks = (X,)
    service = SERVICE
    network = NETWORK
    most_people = 100
    people_kept = timedelta(days=7)  # names and pictures seldom change, and each returned account is billed
    others_kept = timedelta(days=28)

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        """Validate the options `user_id`, `query` and `exclude`.

        Raises:
            BadRequestError: an option is unknown or its value is invalid.
        """
        parsed = parse_options(self.options, options, self.label)
        if "query" in parsed:
            if "exclude" in parsed:
                raise BadRequestError("For a search, exclude posts in the query: -is:retweet, -is:reply.")
            return {"query": search.checked(parsed["query"])}
        if not USER_ID.fullmatch(user_id := parsed.get("user_id", "")):
            raise BadRequestError(
                f"Invalid value {user_id!r} for the option 'user_id' of {self.label}; "
                "expected the account's numeric id."
            )
        return parsed

    def metered(self, values: Mapping[str, Any]) -> Metered:
        """Return the configured prices and budget for X."""
        return metered(self.name, values)

    def savings(self, options: Mapping[str, Json], parts: Mapping[ActivityKind, float]) -> Sequence[Saving]:
        """Return the savings from leaving out reposts or replies."""
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
        """Return the normalized form of a handle or a search."""
        if handle := handle_in(address):
            return f"@{handle.casefold()}"
        return address if address.startswith("search:") or is_on_x(address) else None

    def web_page(self, source: Source) -> str:
        """Return the URL of an account's profile; a search has no page."""
        handle = handle_in(source.address)
        return X.profile.format(handle=handle) if handle else ""

    post_id = staticmethod(addresses.post_id)
    account_id = staticmethod(addresses.account_id)
    handle = staticmethod(addresses.handle_in)

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        """Resolve "@handle", a profile URL or "search:QUERY" to a source.

        Raises:
            MissingAccountError, SuspendedAccountError, ProtectedAccountError: the account does not exist or can't be
                read.
            BadRequestError: the query is invalid, or an option is not supported for X.
            SourceError: X gave no usable response.
        """
        query = search.query_in(address)
        handle = handle_in(address)
        if query is None and handle is None:
            return None
        if headers or options.keys() - {"exclude"}:
            raise BadRequestError("A source on X accepts no credentials, and only the option exclude.")
        api = _connect(context)
        try:
            if query is not None:
                return search.discovered(query, api.host, _floor(api), self.name)
            return self._account(await api.user(str(handle)), str(handle), api)
        finally:
            api.close()

    async def discover_all(
        self, addresses: Sequence[str], context: PollContext
    ) -> Mapping[str, Discovery | SourceError]:
        """Resolve many accounts, up to a hundred per request.

        Raises:
            SourceError: X gave no usable response.
        """
        handles = {address: handle for address in addresses if (handle := handle_in(address)) is not None}
        if len(handles) <= 1:
            return {}
        api = _connect(context)
        found: dict[str, Discovery | SourceError] = {}
        try:
            every_address = list(handles)
            for start in range(0, len(every_address), self.most_people):
                some = every_address[start : start + self.most_people]
                payload = await api.users_by(list(dict.fromkeys(handles[address] for address in some)))
                found |= {address: self._outcome_for(payload, handles[address], api) for address in some}
        finally:
            api.close()
        return found

    def _outcome_for(self, payload: Mapping[str, Any], handle: str, api: Api) -> Discovery | SourceError:
        """Return the outcome for one account from a response about several."""
        data, errors = payload.get("data"), payload.get("errors")
        users = [user for user in data if isinstance(user, dict)] if isinstance(data, list) else []
        reported = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        user = next((user for user in users if str(user.get("username")).casefold() == handle.casefold()), None)
        about = [error for error in reported if str(error.get("value")).casefold() == handle.casefold()]
        try:
            return self._account({"data": user, "errors": about}, handle, api)
        except SourceError as error:
            return error

    def _account(self, payload: Mapping[str, Any], handle: str, api: Api) -> Discovery:
        user = payload.get("data")
        if not isinstance(user, dict) or not USER_ID.fullmatch(str(user.get("id"))):
            raise problems.from_errors(payload.get("errors"), f"@{handle}")
        actor = actor_of(user)
        if user.get("protected") is True:
            raise ProtectedAccountError(f"@{handle} on X is protected: only approved followers can see its posts.")
        return Discovery(
            kind=self.name,
            address=f"@{actor.handle or handle}",
            host=api.host,
            name=actor.name,
            slug=(actor.handle or handle).casefold().replace("_", "-").strip("-") or f"x-{actor.native_id}",
            every=None,
            floor=_floor(api),
            options={"user_id": actor.native_id},
        )

    async def people(self, native_ids: Sequence[str], context: PollContext) -> Sequence[Actor]:
        """Fetch the profiles of up to 100 accounts by their ids.

        Raises:
            SourceError: X gave no usable response.
        """
        api = _connect(context)
        try:
            payload = await api.users(native_ids)
        finally:
            api.close()
        found = payload.get("data")
        users = [user for user in found if isinstance(user, dict)] if isinstance(found, list) else []
        return [actor_of(user) for user in users if USER_ID.fullmatch(str(user.get("id")))]

    async def owner(self, handle: str, context: PollContext) -> str | None:
        """Return the id of the account that has a handle now, or None if it is unused.

        Raises:
            SourceError: X gave no usable response.
        """
        api = _connect(context)
        try:
            user = (await api.user(handle)).get("data")
        finally:
            api.close()
        return str(user["id"]) if isinstance(user, dict) and user.get("id") else None

    async def counted(self, context: PollContext) -> int | None:
        """Return the number of posts that X has counted in its own billing cycle, or None if X does not report it.

        Raises:
            SourceError: X gave no usable response.
        """
        if not context.settings.get("x_bearer_token"):
            return None
        api = _connect(context)
        try:
            usage = (await api.usage()).get("data")
        finally:
            api.close()
        posts = str(usage.get("project_usage")) if isinstance(usage, dict) else ""
        return int(posts) if posts.isascii() and posts.isdigit() and len(posts) < len("9999999999") else None

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll sources one after the other, since they share an endpoint and its rate limit."""
        try:
            api = _connect(context)
        except SourceError as error:
            for source in batch:
                yield PollOutcome(source.id, Failure(error))
            return
        try:
            outages = 0
            for source in batch:
                if time.monotonic() >= context.deadline:
                    return
                if outages >= MOST_OUTAGES:
                    yield PollOutcome(source.id, Failure(_skipped(context.clock())))
                    continue
                outcome = await self._polled(source, api, context)
                outages = outages + 1 if isinstance(outcome, Failure) and _is_outage(outcome.error) else 0
                yield PollOutcome(source.id, outcome)
        finally:
            api.close()

    def read_again(self, raw: bytes, source: Source) -> Sequence[NewActivity]:
        """Read a stored page of one post."""
        return unread_posts.read_again(raw, source)

    async def _polled(self, source: Source, api: Api, context: PollContext) -> FetchResult | Failure:
        started, began = context.clock(), time.monotonic()
        api.begin()

        def facts() -> FetchFacts:
            seen = api.exchange
            spent = timedelta(seconds=time.monotonic() - began)
            return FetchFacts(started, spent, seen.status, seen.wire_bytes, seen.requests)

        try:
            ration = await context.spending.ration(api.service)
            quota = read_budget.read_quota(ration, source.poll.daily_cost)
            mark = timeline.Watermark.of(source.poll.fetch_state)
            reading = await self._read(source, api, mark, quota, started)
        except SourceError as error:
            return Failure(error, facts())
        except BadRequestError as error:
            return Failure(AccountError(f"{error} Remove the source and add it again."), facts())
        except Exception as error:  # noqa: BLE001  # one odd answer must never cost the other accounts their poll
            return Failure(UnreadableError(f"X's response could not be read ({type(error).__name__})."), facts())
        return _result(source, reading, mark, ration, api.cost, facts())

    async def _read(
        self, source: Source, api: Api, mark: timeline.Watermark, quota: read_budget.ReadQuota, now: datetime
    ) -> timeline.ReadResult:
        options = self.parse_options(source.options)
        if "query" in options:
            ask = search.as_timeline(partial(api.search, options["query"], source.id), now)
            return await timeline.read(ask, f"the search {options['query']!r}", mark, None, search.clamped_quota(quota))
        user_id = str(options["user_id"])
        left_out = {"exclude": options["exclude"]} if "exclude" in options else {}
        ask = partial(api.timeline, user_id, source.id, **left_out)
        if "replies" in options.get("exclude", ()) and (handle := handle_in(source.address)):
            ask = threads.kept(ask, threads.search_for(handle, partial(api.search, source_id=source.id), now), user_id)
        return await timeline.read(ask, source.address, mark, unread_posts.account_of(source), quota)


def _is_outage(error: SourceError) -> bool:
    """Return whether an error means that X itself is unavailable, as opposed to the account."""
    server_failed = error.status is not None and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, SlowError | UnreachableError) or server_failed


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
    paused = error.until if isinstance(error, PausedError | BudgetError) else None
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
    if reading.error:
        return f"Not everything was read: {reading.error}"
    if reading.unread:
        return unread_posts.note_of(reading.unread)
    if reading.skipped:
        return "Older posts were left out to stay within the budget; see 'aggregator budget'."
    return None


def _floor(api: Api) -> timedelta:
    return FLOOR_ON_LOOPBACK if api.is_local else FLOOR


def _connect(context: PollContext) -> Api:
    from aggregator.sources.twitter.api import Api  # importing tweepy is slow, and only polling needs it

    return Api(context)


KIND = Twitter()
