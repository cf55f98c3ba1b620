"""Preview a source with the clients of a container."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.domain.source import SourceState
from aggregator.services.preview import ReadOnlyRateLimiter, preview
from aggregator.services.subscribe import Subscription
from aggregator.sources import kinds

if TYPE_CHECKING:
    from aggregator.container import Container
    from aggregator.domain.source_preview import SourcePreview


def preview_source(container: Container, address: str, terms: Subscription | None, most: int) -> SourcePreview:
    """Return what would be stored of an address, and as which source it is followed."""
    found = container.run(_preview(container, address, terms or Subscription(), most))
    with container.store.reading() as tx:
        source = tx.polling.sources.at(found.kind, found.address)
    is_followed = source is not None and source.state is not SourceState.REMOVED
    return replace(found, followed_as=source.slug if source is not None and is_followed else None)


async def _preview(container: Container, address: str, terms: Subscription, most: int) -> SourcePreview:
    store = container.store
    limiter = ReadOnlyRateLimiter(store, container.clock, spacing=container.settings.host_spacing)
    usual, tagger = await container.context(), container.configuration.tagger
    async with container.clients.http(limiter) as http:
        context = replace(usual, http=http, rate_limiter=limiter)
        return await preview(
            address, kinds().values(), context, terms, tagger=tagger, most=most, ids_only=store.ids_only
        )
