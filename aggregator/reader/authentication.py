"""Who asks: anybody, or a portal that shows its token; and by which name their requests are counted."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.access.api_tokens import digest_of, id_in, is_same
from aggregator.domain.errors import StoreUnavailableError
from aggregator.reader.cache_key import CALLER
from aggregator.reader.errors import BadTokenError
from aggregator.reader.visibility import EVERYTHING
from aggregator.web.database_threads import DatabaseThreads
from aggregator.web.responses import ALWAYS_ASK

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Scope

    from aggregator.domain.polling.rate_limit import Clock
    from aggregator.reader.visibility import Audience
    from storage.store import Store, Transaction

_FRESH = 1.0  # seconds for which a look-up counts where `recheck` is not called regularly
_TRUSTED_AWAY = 600.0  # seconds for which a good token stays good while the database is away
_USE_NOTED = timedelta(minutes=1)
_MOST_KEPT = 2000  # look-ups; of those that are no token's, the oldest go
_LOCKS = 16
_NEVER = float("-inf")
_IPV6_CUSTOMER = 64  # bits: what one customer of a provider gets at the least

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks."""

    key: str  # by which requests are counted: "token:ID" or "address:NETWORK"
    audience: Audience
    token: str | None = None  # its id


_REFRESHING = "refresh"  # stands for a token's id, and a caller's key, where nobody waits for the answer


@dataclass(slots=True)
class _Known:
    """What the database said of a digest, in this process's monotonic seconds."""

    token: str | None  # none: it knows no such token, or revoked it
    looked: float
    sure: float  # when it last answered
    noted: float = 0.0  # when the last use was handed on


class Authenticator:
    """Tells callers of one store apart. Called from any thread."""

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
        self._asking = [threading.Lock() for _ in range(_LOCKS)]  # by digest: one query, however many wait for it
        self._is_rechecked = False

    def audience_of(self, request: Request) -> Audience:
        """Return what whoever asks may see.

        Raises:
            BadTokenError: there is an Authorization header, but no good token in it.
            StoreUnavailableError: the database is away, and the token was not good lately.
        """
        return self.caller_of(request).audience

    def caller_of(self, request: Request) -> Caller:
        """Return who asks; may ask the database.

        Raises:
            BadTokenError, StoreUnavailableError: as for `audience_of`.
        """
        known: Caller | None = request.scope.get(CALLER)
        if known is not None:
            return known
        given = request.headers.getlist("authorization")
        return self._by_token(given) if given else self.visitor(request.scope)

    def visitor(self, scope: Scope) -> Caller:
        """Return the sender of a request as one without a token."""
        return Caller(_address_key(scope["client"][0] if scope.get("client") else None), self._public)

    @staticmethod
    def is_counted(scope: Scope) -> bool:
        """Say whether a request comes from outside, so that it counts towards a client's limit."""
        known: Caller | None = scope.get(CALLER)
        return known is None or known.key != _REFRESHING

    def refreshing(self, *, by_token: bool) -> Caller:
        """Return the caller in whose name answers are made before they are asked for."""
        if by_token:
            return Caller(_REFRESHING, EVERYTHING, _REFRESHING)
        return Caller(_REFRESHING, self._public)

    def known(self, authorization: bytes) -> Caller | None:
        """Return who sends this Authorization header, if its token is known to be good without a query."""
        text = _bearer([authorization.decode("latin-1")])
        known = None if text is None else self._remembered(digest_of(text))
        if known is None or known.token is None:
            return None
        self._note_use(known)
        return Caller(f"token:{known.token}", EVERYTHING, known.token)

    def recheck(self, tx: Transaction) -> None:
        """Look up again, in one query, which of the tokens known to be good still are; call it every second."""
        began = self._monotonic()
        self._is_rechecked = True
        with self._kept:
            good = {digest: known for digest, known in self._known.items() if known.token is not None}
        standing = tx.access.tokens.standing(good) if good else set()
        for digest, known in good.items():
            token = known.token if digest in standing else None
            with self._kept:
                if self._known.get(digest) is known:  # no request looked it up meanwhile
                    self._known[digest] = _Known(token, began, began, known.noted)

    async def waiting_for(self, request: Request) -> Caller:
        """Return the same on the server's loop, without holding it up.

        Raises:
            BadTokenError, StoreUnavailableError: as for `audience_of`.
        """
        given = request.headers.getlist("authorization")
        text = _bearer(given) if given else None
        if text is None or self._remembered(digest_of(text)) is not None:
            return self.caller_of(request)
        return await self._threads.run(self.caller_of, request)

    def _by_token(self, given: list[str]) -> Caller:
        text = _bearer(given)
        token = None if text is None else self._token(digest_of(text))
        if token is None:
            raise BadTokenError
        return Caller(f"token:{token}", EVERYTHING, token)

    def _token(self, digest: str) -> str | None:
        """Return the id of the token of a digest, or None."""
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
        """Ask the database, and go on with what it said lately where it does not answer."""
        before, began = self._known.get(digest), self._monotonic()
        try:
            with self._store.reading() as tx:
                found = tx.access.tokens.by_hash(digest)
        except StoreUnavailableError:
            now = self._monotonic()  # later than `began` by as long as it took to give up
            trusted = before is not None and before.token is not None and now - before.sure < _TRUSTED_AWAY
            if before is None or not trusted:
                return self._keep(digest, _Known(None, now, _NEVER))
            return self._keep(digest, _Known(before.token, now, before.sure, before.noted))
        token = found.id if found is not None and is_same(found.digest, digest) else None
        return self._keep(digest, _Known(token, began, began, before.noted if before is not None else 0.0))

    def _keep(self, digest: str, known: _Known) -> _Known:
        with self._kept:
            self._known.pop(digest, None)
            self._known[digest] = known
            if len(self._known) > _MOST_KEPT:
                strangers = (other for other, one in self._known.items() if one.token is None)
                del self._known[next(strangers, next(iter(self._known)))]
        return known

    def _note_use(self, known: _Known) -> None:
        """Have a use written down, at most once a minute, without the request waiting for it."""
        with self._kept:
            now = self._monotonic()
            if known.noted and now - known.noted < _USE_NOTED.total_seconds():
                return
            known.noted = now
            writer = threading.Thread(target=self._write_use, args=(known.token,), name="token-use", daemon=True)
            self._writers = [*(one for one in self._writers if one.is_alive()), writer]
            writer.start()

    def settle(self, seconds: float) -> None:
        """Wait until uses are written that happened so far, but for no longer than that."""
        deadline = time.monotonic() + seconds
        for writer in self._writers:
            writer.join(max(0.0, deadline - time.monotonic()))

    def _write_use(self, token: str) -> None:
        try:
            with self._store.writing(lock_stream=False) as tx:
                tx.access.tokens.touch(token, self._clock(), every=_USE_NOTED)
        except Exception as problem:  # noqa: BLE001  # a database that may only be read, or is away: nothing is lost
            _log.info("use of a token not noted", token=token, error=str(problem))


def headers_for(caller: Caller, cache: str) -> dict[str, str]:
    """Return the headers of an answer that depends on who asks.

    Args:
        caller: who asks.
        cache: the Cache-Control of what everybody may see.
    """
    if caller.token is not None:
        cache = f"private, {ALWAYS_ASK}" if cache == ALWAYS_ASK else "private, max-age=1"
    return {"Cache-Control": cache, "Vary": "Authorization"}


def _bearer(given: list[str]) -> str | None:
    """Return what looks like a token of ours in the values of Authorization headers, or None."""
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
