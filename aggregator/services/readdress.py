"""Change the address of a source after a check that its kind can read the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.errors import BadRequestError, NotFoundError
from aggregator.domain.source import Place
from aggregator.services.subscribe import Subscription, discover
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aggregator.domain.polling.results import Discovery
    from aggregator.domain.source import Source
    from aggregator.source_api.kind import PollContext, SourceKind
    from storage.store import Store, Transaction


async def readdress(
    slug: str, address: str, kinds: Iterable[SourceKind], context: PollContext, store: Store, who: str
) -> Source:
    """Let a source be polled at another address from now on; it keeps its name, its settings and its items.

    Raises:
        SourceError, BadRequestError: the address can't be read or belongs to another kind or source.
        NotFoundError: the source was removed.
    """
    source = await in_database_thread(_read, store, slug)
    found = await discover(address, kinds, context, Subscription(options=source.options))
    return await in_database_thread(_move, store, slug, found, context, who)


def _read(store: Store, slug: str) -> Source:
    with store.reading() as tx:
        return _existing(tx, slug)


def _existing(tx: Transaction, slug: str) -> Source:
    source = tx.polling.sources.get(slug)
    if source is None:
        raise NotFoundError(f"No source {slug[:80]!r}; it may have been removed.")
    if source.managed:
        raise BadRequestError(f"{source.name} is managed by {source.managed}. Edit it there.")
    return source


def _move(store: Store, slug: str, found: Discovery, context: PollContext, who: str) -> Source:
    now = context.clock()
    with store.writing() as tx:
        source = _existing(tx, slug)
        if found.kind != source.kind:
            raise BadRequestError(f"{found.address} is read as {found.kind}, but this source is {source.kind}.")
        if source.sealed is not None and found.host != source.own_host:
            raise BadRequestError(f"The credentials of {source.name} are not sent to another host; delete them first.")
        if found.address == source.address:
            raise BadRequestError(f"{found.address} is the present address.")
        if not tx.polling.sources.move(source, Place(found.address, found.host), f"changed by {who}", now, who=who):
            raise BadRequestError(f"{found.address} is the address of another source.")
        # Validators and positions belong to the former address.
        options = {**source.options, **found.options}
        tx.polling.sources.change(source.id, fetch_state={}, moving=None, options=options)
        tx.polling.schedule.ask([source.id], now, "its address was changed")
        return _existing(tx, slug)
