"""Read a service's own count of results and its credit balance, to compare them with the ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.errors import SourceError
from aggregator.source_api.kind import BalanceReporter, UsageReporter
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any

    from aggregator.source_api.kind import PollContext, SourceKind
    from storage.store import Store, Transaction

COUNTED_AFTER = timedelta(hours=20)  # between reads of the service's own usage count
BALANCE_AFTER = timedelta(hours=1)  # between reads of the balance
ASK_AGAIN = timedelta(hours=1)  # after a failure
NOT_OFFERED = timedelta(days=1)  # some plans don't include the balance

log = structlog.get_logger(__name__)


async def read_usage(store: Store, kind: SourceKind, context: PollContext) -> None:
    """Store a service's own usage count once a day, and its credit balance once an hour."""
    if isinstance(kind, UsageReporter):
        await _read_count(store, kind, context)
    if isinstance(kind, BalanceReporter):
        await _read_balance(store, kind, context)


async def _read_count(store: Store, kind: UsageReporter, context: PollContext) -> None:
    if not await _claim(store, f"usage:{kind.service}", context.clock(), ASK_AGAIN):
        return
    try:
        posts = await kind.counted(context)
    except SourceError as problem:  # some plans don't allow it, and nothing depends on it
        log.info("usage not read", service=kind.service, reason=str(problem))
        return
    now = context.clock()
    if posts is not None:
        await _write(store, lambda tx: tx.billing.ledger.report(kind.service, posts, now))
        await _write(store, lambda tx: tx.compliance.extend(f"usage:{kind.service}", now + COUNTED_AFTER))


async def _read_balance(store: Store, kind: BalanceReporter, context: PollContext) -> None:
    task = f"balance:{kind.service}"
    if not await _claim(store, task, context.clock(), BALANCE_AFTER):
        return
    now = context.clock()
    try:
        balance = await kind.balance(context)
    except SourceError as problem:
        log.info("balance not read", service=kind.service, reason=str(problem))
        balance = None
    if balance is not None:
        await _write(store, lambda tx: tx.billing.ledger.report_balance(kind.service, balance, now))
    else:
        await _write(store, lambda tx: tx.compliance.extend(task, now + NOT_OFFERED))


async def _claim(store: Store, task: str, now: datetime, span: timedelta) -> bool:
    claimed: bool = await _write(store, lambda tx: tx.compliance.claim(task, now, now + span))
    return claimed


async def _write(store: Store, work: Callable[[Transaction], Any]) -> Any:  # noqa: ANN401  # any result
    def write() -> Any:  # noqa: ANN401
        with store.writing(lock_stream=False) as tx:
            return work(tx)

    return await in_database_thread(write)
