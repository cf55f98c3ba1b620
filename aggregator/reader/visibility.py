"""Limit the content that an audience can see. Pure.

The terms of some networks allow a public API to return only ids and permalinks. Source URLs may contain keys, and error
messages internal names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.domain.activity import Content
from aggregator.domain.networks import network_of

if TYPE_CHECKING:
    from aggregator.domain.activity import Actor


@dataclass(frozen=True, slots=True)
class Audience:
    """The rights of an API client: content of restricted networks, details of sources."""

    full_text: bool = False  # also content of networks whose terms keep it out of public output
    consents: frozenset[str] = frozenset()  # networks that consented to their content in public output
    source_details: bool = False  # source URLs and error messages, which may contain keys and internal names

    def gets(self, network: str) -> bool:
        """Return whether content of a network is visible."""
        return self.full_text or network in self.consents or network_of(network).terms.public_text

    def content(self, content: Content) -> Content:
        """Return the visible part of a content: all, or only its type and link."""
        if self.gets(content.network) and not content.ids_only:
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
EVERYTHING = Audience(full_text=True, source_details=True)
