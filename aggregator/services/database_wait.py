"""Wait for the database when a long-running process starts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.store import Store

_RETRY = 1.0  # seconds between attempts

log = structlog.get_logger(__name__)


def await_database(store: Store, *, embedded: bool, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Return once the database answers and has the schema of this code.

    A server that starts at the same time as its database needs no manual restart. A signal ends the wait.

    Args:
        store: the database.
        embedded: whether it is a file of this process; waiting would not help.
        meanwhile: called again and again while it waits.

    Raises:
        SchemaError: the schema is missing, older or newer.
        StoreUnavailableError: the file can't be used.
    """
    waiting = False
    while True:
        try:
            store.check_schema()
        except StoreUnavailableError as error:
            if embedded:
                raise
            if not waiting:
                log.warning("waiting for the database", reason=str(error))
            waiting = True
            meanwhile()
            time.sleep(_RETRY)
        else:
            if waiting:
                log.info("database found")
            return
