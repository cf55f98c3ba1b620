"""Resolve addresses on X to sources: accounts, their mentions and quotes, lists and searches."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import BadRequestError, MissingAccountError, ProtectedAccountError, SourceError
from aggregator.domain.polling.results import Discovery
from aggregator.sources.twitter import errors as problems
from aggregator.sources.twitter import feeds, search
from aggregator.sources.twitter.addresses import USER_ID, Address, Feed, handle_in, parse
from aggregator.sources.twitter.normalise import actor_of
from aggregator.sources.twitter.settings import SERVICE
from aggregator.sources.twitter.tokens import connected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aggregator.domain.source import Json
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.twitter.api import Api

MOST_HANDLES = 100  # per request
FLOOR = timedelta(minutes=1)
FLOOR_ON_LOOPBACK = timedelta(seconds=1)  # a sample server on this machine bills nothing

_NAMES = {Feed.ACCOUNT: "{}", Feed.MENTIONS: "Mentions of {}", Feed.QUOTES: "Quotes of {}"}


class DiscoversFeeds:
    """The part of X's kind of source that resolves addresses."""

    name: str

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        """Resolve a handle, a URL on X, "mentions:@NAME", "quotes:@NAME", "list:ID" or "search:QUERY" to a source.

        Raises:
            MissingAccountError, SuspendedAccountError, ProtectedAccountError: the account does not exist or can't be
                read.
            BadRequestError: the page on X can't be followed, the query is invalid, or an option is not supported.
            SourceError: X gave no usable response.
        """
        found = parse(address)
        if found is None:
            return None
        if headers or options.keys() - {"exclude"}:
            raise BadRequestError("A source on X accepts no credentials, and only the option exclude.")
        async with connected(context) as api:
            if found.feed is Feed.SEARCH:
                return search.discovered(found.value, api.host, floor(api), self.name)
            if found.feed is Feed.LIST:
                return self._list(await api.list_(found.value), found, api, context.settings.get("x_post_price", 0.005))
            own = {credential.subject for credential in await context.credentials.all(SERVICE)}
            return self._account(await self._user(found, api), found, api, own)

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
        found: dict[str, Discovery | SourceError] = {}
        async with connected(context) as api:
            every_address = list(handles)
            for start in range(0, len(every_address), MOST_HANDLES):
                some = every_address[start : start + MOST_HANDLES]
                payload = await api.users_by(list(dict.fromkeys(handles[address] for address in some)))
                found |= {address: self._outcome_for(payload, handles[address], api) for address in some}
        return found

    async def _user(self, found: Address, api: Api) -> Mapping[str, Any]:
        """Look an account up by its handle, or by its id in the same form."""
        if not found.by_id:
            return await api.user(found.value)
        payload = await api.users([found.value])
        users = payload.get("data")
        return {**payload, "data": users[0] if isinstance(users, list) and users else None}

    def _outcome_for(self, payload: Mapping[str, Any], handle: str, api: Api) -> Discovery | SourceError:
        """Return the outcome for one account from a response about several."""
        data, errors = payload.get("data"), payload.get("errors")
        users = [user for user in data if isinstance(user, dict)] if isinstance(data, list) else []
        reported = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        user = next((user for user in users if str(user.get("username")).casefold() == handle.casefold()), None)
        about = [error for error in reported if str(error.get("value")).casefold() == handle.casefold()]
        try:
            return self._account({"data": user, "errors": about}, Address(Feed.ACCOUNT, handle), api)
        except SourceError as error:
            return error

    def _account(self, payload: Mapping[str, Any], found: Address, api: Api, own: Collection[str] = ()) -> Discovery:
        """Return the account in a response; `own` are the ids of connected accounts, which can be read if protected."""
        user = payload.get("data")
        who = found.value if found.by_id else f"@{found.value}"
        if not isinstance(user, dict) or not USER_ID.fullmatch(str(user.get("id"))):
            raise problems.from_errors(payload.get("errors"), who)
        actor = actor_of(user)
        if user.get("protected") is True and found.feed is Feed.ACCOUNT and actor.native_id not in own:
            raise ProtectedAccountError(f"{who} on X is protected: only approved followers can see its posts.")
        handle = actor.handle or found.value
        slug = handle.casefold().replace("_", "-").strip("-") or f"x-{actor.native_id}"
        is_account = found.feed is Feed.ACCOUNT
        return Discovery(
            kind=self.name,
            address=str(Address(found.feed, handle)),
            host=api.host,
            name=_NAMES[found.feed].format(f"@{handle}" if api.ids_only else actor.name),
            slug=slug if is_account else f"{found.feed}-of-{slug}",
            every=None,
            floor=floor(api),
            options={"user_id": actor.native_id, **({} if is_account else {"feed": found.feed.value})},
            notes=(search.NO_REPOSTS,) if found.feed is Feed.QUOTES else (),
        )

    def _list(self, payload: Mapping[str, Any], found: Address, api: Api, price: float) -> Discovery:
        data = payload.get("data")
        if not isinstance(data, dict) or str(data.get("id")) != found.value:
            raise MissingAccountError(
                f"X has no public list {found.value}. Check the id: it is the number in the list's address.", status=200
            )
        name = found.value if api.ids_only else str(data.get("name") or found.value)
        return Discovery(
            kind=self.name,
            address=str(found),
            host=api.host,
            name=f"X list: {name}"[:80],
            slug=search.slug_of(f"list {name}"),
            every=None,
            floor=floor(api),
            options={"list_id": found.value},
            cost=feeds.list_cost(price),
        )


def floor(api: Api) -> timedelta:
    """Return the minimum time between polls."""
    return FLOOR_ON_LOOPBACK if api.is_local else FLOOR
