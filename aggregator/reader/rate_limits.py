"""Limit the rate of searches and further pages per client."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisSentinelStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from aggregator.config.broker_address import BrokerAddress, BrokerKind
from aggregator.reader.errors import TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

    from aggregator.config.option_values import Rate
    from aggregator.domain.secrets import Secret
    from aggregator.reader.authentication import Authenticator, Caller

SEARCH = "search"  # the policy for searches and further pages
# Parameters with unlimited values, each with its own response.
_COSTLY = frozenset({"q", "cursor", "archive", "since", "until"})
_PATIENCE = 0.25  # seconds for Redis to answer
_REST = 5.0  # seconds without requests to Redis after it failed to answer
_MARGIN = 0.005  # seconds of tolerance for the end of a window: Redis counts whole milliseconds
_LOG_EVERY = 60.0  # seconds

_log = structlog.get_logger(__name__)


class RateLimits:
    """Counts requests in a sliding window. Thread-safe; may wait for Redis."""

    def __init__(self, rate: Rate | None, store: Secret) -> None:
        self._rate = rate
        if rate is None:
            return
        # The library counts in multiples of a unit, and a second is one.
        self._item = RateLimitItemPerSecond(rate.requests, rate.seconds, namespace="aggregator")
        self._counting = SlidingWindowCounterRateLimiter(_storage(store.reveal()))
        self._lock = threading.Lock()
        self._resting_until = self._logged = -math.inf  # monotonic

    def check(self, caller_key: str, what: str) -> dict[str, str]:
        """Count a request and return the rate limit headers.

        The headers follow draft-ietf-httpapi-ratelimit-headers-10; without a limit there are none.

        Args:
            caller_key: the caller's key.
            what: the policy's name, such as "search"; policies count separately.

        Raises:
            TooManyRequestsError: the limit is exceeded; the error contains the headers with the time of the next
                attempt.
        """
        if self._rate is None or time.monotonic() < self._resting_until:
            return {}
        try:
            passes = self._counting.hit(self._item, what, caller_key)
            if passes:
                reset, left = self._counting.get_window_stats(self._item, what, caller_key)
            else:
                reset, left = self._free(what, caller_key), 0
        except StorageError as problem:
            self._rest(problem)
            return {}
        wait = max(1, math.ceil(reset - time.time()))
        headers = {
            "RateLimit-Policy": f'"{what}";q={self._rate.requests};w={self._rate.seconds}',
            "RateLimit": f'"{what}";r={left};t={wait}',
        }
        if not passes:
            raise TooManyRequestsError(
                f"No more than {self._rate.requests} searches and further pages within {self._rate.seconds} s are "
                f"given to one client. Ask again in {wait} s, or follow /api/v1/changes instead of paging.",
                {**headers, "Retry-After": str(wait)},
            )
        return headers

    def _free(self, what: str, caller_key: str) -> float:
        """Return when the next request passes (Unix seconds): the library returns 0 for a new window.

        The weight of a window decreases linearly during the next one.
        """
        storage: Any = self._counting.storage
        span, most = self._item.get_expiry(), self._item.amount
        former, former_left, current, current_left = storage.get_sliding_window(
            self._item.key_for(what, caller_key), span
        )
        wait = 0.0
        if current >= most:  # until it becomes the previous one; Redis keeps each for two spans
            wait = current_left - span if current_left > span else current_left
        elif former:
            wait = former_left - (most - current) * span / former
        return time.time() + wait + _MARGIN

    def _rest(self, problem: StorageError) -> None:
        """Allow all requests for a while: some load is better than no responses."""
        with self._lock:
            now = time.monotonic()
            self._resting_until = now + _REST
            is_due = now - self._logged > _LOG_EVERY
            if is_due:
                self._logged = now
        if is_due:
            _log.warning("requests are not counted", error=str(problem.storage_error))


class Admitted(NamedTuple):
    """An accepted request."""

    caller: Caller
    headers: dict[str, str]  # with the remaining requests


class Admission:
    """Admits requests by the same rule for all pages, feeds and endpoints."""

    def __init__(self, callers: Authenticator, rationing: RateLimits) -> None:
        self._callers = callers
        self._rationing = rationing

    def admit(self, request: Request, parameters: Collection[str], *, by_token: bool = True) -> Admitted:
        """Return the caller after counting the request if it is a search or a further page.

        Args:
            request: a valid request; invalid ones aren't counted.
            parameters: names of its parameters.
            by_token: whether the response depends on a token. HTML pages ignore tokens, even invalid ones.

        Raises:
            BadTokenError, StoreUnavailableError: as for `caller_of`.
            TooManyRequestsError: the limit is exceeded.
        """
        caller = self._callers.caller_of(request) if by_token else self._callers.visitor(request.scope)
        if _COSTLY.isdisjoint(parameters) or not self._callers.is_counted(request.scope):
            return Admitted(caller, {})
        return Admitted(caller, self._rationing.check(caller.key, SEARCH))


def _storage(text: str) -> MemoryStorage | RedisStorage:
    address = BrokerAddress.parse(text)
    if address.kind is BrokerKind.MEMORY:
        return MemoryStorage()
    options: dict[str, Any] = {
        "socket_timeout": _PATIENCE,
        "socket_connect_timeout": _PATIENCE,
        "retry": Retry(NoBackoff(), 0),
    }
    if address.kind is BrokerKind.SENTINEL:
        login = {"username": address.username, "password": address.password}
        options |= {name: value for name, value in login.items() if value}
        hosts = ",".join(f"{host}:{port}" for host, port in address.hosts)
        return RedisSentinelStorage(
            f"redis+sentinel://{hosts}/{address.service}",
            use_replicas=False,  # they may not know the last requests yet
            sentinel_kwargs=dict(address.sentinel_options),
            wrap_exceptions=True,
            db=address.number,
            **options,
        )
    return RedisStorage(address.url, wrap_exceptions=True, **options)
