"""Serve `/metrics` before any middleware, so that it answers with the addresses and headers of the connection."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.exposition import choose_encoder

from aggregator.reader.metrics.access import MetricsAccess
from aggregator.reader.metrics.requests import RequestMetrics
from aggregator.reader.metrics.snapshot import FactReaders, Snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Scope, Send

    from aggregator.config.settings import Network
    from aggregator.web.database_threads import DatabaseThreads
    from storage.store import Store

PATH = "/metrics"
_REFUSED = (
    b"Metrics are for clients in AGGREGATOR_METRICS_NETWORKS, or with a token of the scope 'metrics' "
    b"('aggregator token create NAME --scope metrics').\n"
)


class MetricsEndpoint:
    """The metrics of a reader process."""

    def __init__(
        self,
        readers: FactReaders,
        networks: Sequence[Network],
        *,
        store: Store,
        threads: DatabaseThreads,
        trusted_proxies: Sequence[Network],
        prefix: str = "",
    ) -> None:
        self._collectors = CollectorRegistry()
        self.requests = RequestMetrics(self._collectors, prefix)
        self._snapshots = Snapshots(readers)
        self._access = MetricsAccess(store.primary, threads, networks, trusted_proxies)
        self._collectors.register(self._snapshots)
        self._collectors.register(ProcessCollector(registry=None))
        info = Gauge("aggregator_info", "The version of this program.", ["version"], registry=None)
        info.labels(version("activity-stream-aggregator")).set(1)
        self._collectors.register(info)

    async def respond(self, scope: Scope, send: Send) -> int:
        """Answer a request; return the status."""
        peer = scope["client"][0] if scope.get("client") else None
        if scope["method"] not in {"GET", "HEAD"}:
            return await _send(scope, send, 405, b"", [(b"allow", b"GET, HEAD")])
        if not await self._access.allows(peer, scope["headers"]):
            return await _send(scope, send, 401, _REFUSED, [(b"www-authenticate", b"Bearer")])
        await self._snapshots.refresh()
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
        encode, media_type = choose_encoder(accepted)
        return await _send(scope, send, 200, encode(self._collectors), [(b"content-type", media_type.encode())])

    def close(self) -> None:
        """Stop reading from the database."""
        self._snapshots.close()


async def _send(scope: Scope, send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    usual = [
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if not any(name == b"content-type" for name, _ in headers):
        usual.append((b"content-type", b"text/plain; charset=utf-8"))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *usual]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
    return status
