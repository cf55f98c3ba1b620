"""Provide a server for the contract of kinds of source."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.sources.mastodon.server import Mastodon, mastodon

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Service:
    """A server with an account that posts and boosts."""

    def __init__(self, server: Mastodon) -> None:
        self._server = server
        self.address = f"@ada@{server.host}"
        self.settings: Mapping[str, str] = {}
        picture = {"type": "image", "url": f"{server.address}/1.png", "description": "A cat"}
        server.post("<p>A picture</p>", media_attachments=[picture])
        for number in range(4):
            server.post(f"<p>Post {number}</p>")
        self.publish()
        server.account("bob")
        server.post(reblog=server.post("<p>Another's</p>", "bob"))

    def publish(self) -> None:
        """Publish a status."""
        self._server.post("<p>More</p><script>alert(1)</script>")

    def stop(self) -> None:
        """Answer no longer."""
        self._server.away = True


@contextmanager
def upstream() -> Iterator[Service]:
    """Run the service until the block ends."""
    with mastodon() as server:
        yield Service(server)
