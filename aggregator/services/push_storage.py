"""Run transactions of push listeners in a database thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.store import Store, Transaction

_T = TypeVar("_T")


class PushStorage:
    """The database, for coroutines."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, ask: Callable[[Transaction], _T]) -> _T:
        """Return what a transaction reads.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """

        def read() -> _T:
            with self._store.reading() as tx:
                return ask(tx)

        return await in_database_thread(read)

    async def write(self, work: Callable[[Transaction], _T], *, lock_stream: bool = False) -> _T:
        """Return the result of a transaction that writes.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """

        def write() -> _T:
            with self._store.writing(lock_stream=lock_stream) as tx:
                return work(tx)

        return await in_database_thread(write)
