"""Remove stored content after the operators chose to store only ids of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.store import Store

_AT_ONCE = 500  # activities per transaction

log = structlog.get_logger(__name__)


def reduce_content(store: Store, kinds_by_network: Mapping[str, str]) -> int:
    """Remove what may no longer be stored, in batches; return the number of items.

    It is idempotent, and free of writes where nothing is left to remove.

    Args:
        store: the database.
        kinds_by_network: the kinds of source by the networks of which only ids are stored.
    """
    if not kinds_by_network:
        return 0
    with store.reading() as tx:
        kinds = set(kinds_by_network.values())
        sources = [source for source in tx.polling.sources.each() if source.kind in kinds]
        followed = {str(source.options["user_id"]) for source in sources if "user_id" in source.options}
    total = 0
    while True:
        with store.writing() as tx:
            count = tx.stream.reduction.reduce(_AT_ONCE)
        total += count
        if not count:
            break
    with store.writing() as tx:
        accounts = tx.stream.reduction.reduce_actors(followed)
        tx.stream.reduction.forget_unread()
    if total or accounts:
        log.info("content removed, ids kept", networks=sorted(kinds_by_network), items=total, accounts=accounts)
    return total
