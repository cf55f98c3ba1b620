"""Limit the content that an audience can see. Pure.

X's terms allow a public API to return only ids and permalinks. Source URLs may contain keys, and error messages
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
    """The rights of an API client: content of posts on X, details of sources."""

    x_text: bool = False
    source_details: bool = False  # source URLs and error messages, which may contain keys and internal names

    def gets(self, network: str) -> bool:
        """Return whether content of a network is visible."""
        return network != X or self.x_text

    def content(self, content: Content) -> Content:
        """Return the visible part of a content: all, or only its type and link."""
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
        """Return an actor, or None if name and image must not be shown."""
        return actor if actor is not None and self.gets(actor.network) else None


PUBLIC = Audience()
EVERYTHING = Audience(x_text=True, source_details=True)
