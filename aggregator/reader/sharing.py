"""Decide which content machines may show elsewhere: in link previews, embeds and search results. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.domain.networks import network_of

if TYPE_CHECKING:
    from aggregator.domain.activity import Activity, Content
    from aggregator.reader.visibility import Audience


@dataclass(frozen=True, slots=True)
class SharingTerms:
    """The networks whose content other sites may show: by their terms, or since the network agreed."""

    public: Audience  # of machine-readable output without a token
    embeddable: frozenset[str]  # networks that agreed to embeds

    def allow(self, content: Content) -> bool:
        """Return whether other sites may show a content's words and pictures."""
        return self.allow_network(content.network) and not content.ids_only

    def allow_network(self, network: str) -> bool:
        """Return whether other sites may show content of a network."""
        may_embed = network in self.embeddable or network_of(network).terms.embeddable
        return may_embed and self.public.gets(network)

    def allow_all(self, item: Activity) -> bool:
        """Return whether other sites may show an item with the posts embedded in it."""
        embedded = (item.object, item.object.object if item.object else None)
        return all(self.allow(content) for content in (item.content, *(part.content for part in embedded if part)))
