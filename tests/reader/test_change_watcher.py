"""Test how the reader follows the stream, and decides that the database is in trouble."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

from aggregator.reader import change_watcher
from aggregator.reader.change_watcher import ChangeWatcher
from storage.store import Store
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until

if TYPE_CHECKING:
    import pytest

    from storage.store import Transaction

_LONGER = 3 * change_watcher._SLOW  # seconds


def test_a_slow_check_counts_only_while_no_other_statement_is_answered(
    sqlite_store: Store,
) -> None:
    watcher = ChangeWatcher(sqlite_store, lambda: NOON)
    checking, release = threading.Event(), threading.Event()

    def hold(_tx: Transaction) -> None:
        checking.set()
        release.wait(60)

    watcher.hooks.append(hold)

    async def watch() -> None:
        watcher.start()
        try:
            await asyncio.to_thread(checking.wait, 60)
            began = time.monotonic()
            while time.monotonic() - began < _LONGER:  # by far longer than a check may take
                await asyncio.to_thread(_answer, sqlite_store)
                # Measured after the answer: the machine may stop this process for any time in between.
                stuck, silence = watcher.is_stuck, sqlite_store.silence()
                assert not stuck or silence > change_watcher._SLOW
            await asyncio.to_thread(until, lambda: watcher.is_stuck)
        finally:
            release.set()
            await watcher.stop()

    asyncio.run(watch())


def test_following_goes_on_after_any_error(postgresql_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Store.watch
    failed: list[bool] = []

    def failing(store: Store, stopping: threading.Event) -> Any:
        if len(failed) < 2:
            failed.append(True)
            raise RuntimeError("This was not foreseen.")
        return watch(store, stopping)

    monkeypatch.setattr(Store, "watch", failing)
    with serving(app_of(postgresql_store), watching=True) as reader:
        assert reader.items() == []
        ingest_now(postgresql_store, add_source(postgresql_store), [an_activity("a")])
        until(lambda: len(reader.items()) == 1)
        until(lambda: len(failed) == 2)


def _answer(store: Store) -> None:
    with store.reading() as tx:
        tx.stream.state.mark()
