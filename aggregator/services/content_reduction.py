"""Remove stored content after the operators chose to store only ids of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.source import Source
    from storage.store import Store, Transaction

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
    total = 0
    while True:
        with store.writing() as tx:
            count = tx.stream.reduction.reduce(_AT_ONCE)
        total += count
        if not count:
            break
    with store.reading() as tx:
        followed = [
            (network, source)
            for source in tx.polling.sources.each()
            for network, kind in kinds_by_network.items()
            if source.kind == kind and "user_id" in source.options
        ]
    with store.writing() as tx:
        for network, source in followed:
            _without_display_name(tx, network, source)
        accounts = tx.stream.reduction.reduce_actors({str(source.options["user_id"]) for _, source in followed})
        tx.stream.reduction.forget_unread()
    if total or accounts:
        log.info("content removed, ids kept", networks=sorted(kinds_by_network), items=total, accounts=accounts)
    return total


def _without_display_name(tx: Transaction, network: str, source: Source) -> None:
    """Rename a source that was named after its account's display name."""
    native_id = str(source.options["user_id"])
    account = tx.stream.actors.known(network, [native_id]).get(native_id)
    if account is not None and account.handle and account.name != f"@{account.handle}" and account.name in source.name:
        tx.polling.sources.change(source.id, name=source.name.replace(account.name, f"@{account.handle}"))
