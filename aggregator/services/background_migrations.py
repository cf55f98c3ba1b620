"""Run the backfills of migrations, beside everything else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.errors import StoreUnavailableError
from storage.backfills import BACKFILLS

if TYPE_CHECKING:
    from storage.backfills import Backfill
    from storage.store import Store

_SMALLEST, _FIRST, _LARGEST = 50, 500, 20_000  # rows per batch
_SHORT, _LONG = 0.04, 0.12  # seconds; batches between them keep their size

log = structlog.get_logger(__name__)


class BackgroundMigrations:
    """Runs batches that are short enough for others to wait for, and pauses as long as each took."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, seconds: float) -> int:
        """Run backfills for some seconds; return the number of batches."""
        deadline, batches = time.monotonic() + seconds, 0
        with self._store.reading() as tx:
            pending = [BACKFILLS[name] for name in tx.backfills.pending() if name in BACKFILLS]
        for backfill in pending:
            batches += self._run(backfill, deadline)
        return batches

    def _run(self, backfill: Backfill, deadline: float) -> int:
        size, batches = _FIRST, 0
        while time.monotonic() < deadline:
            began = time.monotonic()
            try:
                with self._store.writing(lock_stream=backfill.locks_stream) as tx:
                    is_unfinished = tx.backfills.run_batch(backfill, size)
            except StoreUnavailableError:
                raise
            except Exception as problem:  # noqa: BLE001  # any error is stored for people
                self._report(backfill, problem)
                return batches
            if not is_unfinished:
                return batches
            batches += 1
            took = time.monotonic() - began
            size = min(size * 2, _LARGEST) if took < _SHORT else size
            size = max(size // 2, _SMALLEST) if took > _LONG else size
            time.sleep(took)
        return batches

    def _report(self, backfill: Backfill, problem: Exception) -> None:
        """Store why a batch failed: the backfill is tried again, and others go on."""
        log.error("background migration failed", name=backfill.name, exc_info=problem)
        with self._store.writing(lock_stream=False) as tx:
            tx.backfills.note_problem(backfill.name, f"{type(problem).__name__}: {problem}"[:500])
