"""X's API v2 as we use it: two calls, through tweepy, off the event loop, one at a time per host."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import tweepy

from aggregator.errors import (
    AccountError,
    ForbiddenAddressError,
    PausedError,
    SlowError,
    SourceError,
    UnreachableError,
    UnreadableError,
)
from aggregator.sources.twitter import problems
from aggregator.sources.twitter.transport import TOTAL, BoundedAdapter, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aggregator.source import PollContext

DEFAULT_BASE = "https://api.x.com"

_WRITTEN_INTO_TWEEPY = "https://api.twitter.com/"
_NAME_LOOKUP = 5.0  # seconds more than the wire gets: finding an address has no time limit of its own
# The names of the API up to 2.166; what comes back is read in either vocabulary.
_USER_FIELDS = [
    "id",
    "name",
    "username",
    "profile_image_url",
    "verified",
    "verified_type",
    "protected",
    "withheld",
    "url",
]
_TIMELINE: dict[str, list[str]] = {
    "tweet_fields": [
        "id",
        "text",
        "created_at",
        "author_id",
        "conversation_id",
        "in_reply_to_user_id",
        "referenced_tweets",
        "entities",
        "attachments",
        "public_metrics",
        "lang",
        "possibly_sensitive",
        "withheld",
        "edit_controls",
        "edit_history_tweet_ids",
        "note_tweet",
        "display_text_range",
    ],
    "expansions": [
        "author_id",
        "referenced_tweets.id",
        "referenced_tweets.id.author_id",
        "attachments.media_keys",
        "referenced_tweets.id.attachments.media_keys",
        "in_reply_to_user_id",
    ],
    "media_fields": [
        "media_key",
        "type",
        "url",
        "preview_image_url",
        "alt_text",
        "width",
        "height",
        "duration_ms",
        "variants",
    ],
    "user_fields": _USER_FIELDS,
}

# At DEBUG tweepy writes its request headers, the token among them, to this logger.
logging.getLogger("tweepy.client").addFilter(lambda record: record.levelno > logging.DEBUG)


class Api:
    """One poll's way to X; close it afterwards.

    Raises:
        AccountError: there is no bearer token.
        ForbiddenAddressError: the base address would send the token in clear.
    """

    def __init__(self, context: PollContext) -> None:
        token = context.credentials.get("x_bearer_token")
        if not token:
            raise AccountError(
                "There is no bearer token for X, so nothing was asked. Set AGGREGATOR_X_BEARER_TOKEN, or"
                " AGGREGATOR_X_BEARER_TOKEN_FILE to the path of a file that holds it."
            )
        base = context.credentials.get("x_base_url") or DEFAULT_BASE
        self.host = host_of(base)
        self.is_local = is_loopback(urlsplit(base).hostname or "")
        self._context = context
        self._adapter = BoundedAdapter(base, token)
        self._client = tweepy.Client(bearer_token=token, return_type=dict, wait_on_rate_limit=False)
        session = self._client.session
        session.trust_env = False  # a .netrc would replace our token, a proxy variable catch the loopback
        session.headers["Accept-Encoding"] = "gzip, deflate"
        session.mount(_WRITTEN_INTO_TWEEPY, self._adapter)

    @property
    def exchange(self) -> Exchange:
        """What was seen on the wire since `begin`."""
        return self._adapter.exchange

    def begin(self) -> None:
        """Start counting anew."""
        self._adapter.exchange = Exchange()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.session.close()

    async def user(self, handle: str) -> Mapping[str, Any]:
        """Ask for an account by its handle (without "@").

        Raises:
            SourceError: no usable answer came.
        """
        return await self._asked(partial(self._client.get_user, username=handle, user_fields=_USER_FIELDS))

    async def timeline(self, user_id: str, **asked: object) -> Mapping[str, Any]:
        """Ask for a page of an account's posts, newest first.

        Args:
            user_id: numeric.
            asked: `since_id`, `until_id` (both exclusive), `max_results` (5..100), `pagination_token`.

        Raises:
            SourceError: no usable answer came.
        """
        return await self._asked(partial(self._client.get_users_tweets, user_id, **_TIMELINE, **asked))

    async def _asked(self, call: Callable[[], Any]) -> Mapping[str, Any]:
        async with self._context.quiet.turn(self.host):
            try:
                payload = await self._off_the_loop(call)
            except PausedError as error:
                if error.until is not None:
                    await self._context.quiet.pause(self.host, error.until, str(error))
                raise
            now = self._context.clock()
            if problems.is_exhausted(self.exchange.headers) and (
                until := problems.reset_time(self.exchange.headers, now)
            ):
                await self._context.quiet.pause(self.host, until, "X's rate limit window has no call left.")
        if not isinstance(payload, dict):
            raise UnreadableError(f"X answered with a JSON {type(payload).__name__} where an object should be.")
        if payload and not payload.keys() & {"data", "errors", "meta", "includes"}:
            raise UnreadableError("X answered with JSON that is not of its API; check AGGREGATOR_X_BASE_URL.")
        return payload

    async def _off_the_loop(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401  # any JSON
        try:
            async with asyncio.timeout(TOTAL + _NAME_LOOKUP):
                return await asyncio.to_thread(call)
        except asyncio.CancelledError:
            self._adapter.cut()
            raise
        except TimeoutError:
            self._adapter.cut()
            raise SlowError(f"X's address {self.host} could not be found in time.") from None
        except SourceError:
            raise
        except Exception as error:  # noqa: BLE001  # tweepy fails with whatever its parsing of an odd answer raises
            raise self._meaning(error) from None

    def _meaning(self, error: Exception) -> SourceError:
        """Return our error; X's answer counts for more than the exception that tweepy made of it."""
        seen = self.exchange
        if seen.status is not None and not requests.codes.ok <= seen.status < requests.codes.multiple_choices:
            return problems.from_status(seen.status, seen.headers, seen.body, self._context.clock())
        if seen.status is not None:
            return UnreadableError(
                f"X answered with something that is no JSON ({len(seen.body)} bytes); is AGGREGATOR_X_BASE_URL right?",
                status=seen.status,
            )
        if isinstance(error, requests.Timeout):
            return SlowError(f"X did not answer in time at {self.host}.")
        if isinstance(error, requests.exceptions.SSLError):
            return UnreachableError(f"The TLS certificate of {self.host} can't be trusted, so nothing was sent.")
        if isinstance(error, requests.ConnectionError):
            return UnreachableError(
                f"X can't be reached at {self.host}: the connection was refused, reset or not found."
            )
        return UnreachableError(f"The request to X at {self.host} failed ({type(error).__name__}).")


def host_of(base: str) -> str:
    """Return "host:port" of a base address.

    Raises:
        ForbiddenAddressError: the address is not https, and not on loopback either.
    """
    parts = urlsplit(base)
    name = parts.hostname or ""
    if not name or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(name))):
        raise ForbiddenAddressError(
            f"AGGREGATOR_X_BASE_URL is {base!r}, which would send the bearer token in clear; use an https:// address."
        )
    return f"{name}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def is_loopback(name: str) -> bool:
    """Say whether a host name or address stays on this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
