"""Decide who may read the metrics: clients of some networks, and tokens with the scope "metrics"."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aggregator.domain.access.api_tokens import Scope, digest_of, is_same
from aggregator.domain.errors import StoreUnavailableError
from aggregator.reader.authentication import bearer_token
from aggregator.web.proxies import are_addresses, forwarded_by, is_trusted, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aggregator.config.settings import Network
    from aggregator.web.database_threads import DatabaseThreads
    from storage.store import Store

# Headers of proxies. With one of them, the address of the connection is not the client's.
_PROXIED = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"cf-connecting-ip", b"true-client-ip", b"fastly-client-ip", b"x-client-ip",
     b"x-cluster-client-ip", b"x-original-forwarded-for"}
)  # fmt: skip
_TRUSTED_AWAY = 600.0  # seconds for which a valid token stays valid while the database is unavailable


class MetricsAccess:
    """The clients that may read the metrics."""

    def __init__(
        self,
        store: Store,
        threads: DatabaseThreads,
        networks: Sequence[Network],
        trusted_proxies: Sequence[Network],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._threads = threads
        self._networks = networks
        self._trusted = trusted_proxies
        self._monotonic = monotonic
        self._seen: dict[str, float] = {}  # digest of a valid token -> when it was last looked up

    async def allows(self, peer: str | None, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Return whether a request may read the metrics; its headers are those of the connection."""
        given = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
        if given:
            text = bearer_token(given)
            return text is not None and await self._knows(digest_of(text))
        return peer is not None and self._is_near(peer, headers)

    def _is_near(self, peer: str, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Return whether the client is in an allowed network, however the request reached us.

        A proxy on this machine would make every visitor look local. So an address counts only if no proxy is involved,
        or if a trusted proxy names the client. Beyond a hop that is no address, such as "unknown" or one with a port,
        `origin` finds the proxy only.
        """
        forwarded: Mapping[bytes, str] = forwarded_by(headers)
        client = origin(peer, forwarded, self._trusted).client or peer
        is_named = are_addresses(forwarded.get(b"x-forwarded-for", "")) and is_trusted(peer, self._trusted)
        is_proxied = any(name in _PROXIED or name.startswith(b"x-forwarded-") for name, _ in headers)
        return (is_named or not is_proxied) and is_trusted(client, self._networks)

    async def _knows(self, digest: str) -> bool:
        try:
            found = await self._threads.run(self._look_up, digest)
        except StoreUnavailableError:
            return self._monotonic() - self._seen.get(digest, float("-inf")) < _TRUSTED_AWAY
        if found:
            self._seen[digest] = self._monotonic()
        else:
            self._seen.pop(digest, None)
        return found

    def _look_up(self, digest: str) -> bool:
        with self._store.reading() as tx:
            token = tx.access.tokens.by_hash(digest)
        return token is not None and is_same(token.digest, digest) and token.scope is Scope.METRICS
