"""Call X's API v2 through tweepy, off the event loop, each call within its rate limit and its budget."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import tweepy

from aggregator.domain.billing.metering import Call, Purpose, Returned
from aggregator.domain.errors import (
    CapReachedError,
    CredentialsError,
    PausedError,
    RefusedError,
    SlowError,
    SourceError,
    UnreachableError,
    UnreadableError,
)
from aggregator.domain.polling.api_refusals import ApiCall
from aggregator.sources.twitter import errors
from aggregator.sources.twitter.pricing import returned_in
from aggregator.sources.twitter.settings import DEFAULT_BASE, SERVICE, stores_ids_only
from aggregator.sources.twitter.transport import TOTAL, BoundedAdapter, Exchange, host_of, is_loopback
from aggregator.sources.twitter.vocabulary import (
    IDS_ONLY,
    LIST_FIELDS,
    MOST_PEOPLE_PER_POST,
    MOST_PER_POST,
    POSTS,
    USER_FIELDS,
    without_content,
)
from aggregator.system import tracing
from aggregator.system.thread_pools import in_api_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from aggregator.domain.access.credentials import Credential
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.twitter.tokens import ReadToken

MOST_AT_ONCE = 100  # ids or handles in a request

_TWEEPY_HOST = "https://api.twitter.com/"
_NAME_LOOKUP = 5.0  # seconds above the transport's limits: DNS lookup has no timeout of its own


def _is_safe_record(record: logging.LogRecord) -> bool:
    """Drop log records of tweepy that would contain the token or that complain about an unknown vocabulary."""
    return record.levelno > logging.DEBUG and not str(record.msg).startswith("Unexpected parameter")


_log = logging.getLogger("tweepy.client")
_log.addFilter(_is_safe_record)
_log.warn = _log.warning  # type: ignore[method-assign]  # tweepy calls the deprecated one, which warns of itself


class Api:
    """A client for X's API with one token; close it after use.

    Args:
        context: clients, clock and settings.
        token: for reading.
        credential: the connected account of the token; None: it is that of the settings.

    Raises:
        ForbiddenAddressError: the base URL would send the token unencrypted.
    """

    service = SERVICE

    def __init__(self, context: PollContext, token: ReadToken, credential: Credential | None = None) -> None:
        self.token = token
        self._credential = credential
        base = context.settings.get("x_base_url") or DEFAULT_BASE
        self.host = host_of(base)
        self.is_local = is_loopback(urlsplit(base).hostname or "")
        self.cost = 0.0  # dollars since `begin`
        self._vocabulary = context.settings.get("x_vocabulary") or "tweets"
        self.ids_only = stores_ids_only(context.settings)
        self._context = context
        self._adapter = BoundedAdapter(base, token.text)
        self._client = tweepy.Client(bearer_token=token.text, return_type=dict, wait_on_rate_limit=False)
        session = self._client.session
        session.trust_env = False  # no .netrc in place of the token, no proxy for loopback
        session.headers["Accept-Encoding"] = "gzip, deflate"
        session.mount(_TWEEPY_HOST, self._adapter)

    @property
    def exchange(self) -> Exchange:
        """The responses received since `begin`."""
        return self._adapter.exchange

    def begin(self) -> None:
        """Reset the cost and the exchange."""
        self._adapter.exchange = Exchange()
        self.cost = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._client.session.close()

    async def me(self) -> Mapping[str, Any]:
        """Fetch the account that granted the token.

        Raises:
            SourceError: X gave no usable response. The methods below raise it, too.
        """
        call = Call(SERVICE, "/2/users/me", Purpose.LOOKUP, users=1)
        send = partial(self._client._make_request, "GET", call.endpoint)  # noqa: SLF001 - tweepy's needs OAuth 1
        return await self._request(call, send)

    async def user(self, handle: str) -> Mapping[str, Any]:
        """Fetch an account by its handle (without "@")."""
        call = Call(SERVICE, "/2/users/by/username/:username", Purpose.LOOKUP, users=1)
        return await self._request(call, partial(self._client.get_user, username=handle, user_fields=USER_FIELDS))

    async def users_by(self, handles: Collection[str]) -> Mapping[str, Any]:
        """Fetch up to 100 accounts by their handles."""
        call = Call(SERVICE, "/2/users/by", Purpose.LOOKUP, users=len(handles))
        return await self._request(
            call, partial(self._client.get_users, usernames=list(handles), user_fields=USER_FIELDS)
        )

    async def users(self, ids: Collection[str], purpose: Purpose = Purpose.PROFILE) -> Mapping[str, Any]:
        """Fetch up to 100 accounts by their ids."""
        call = Call(SERVICE, "/2/users", purpose, users=len(ids))
        return await self._request(call, partial(self._client.get_users, ids=list(ids), user_fields=USER_FIELDS))

    async def timeline(self, user_id: str, source_id: int = 0, **parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Fetch a page of an account's posts, newest first.

        Args:
            user_id: numeric.
            source_id: the source in whose ledger the cost is booked.
            **parameters: `since_id`, `until_id` (exclusive), `max_results` (5..100), `pagination_token`, `exclude`.
        """
        most = parameters["max_results"]
        call = self._call("/2/users/:id/tweets", Purpose.POLL, most, source_id)
        call = replace(call, owned=most if user_id == self.token.owner else 0)
        return await self._request_posts(call, partial(self._client.get_users_tweets, user_id, **parameters))

    async def mentions(self, user_id: str, source_id: int = 0, **parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Fetch a page of the posts that mention an account, newest first; the parameters are those of `timeline`."""
        call = self._call("/2/users/:id/mentions", Purpose.POLL, parameters["max_results"], source_id)
        return await self._request_posts(call, partial(self._client.get_users_mentions, user_id, **parameters))

    async def list_(self, list_id: str) -> Mapping[str, Any]:
        """Fetch a list; X bills it like a post."""
        call = Call(SERVICE, "/2/lists/:id", Purpose.LOOKUP, posts=1)
        return await self._request(call, partial(self._client.get_list, list_id, list_fields=LIST_FIELDS))

    async def list_posts(self, list_id: str, source_id: int = 0, **parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Fetch a page of the posts of a list's members, newest first.

        Args:
            list_id: numeric.
            source_id: the source in whose ledger the cost is booked.
            **parameters: `max_results` (1..100), `pagination_token`; X has no bounds for lists.
        """
        call = self._call("/2/lists/:id/tweets", Purpose.POLL, parameters["max_results"], source_id)
        return await self._request_posts(call, partial(self._client.get_list_tweets, list_id, **parameters))

    async def search(
        self,
        query: str,
        source_id: int = 0,
        purpose: Purpose = Purpose.POLL,
        **parameters: Any,  # noqa: ANN401
    ) -> Mapping[str, Any]:
        """Fetch a page of the posts of the last seven days that match a query, newest first.

        Args:
            query: in X's query language.
            source_id: the source in whose ledger the cost is booked.
            purpose: `POLL` if the source can't be read without it.
            **parameters: `since_id`, `until_id` (both exclusive), `max_results` (10..100), `next_token`.
        """
        call = self._call("/2/tweets/search/recent", purpose, parameters["max_results"], source_id)
        return await self._request_posts(call, partial(self._client.search_recent_tweets, query, **parameters))

    async def posts(self, ids: Collection[str], purpose: Purpose = Purpose.COMPLIANCE) -> Mapping[str, Any]:
        """Fetch up to 100 posts by their ids; the response has the shape of a timeline page."""
        call = self._call("/2/tweets", purpose, len(ids))
        return await self._request_posts(call, partial(self._client.get_tweets, list(ids)))

    async def room(self) -> int | None:
        """Return how many posts may be looked up now within the reserve; None: unlimited."""
        return await self._context.spending.room(SERVICE, Purpose.COMPLIANCE)

    async def create_job(self, type_: str) -> Mapping[str, Any]:
        """Create a compliance job for a list of ids; `type_` is "tweets" or "users"."""
        call = Call(SERVICE, "/2/compliance/jobs", Purpose.COMPLIANCE)
        return await self._request(call, partial(self._client.create_compliance_job, type_))

    async def job(self, job_id: str) -> Mapping[str, Any]:
        """Fetch the status of a job."""
        call = Call(SERVICE, "/2/compliance/jobs/:id", Purpose.COMPLIANCE)
        return await self._request(call, partial(self._client.get_compliance_job, job_id))

    async def usage(self, what: str = "tweets") -> Mapping[str, Any]:
        """Fetch X's own count of posts in its billing cycle ("tweets"), or the balance of the credits ("credits")."""
        return await self.send("GET", f"/2/usage/{what}", purpose=Purpose.USAGE)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        purpose: Purpose = Purpose.LOOKUP,
    ) -> Mapping[str, Any]:
        """Send a request for which tweepy has no method, and which is free."""
        send = self._client._make_request  # noqa: SLF001 - the only way to send other requests
        query = {"params": dict(params or {}), "endpoint_parameters": tuple(params or ())}
        return await self._request(Call(SERVICE, path, purpose), partial(send, method, path, **query, json=json))

    def _call(self, endpoint: str, purpose: Purpose, most: int, source_id: int = 0) -> Call:
        posts, people = (1, 0) if self.ids_only else (MOST_PER_POST, MOST_PEOPLE_PER_POST[self._vocabulary])
        return Call(SERVICE, endpoint, purpose, most * posts, most * people, source_id)

    async def _request_posts(self, call: Call, send: Callable[..., Any]) -> Mapping[str, Any]:
        """Request all fields that may be stored; repeat without an expansion that X refused for this endpoint."""
        if self.ids_only:
            return without_content(await self._request(call, partial(send, **IDS_ONLY[self._vocabulary])))
        refusals, endpoint = self._context.refusals, call.endpoint
        while True:
            fields = dict(POSTS[self._vocabulary])
            known = await refusals.values(self.host, endpoint)
            fields["expansions"] = [expansion for expansion in fields["expansions"] if expansion not in known]
            try:
                return await self._request(call, partial(send, **fields))
            except SourceError:
                refused = errors.refused_expansions(self.exchange.body, fields["expansions"])
                if self.exchange.status != requests.codes.bad_request or not refused:
                    raise
                await refusals.refuse_values(self.host, endpoint, refused)

    async def _request(self, call: Call, send: Callable[[], Any]) -> Mapping[str, Any]:
        scope = ApiCall(SERVICE, self.token.id, call.endpoint, polls=call.purpose is Purpose.POLL)
        is_probe = await self._context.refusals.check(scope, by_person=call.purpose is Purpose.LOOKUP)
        async with self._context.rate_limiter.acquire(self.host, f"{call.endpoint}@{self.token.id}") as turn:
            token = await self._context.spending.reserve(call)
            returned = Returned()
            try:
                payload = await self._in_thread(send)
                returned = returned_in(payload, owned=call.owned > 0)
            except PausedError as error:
                raise await self._paused(call, error) from None
            except CapReachedError as error:
                error.until = await self._context.spending.block(SERVICE, str(error), error.until)
                raise
            except RefusedError as error:
                error.until = await self._context.refusals.refused(scope, error)
                if self._credential is not None and isinstance(error, CredentialsError):
                    await self._context.credentials.rejected(self._credential)
                raise
            finally:
                self.cost += await self._context.spending.settle(token, returned)
            turn.answered = True
            await self._context.credentials.used(SERVICE, self.token.id)
            if is_probe:
                await self._context.refusals.answered(scope)
            await self._pause_if_exhausted(call)
        if not isinstance(payload, dict):
            raise UnreadableError(f"X returned a JSON {type(payload).__name__} instead of an object.")
        if payload and not payload.keys() & {"data", "errors", "meta", "includes"}:
            raise UnreadableError("X returned JSON that is not in its API's format; check AGGREGATOR_X_BASE_URL.")
        return payload

    async def _paused(self, call: Call, error: PausedError) -> PausedError:
        """Pause the endpoint for all workers, and return the error with the end of the pause."""
        reason = f"{error} for {call.endpoint}"
        scope = f"{call.endpoint}@{self.token.id}"
        until = await self._context.rate_limiter.pause(self.host, error.until, reason, scope)
        message = f"{reason}; paused until {until:%Y-%m-%d %H:%M:%S} UTC."
        return PausedError(message, until=until, status=error.status)

    async def _pause_if_exhausted(self, call: Call) -> None:
        """Pause the endpoint as after a 429 when a successful response used the last call of the rate limit window."""
        headers = self.exchange.headers
        until = errors.reset_time(headers, self._context.clock()) if errors.is_exhausted(headers) else None
        if until is not None:
            reason = f"X's rate limit window has no calls left for {call.endpoint}"
            await self._context.rate_limiter.pause(self.host, until, reason, f"{call.endpoint}@{self.token.id}")

    async def _in_thread(self, send: Callable[[], Any]) -> Any:  # noqa: ANN401  # any JSON
        try:
            with tracing.span("x api request"):
                async with asyncio.timeout(TOTAL + _NAME_LOOKUP):
                    return await in_api_thread(send)
        except asyncio.CancelledError:
            self._adapter.cancel()
            raise
        except TimeoutError:
            self._adapter.cancel()
            raise SlowError(f"X's address {self.host} could not be found in time.") from None
        except SourceError:
            raise
        except Exception as error:  # noqa: BLE001  # tweepy raises various errors for unusual responses
            raise self._error_for(error) from None

    def _error_for(self, error: Exception) -> SourceError:
        """Return the project's error for a failure. X's response takes precedence over tweepy's exception."""
        seen = self.exchange
        if seen.status is not None and not requests.codes.ok <= seen.status < requests.codes.multiple_choices:
            return errors.from_status(seen.status, seen.headers, seen.body, self._context.clock(), self.token)
        if seen.status is not None:
            return UnreadableError(
                f"X returned something other than JSON ({len(seen.body)} bytes); check AGGREGATOR_X_BASE_URL.",
                status=seen.status,
            )
        if isinstance(error, requests.Timeout):
            return SlowError(f"X did not answer in time at {self.host}.")
        if isinstance(error, requests.exceptions.SSLError):
            return UnreachableError(f"The TLS certificate of {self.host} is not trusted, so no request was sent.")
        if isinstance(error, requests.ConnectionError):
            return UnreachableError(
                f"X can't be reached at {self.host}: the connection was refused, reset or not found."
            )
        return UnreachableError(f"The request to X at {self.host} failed ({type(error).__name__}).")
