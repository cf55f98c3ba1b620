"""Define YouTube as a network: names, and terms for its videos."""

from __future__ import annotations

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import LegalTerms, Network, Noun

NETWORK = "youtube"
API = "the YouTube Data API"  # for errors

# Without `hosts`: sources that were added before, as feeds, remain feeds until they are converted.
YOUTUBE = Network(
    NETWORK,
    label="YouTube",
    nouns={ActivityKind.VIDEO: Noun("Video", "Videos")},
    # A screen with a play button.
    icon="M3.500 4h13a2.500 2.500 0 0 1 2.500 2.500v7a2.500 2.500 0 0 1-2.500 2.500h-13"
    "a2.500 2.500 0 0 1-2.500-2.500v-7A2.500 2.500 0 0 1 3.500 4zM8 7v6l5.200-3z",
    terms=LegalTerms(
        public_text=True,  # titles and descriptions are public, and feeds give them to everyone
        embeddable=True,
        edits_replace=True,  # the terms of the API require current data
        link_to_post=True,
    ),
)
