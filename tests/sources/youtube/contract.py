"""Provide YouTube for the contract of kinds of source."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.sources.youtube.server import CHANNEL, KEY, YouTube, youtube

if TYPE_CHECKING:
    from collections.abc import Iterator


class Service:
    """A channel with videos, shorts and a live stream."""

    address = f"https://www.youtube.com/channel/{CHANNEL}"

    def __init__(self, server: YouTube) -> None:
        self._server = server
        self.settings = {
            "AGGREGATOR_YOUTUBE_SITE": server.address,
            "AGGREGATOR_YOUTUBE_API": f"{server.address}/youtube/v3",
            "AGGREGATOR_YOUTUBE_API_KEY": KEY,
        }
        for number in range(5):
            server.upload(f"Video {number}", short=number == 1)
        self.publish()

    def publish(self) -> None:
        """Publish a video."""
        self._server.upload("<script>alert(1)</script> & more")

    def stop(self) -> None:
        """Answer no longer."""
        self._server.away = True


@contextmanager
def upstream() -> Iterator[Service]:
    """Run the service until the block ends."""
    with youtube() as server:
        yield Service(server)
