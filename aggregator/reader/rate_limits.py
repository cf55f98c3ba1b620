"""How much each client may ask for: searches and further pages cost more than what everybody reads."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from aggregator.reader.errors import TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

    from aggregator.config.options import Rate
    from aggregator.domain.secrets import Secret
    from aggregator.reader.authentication import Authenticator, Caller

SEARCH = "search"  # the policy for searches and further pages
# Parameters that lead to another answer for each of endlessly many values.
_COSTLY = frozenset({"q", "cursor", "archive", "since", "until"})
_PATIENCE = 0.25  # seconds for Redis to answer
_REST = 5.0  # seconds for which a Redis that did not answer is not asked again
_MARGIN = 0.005  # seconds by which a window may end later than was reckoned: Redis counts whole milliseconds
_TOLD_EVERY = 60.0  # seconds

_log = structlog.get_logger(__name__)


class RateLimits:
    """Counts what callers ask for, in a window that slides. Called from any thread; may wait for Redis."""

    def __init__(self, rate: Rate | None, store: Secret) -> None:
        self._rate = rate
        if rate is None:
            return
        # The library counts in multiples of a span, and a second is one.
        self._item = RateLimitItemPerSecond(rate.requests, rate.seconds, namespace="aggregator")
        self._counting = SlidingWindowCounterRateLimiter(_storage(store.reveal()))
        self._lock = threading.Lock()
        self._resting_until = self._told = -math.inf  # monotonic

    def check(self, caller_key: str, what: str) -> dict[str, str]:
        """Count a request, and return the headers that tell how many are left.

        The headers are those of draft-ietf-httpapi-ratelimit-headers-10; there are none where nothing is counted.

        Args:
            caller_key: who asks.
            what: the policy's name, such as "search"; each counts by itself.

        Raises:
            TooManyRequestsError: it is one too many; the error carries the headers, and when to ask again.
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
        """Return when one more passes (Unix seconds): the library's own answer is 0 for a window just begun.

        A window's count weighs less and less while the next one lasts, so that the sum falls in a straight line.
        """
        storage: Any = self._counting.storage
        span, most = self._item.get_expiry(), self._item.amount
        former, former_left, current, current_left = storage.get_sliding_window(
            self._item.key_for(what, caller_key), span
        )
        wait = 0.0
        if current >= most:  # until it is the former one; Redis keeps each for two spans
            wait = current_left - span if current_left > span else current_left
        elif former:
            wait = former_left - (most - current) * span / former
        return time.time() + wait + _MARGIN

    def _rest(self, problem: StorageError) -> None:
        """Let everybody pass for a while: better some load than no answers."""
        with self._lock:
            now = time.monotonic()
            self._resting_until = now + _REST
            tells = now - self._told > _TOLD_EVERY
            if tells:
                self._told = now
        if tells:
            _log.warning("requests are not counted", error=str(problem.storage_error))


class Admitted(NamedTuple):
    """A request that may be answered."""

    caller: Caller
    headers: dict[str, str]  # which say how many more may be


class Admission:
    """Lets requests in by one rule, whichever page, feed or endpoint they ask for."""

    def __init__(self, callers: Authenticator, rationing: RateLimits) -> None:
        self._callers = callers
        self._rationing = rationing

    def admit(self, request: Request, parameters: Collection[str], *, by_token: bool = True) -> Admitted:
        """Return who asks, after counting the request where it is a search or a further page.

        Args:
            request: one that can be answered; others cost nothing.
            parameters: names of those that it gives.
            by_token: whether the answer depends on a token. Pages for people ignore one, or what stands in its place.

        Raises:
            BadTokenError, StoreUnavailableError: as for `Callers.caller_of`.
            TooManyRequestsError: it is one too many.
        """
        caller = self._callers.caller_of(request) if by_token else self._callers.visitor(request.scope)
        if _COSTLY.isdisjoint(parameters) or not self._callers.is_counted(request.scope):
            return Admitted(caller, {})
        return Admitted(caller, self._rationing.check(caller.key, SEARCH))


def _storage(address: str) -> MemoryStorage | RedisStorage:
    if address.startswith("memory"):
        return MemoryStorage()
    options: dict[str, Any] = {
        "socket_timeout": _PATIENCE,
        "socket_connect_timeout": _PATIENCE,
        "retry": Retry(NoBackoff(), 0),
    }
    return RedisStorage(address, wrap_exceptions=True, **options)
