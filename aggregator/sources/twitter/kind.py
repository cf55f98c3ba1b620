"""The kind of source that an account on X is."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from aggregator.activity import Actor
from aggregator.errors import AccountError, BadRequestError, PausedError, SourceError, UnreadableError
from aggregator.source import Discovery, Failure, FetchFacts, Harvest, Polled
from aggregator.sources.twitter import problems, timeline
from aggregator.sources.twitter.normalise import NETWORK, actor_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aggregator.source import Json, PollContext, Source
    from aggregator.sources.twitter.api import Api

EVERY = timedelta(minutes=5)
FLOOR = timedelta(minutes=1)
FLOOR_ON_LOOPBACK = timedelta(seconds=1)  # a sample server on this machine bills nobody

_AT_HANDLE = re.compile(r"@([A-Za-z0-9_]{1,15})")
_PROFILE = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/@?([A-Za-z0-9_]{1,15})/?(?:\?[^#]*)?", re.IGNORECASE
)
# First parts of addresses at X that are its own pages and nobody's handle.
_NO_HANDLE = re.compile(
    "about|account|compose|download|explore|hashtag|home|i|intent|jobs|login|logout|messages|notifications|privacy"
    "|search|settings|share|signup|tos|who_to_follow",
    re.IGNORECASE,
)
_USER_ID = re.compile(r"[0-9]{1,19}")


class Twitter:
    """Polls timelines by the accounts' numeric ids, so that a renamed account stays the same source."""

    name = "twitter"
    queue = "twitter"
    any_address = False

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        """Check the options; there is one, `user_id`.

        Raises:
            BadRequestError: an option is unknown, or the id is not there or no number.
        """
        if unknown := sorted(options.keys() - {"user_id"}):
            raise BadRequestError(f"A twitter source has no option {unknown[0]!r}; it knows user_id.")
        user_id = options.get("user_id")
        if not isinstance(user_id, str) or not _USER_ID.fullmatch(user_id):
            raise BadRequestError(
                f"The option user_id of a twitter source is {user_id!r}; it must be the account's numeric id as text."
            )
        return {"user_id": user_id}

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        """Look an account up by "@handle" or the address of its profile; there is nothing to set, and no sign-in.

        Raises:
            SourceError: there is no such account, it can't be read, or X did not answer.
        """
        handle = _handle_in(address.strip())
        if handle is None:
            return None
        if options or headers:
            raise BadRequestError("An account on X takes no options and no sign-in of its own.")
        api = _connect(context)
        try:
            payload = await api.user(handle)
        finally:
            api.close()
        user = payload.get("data")
        if not isinstance(user, dict) or not _USER_ID.fullmatch(str(user.get("id"))):
            raise problems.from_errors(payload.get("errors"), f"@{handle}")
        actor = actor_of(user)
        if user.get("protected") is True:
            raise AccountError(f"@{handle} on X is protected: only followers whom it accepted see its posts.")
        return Discovery(
            kind=self.name,
            address=f"@{actor.handle or handle}",
            host=api.host,
            name=actor.name,
            slug=(actor.handle or handle).casefold().replace("_", "-").strip("-") or f"x-{actor.native_id}",
            every=EVERY,
            floor=FLOOR_ON_LOOPBACK if api.is_local else FLOOR,
            options={"user_id": actor.native_id},
        )

    async def archive(self, source: Source, context: PollContext, pages: int) -> AsyncIterator[Harvest]:
        """Give nothing: what X lets one read of the past is read by polling."""
        del source, context, pages
        nothing: tuple[Harvest, ...] = ()
        for page in nothing:
            yield page

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[Polled]:
        """Poll accounts one after the other: they share one host and one rate limit."""
        try:
            api = _connect(context)
        except SourceError as error:
            for source in batch:
                yield Polled(source.id, Failure(error))
            return
        try:
            for source in batch:
                if time.monotonic() >= context.deadline:
                    return
                yield Polled(source.id, await self._polled(source, api, context))
        finally:
            api.close()

    async def _polled(self, source: Source, api: Api, context: PollContext) -> Harvest | Failure:
        started, began = context.clock(), time.monotonic()
        api.begin()

        def facts() -> FetchFacts:
            seen = api.exchange
            spent = timedelta(seconds=time.monotonic() - began)
            return FetchFacts(started, spent, seen.status, seen.wire_bytes, seen.requests)

        try:
            user_id = str(self.parse_options(source.options)["user_id"])
            account = _remembered(source, user_id)
            mark = timeline.Watermark.of(source.fetch_state)
            reading = await timeline.read(api, user_id, mark, account)
        except SourceError as error:
            return Failure(error, facts())
        except BadRequestError as error:
            return Failure(AccountError(f"{error} Remove the source and add it again."), facts())
        except Exception as error:  # noqa: BLE001  # one odd answer must never cost the other accounts their poll
            return Failure(UnreadableError(f"X's answer could not be read ({type(error).__name__})."), facts())
        return _harvest(source, reading, mark, facts())


def _harvest(source: Source, reading: timeline.Reading, before: timeline.Watermark, facts: FetchFacts) -> Harvest:
    if not reading.activities and reading.mark == before and reading.error is None:
        return Harvest(state=source.fetch_state, unchanged=True, facts=facts)
    account = reading.account
    remembered = _memory(account) if account else source.fetch_state.get("account")
    error = reading.error
    return Harvest(
        activities=reading.activities,
        state={**reading.mark.state(), **({"account": remembered} if remembered else {})},
        name=account.name if account else None,
        not_before=error.until if isinstance(error, PausedError) else None,
        note=f"Not everything was read: {error}" if error else None,
        facts=facts,
    )


def _remembered(source: Source, user_id: str) -> Actor:
    """Return the account as an earlier poll saw it, else as the source names it."""
    known = source.fetch_state.get("account")
    if isinstance(known, dict) and known.get("handle"):
        return actor_of({"id": user_id, "username": known["handle"], **known, "profile_image_url": known.get("avatar")})
    handle = _handle_in(source.address)
    url = f"https://x.com/{handle}" if handle else None
    return Actor(NETWORK, user_id, source.name, handle, url=url)


def _memory(account: Actor) -> dict[str, str]:
    known = {"name": account.name, "handle": account.handle, "avatar": account.avatar}
    return {name: value for name, value in known.items() if value}


def _handle_in(address: str) -> str | None:
    """Return the handle that an address is about; None where it is no bare profile."""
    if match := _AT_HANDLE.fullmatch(address):
        return match[1]
    match = _PROFILE.fullmatch(address)
    return match[1] if match and not _NO_HANDLE.fullmatch(match[1]) else None


def _connect(context: PollContext) -> Api:
    from aggregator.sources.twitter.api import Api  # tweepy takes a while to import, and only polling needs it

    return Api(context)


KIND = Twitter()
