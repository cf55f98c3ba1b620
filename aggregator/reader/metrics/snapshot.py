"""Keep the latest state of the system for some seconds, read by one thread at a time."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from prometheus_client.core import GaugeMetricFamily

from aggregator.domain.errors import StoreUnavailableError
from aggregator.reader.metrics.families import broker_families, replica_families, system_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from aggregator.domain.monitoring.system_facts import BrokerFacts, ReplicaFacts, SystemFacts

FRESH = 10.0  # seconds for which a snapshot is used
_SHARE = 20  # a snapshot is used at least this many times as long as it took, so that reading costs at most 5 %
_PATIENCE = 2.0  # seconds that a request waits for a new snapshot before it gets the last one

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FactReaders:
    """Functions that read the state of the system, and may block."""

    system: Callable[[], SystemFacts]
    broker: Callable[[], BrokerFacts | None]  # None: this broker has no queues to look at
    replica: Callable[[], ReplicaFacts | None] = lambda: None  # None: there is no replica


class Snapshots:
    """The latest snapshot; a registry's collector."""

    def __init__(self, readers: FactReaders, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._readers = readers
        self._monotonic = monotonic
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        self._running: asyncio.Future[None] | None = None
        self._facts: SystemFacts | None = None
        self._broker: BrokerFacts | None = None
        self._replica: ReplicaFacts | None = None
        self._read_at: float | None = None  # monotonic
        self._tried_at = float("-inf")
        self._took = 0.0
        self._is_up = False

    async def refresh(self) -> None:
        """Read a new snapshot if the last one is too old; return after a limited wait in any case."""
        if self._running is None or self._running.done():
            if self._monotonic() - self._tried_at < max(FRESH, _SHARE * self._took):
                return
            self._running = asyncio.get_running_loop().run_in_executor(self._thread, self._read)
        await asyncio.wait((self._running,), timeout=_PATIENCE)

    def close(self) -> None:
        """Stop reading; a running query continues until its own limit."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics of the last snapshot."""
        yield _gauge("aggregator_database_up", "Whether the database answered at the last attempt.", self._is_up)
        if self._facts is not None and self._read_at is not None:
            age = self._monotonic() - self._read_at
            yield _gauge("aggregator_snapshot_age_seconds", "Age of the metrics that the database gave.", age)
            yield _gauge("aggregator_snapshot_duration_seconds", "How long reading them took.", self._took)
            yield from system_families(self._facts)
        if self._broker is not None:
            yield from broker_families(self._broker)
        if self._replica is not None:
            yield from replica_families(self._replica)

    def _read(self) -> None:
        began = self._monotonic()
        try:
            self._facts = self._readers.system()
            self._is_up, self._read_at = True, self._monotonic()
        except StoreUnavailableError:
            self._is_up = False
        except Exception:
            log.exception("metrics not read")
            self._is_up = False
        self._took = self._monotonic() - began
        try:
            self._broker = self._readers.broker()
        except Exception:
            log.exception("metrics of the broker not read")
        try:
            self._replica = self._readers.replica()
        except Exception:
            log.exception("metrics of the replica not read")
        self._tried_at = self._monotonic()


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))
