"""Authenticate API callers by token, and identify them for rate limits."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.access.api_tokens import Scope as TokenScope
from aggregator.domain.access.api_tokens import digest_of, id_in, is_same
from aggregator.domain.errors import StoreUnavailableError
from aggregator.reader.cache_key import CALLER
from aggregator.reader.errors import BadTokenError
from aggregator.reader.visibility import EVERYTHING
from aggregator.web.database_threads import DatabaseThreads

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Scope

    from aggregator.domain.clock import Clock
    from aggregator.reader.visibility import Audience
    from storage.store import Store, Transaction

_FRESH = 1.0  # seconds for which a lookup is valid if `recheck` isn't called regularly
_TRUSTED_AWAY = 600.0  # seconds for which a valid token stays valid while the database is unavailable
_USE_NOTED = timedelta(minutes=1)
_MOST_KEPT = 2000  # lookups; unknown tokens are evicted first, oldest first
_LOCKS = 16
_NEVER = float("-inf")
_IPV6_CUSTOMER = 64  # bits: the smallest network that providers assign to a customer

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """An API caller."""

    key: str  # key for rate limits: "token:ID" or "address:NETWORK"
    audience: Audience
    token: str | None = None  # its id


_REFRESHING = "refresh"  # token id and caller key of background refreshes


@dataclass(slots=True)
class _Known:
    """The database's result for a token digest, with monotonic times in seconds."""

    token: str | None  # None: unknown or revoked
    looked: float
    sure: float  # time of the last lookup
    noted: float = 0.0  # time of the last recorded use


