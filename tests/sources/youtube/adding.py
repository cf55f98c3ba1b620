"""Add sources of YouTube, and read their videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.services.subscribe import Subscription
from tests.sources.polled import items
from tests.sources.youtube.server import CHANNEL

if TYPE_CHECKING:
    from aggregator.container import Container
    from aggregator.domain.activity import Activity
    from aggregator.domain.source import Source

PAGE = f"https://www.youtube.com/channel/{CHANNEL}"
FEED = f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"


def added(container: Container, address: str = PAGE, **options: Any) -> Source:
    """Add a source."""
    source, _ = container.subscribe(address, Subscription(options=options))
    return source


def titles(container: Container) -> list[str]:
    """Return the titles of the newest 100 items of the stream, in the order of the alphabet."""
    return sorted(item.content.title or "" for item in items(container))


def item_of(container: Container, id_: str) -> Activity:
    """Return the item of a video."""
    [found] = [item for item in items(container) if item.native_id == f"yt:video:{id_}"]
    return found
