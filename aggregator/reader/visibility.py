"""What of the stream an audience gets. Pure.

The terms of some networks let a public API give no more than ids and permalinks. Addresses of sources may hold keys,
and error sentences internal names.
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
    """A group of clients, and what of machine-readable output it may get."""

    full_text: bool = False  # also the content of networks whose terms keep it out of public output
    consents: frozenset[str] = frozenset()  # networks that agreed to their content in public output
    source_details: bool = False  # addresses of sources and error sentences, which may hold keys and internal names

    def gets(self, network: str) -> bool:
        """Say whether the content of something published there is given."""
        return self.full_text or network in self.consents or network_of(network).terms.public_text

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
EVERYTHING = Audience(full_text=True, source_details=True)