class Authenticator:
    """Authenticates the callers of one store. Thread-safe."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        public: Audience,
        *,
        threads: DatabaseThreads | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threads = threads or DatabaseThreads()
        self._store = store
        self._clock = clock
        self._public = public
        self._monotonic = monotonic
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._kept = threading.Lock()
        self._writers: list[threading.Thread] = []
        self._asking = [threading.Lock() for _ in range(_LOCKS)]  # by digest: concurrent requests share one query
        self._is_rechecked = False

    def audience_of(self, request: Request) -> Audience:
        """Return the visibility for the caller of a request.

        Raises:
            BadTokenError: the Authorization header has no valid token.
            StoreUnavailableError: the database is unavailable and the token was not valid recently.
        """
        return self.caller_of(request).audience

    def caller_of(self, request: Request) -> Caller:
        """Return the caller of a request; may query the database.

        Raises:
            BadTokenError, StoreUnavailableError: as for `audience_of`.
        """
        known: Caller | None = request.scope.get(CALLER)
        if known is not None:
            return known
        given = request.headers.getlist("authorization")
        return self._by_token(given) if given else self.visitor(request.scope)

    def visitor(self, scope: Scope) -> Caller:
        """Return the caller of a request, ignoring its token."""
        return Caller(_address_key(scope["client"][0] if scope.get("client") else None), self._public)

    @staticmethod
    def is_counted(scope: Scope) -> bool:
        """Return whether a request is external and counts towards rate limits."""
        known: Caller | None = scope.get(CALLER)
        return known is None or known.key != _REFRESHING

    def refreshing(self, *, by_token: bool) -> Caller:
        """Return the caller for background refreshes."""
        if by_token:
            return Caller(_REFRESHING, EVERYTHING, _REFRESHING)
        return Caller(_REFRESHING, self._public)

    def known(self, authorization: bytes) -> Caller | None:
        """Return the caller for an Authorization header if its token is known to be valid without a query."""
        text = bearer_token([authorization.decode("latin-1")])
        known = None if text is None else self._remembered(digest_of(text))
        if known is None or known.token is None:
            return None
        self._note_use(known)
        return Caller(f"token:{known.token}", EVERYTHING, known.token)

    def recheck(self, tx: Transaction) -> None:
        """Revalidate all valid tokens in one query; called every second."""
        began = self._monotonic()
        self._is_rechecked = True
        with self._kept:
            good = {digest: known for digest, known in self._known.items() if known.token is not None}
        standing = tx.access.tokens.standing(good) if good else set()
        for digest, known in good.items():
            token = known.token if digest in standing else None
            with self._kept:
                if self._known.get(digest) is known:  # no request has looked it up meanwhile
                    self._known[digest] = _Known(token, began, began, known.noted)

    async def waiting_for(self, request: Request) -> Caller:
        """Return the caller without blocking the event loop.

        Raises:
            BadTokenError, StoreUnavailableError: as for `audience_of`.
        """
        given = request.headers.getlist("authorization")
        text = bearer_token(given) if given else None
        if text is None or self._remembered(digest_of(text)) is not None:
            return self.caller_of(request)
        return await self._threads.run(self.caller_of, request)

    def _by_token(self, given: list[str]) -> Caller:
        text = bearer_token(given)
        token = None if text is None else self._token(digest_of(text))
        if token is None:
            raise BadTokenError
        return Caller(f"token:{token}", EVERYTHING, token)

    def _token(self, digest: str) -> str | None:
        """Return the id of a token by its digest, or None."""
        known = self._remembered(digest)
        if known is None:
            with self._asking[int(digest[:8], 16) % _LOCKS]:
                known = self._remembered(digest) or self._looked_up(digest)
        if known.token is None:
            if known.sure == _NEVER:
                raise StoreUnavailableError("The database that knows the tokens does not answer.")
            return None
        self._note_use(known)
        return known.token

    def _remembered(self, digest: str) -> _Known | None:
        known, now = self._known.get(digest), self._monotonic()
        if known is None:
            return None
        if self._is_rechecked and known.token is not None:
            return known if now - known.sure < _TRUSTED_AWAY else None
        return known if now - known.looked < _FRESH else None

    def _looked_up(self, digest: str) -> _Known:
        """Query the database; use the last result if it doesn't answer."""
        before, began = self._known.get(digest), self._monotonic()
        try:
            with self._store.reading() as tx:
                found = tx.access.tokens.by_hash(digest)
        except StoreUnavailableError:
            now = self._monotonic()  # after a failed query this is later than `began` by the timeout
            trusted = before is not None and before.token is not None and now - before.sure < _TRUSTED_AWAY
            if before is None or not trusted:
                return self._keep(digest, _Known(None, now, _NEVER))
            return self._keep(digest, _Known(before.token, now, before.sure, before.noted))
        is_valid = found is not None and found.scope is TokenScope.READ and is_same(found.digest, digest)
        token = found.id if found is not None and is_valid else None
        return self._keep(digest, _Known(token, began, began, before.noted if before is not None else 0.0))

    def _keep(self, digest: str, known: _Known) -> _Known:
        with self._kept:
            self._known.pop(digest, None)
            self._known[digest] = known
            if len(self._known) > _MOST_KEPT:
                strangers = (other for other, caller in self._known.items() if caller.token is None)
                del self._known[next(strangers, next(iter(self._known)))]
        return known

    def _note_use(self, known: _Known) -> None:
        """Record a use in the background, at most once a minute."""
        with self._kept:
            now = self._monotonic()
            if known.noted and now - known.noted < _USE_NOTED.total_seconds():
                return
            known.noted = now
            writer = threading.Thread(target=self._write_use, args=(known.token,), name="token-use", daemon=True)
            self._writers = [*(thread for thread in self._writers if thread.is_alive()), writer]
            writer.start()

    def settle(self, seconds: float) -> None:
        """Wait for pending uses to be written, up to a time limit."""
        deadline = time.monotonic() + seconds
        for writer in self._writers:
            writer.join(max(0.0, deadline - time.monotonic()))

    def _write_use(self, token: str) -> None:
        try:
            with self._store.writing(lock_stream=False) as tx:
                tx.access.tokens.touch(token, self._clock(), every=_USE_NOTED)
        except Exception as problem:  # noqa: BLE001  # a database that may only be read, or is away: nothing is lost
            _log.info("use of a token not noted", token=token, error=str(problem))


def bearer_token(given: list[str]) -> str | None:
    """Return the token in the values of Authorization headers, if it has the right format, or None."""
    if len(given) != 1:
        return None
    scheme, _, text = given[0].partition(" ")
    text = text.strip()
    return text if scheme.lower() == "bearer" and id_in(text) is not None else None


def _address_key(host: str | None) -> str:
    try:
        address = ipaddress.ip_address((host or "").removeprefix("[").removesuffix("]"))
    except ValueError:
        return "address:unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return f"address:{ipaddress.ip_network((int(address), _IPV6_CUSTOMER), strict=False)}"
        address = address.ipv4_mapped
    return f"address:{address}"
