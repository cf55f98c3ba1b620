"""What of the stream an audience gets. Pure.

X's terms let a public API give no more than ids and permalinks. Addresses of sources may hold keys, and error sentences
internal names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.domain.activity import Content

if TYPE_CHECKING:
    from aggregator.domain.activity import Actor

X = "x"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who asks for machine-readable output, and what of it they get: posts on X, the details of sources."""

    x_text: bool = False
    source_details: bool = False  # addresses of sources and error sentences, which may hold keys and internal names

    def gets(self, network: str) -> bool:
        """Say whether the content of something published there is given."""
        return network != X or self.x_text

    def content(self, content: Content) -> Content:
        """Return what of a content is given: all, or what says what it is and where to find it."""
        if self.gets(content.network):
            return content
        return Content(
            kind=content.kind,
            network=content.network,
            url=content.url,
            published=content.published,
            withheld=content.withheld,
        )

    def actor(self, actor: Actor | None) -> Actor | None:
        """Return somebody, or nobody where their name and picture may not be given."""
        return actor if actor is not None and self.gets(actor.network) else None


PUBLIC = Audience()
EVERYTHING = Audience(x_text=True, source_details=True)
