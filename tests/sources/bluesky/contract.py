"""Provide an AppView for the contract of kinds of source."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.sources.bluesky.server import BOB, AppView, app_view
from tests.sources.bluesky.test_embeds import CARD, IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterator


class Service:
    """An AppView with an account that posts, replies and reposts."""

    address = "@ada.example"

    def __init__(self, server: AppView) -> None:
        self._server = server
        self.settings = {"AGGREGATOR_BLUESKY_API": server.address}
        server.post("A picture", embed=IMAGES)
        server.post("A link", embed=CARD)
        for number in range(3):
            server.post(f"Post {number}")
        self.publish()
        server.repost(server.post("Another's", BOB))

    def publish(self) -> None:
        """Publish a post."""
        self._server.post("<script>alert(1)</script> & more")

    def stop(self) -> None:
        """Answer no longer."""
        self._server.away = True


@contextmanager
def upstream() -> Iterator[Service]:
    """Run the service until the block ends."""
    with app_view() as server:
        yield Service(server)
