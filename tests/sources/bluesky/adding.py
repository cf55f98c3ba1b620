"""Add sources of an AppView."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.services.subscribe import Subscription

if TYPE_CHECKING:
    from aggregator.container import Container
    from aggregator.domain.source import Source


def added(container: Container, address: str = "@ada.example", **options: Any) -> Source:
    """Add a source."""
    source, _ = container.subscribe(address, Subscription(options=options))
    return source
