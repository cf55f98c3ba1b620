"""Define Bluesky as a network: names, and terms for its posts."""

from __future__ import annotations

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import LegalTerms, Network, Noun

NETWORK = "bluesky"
API = "the API of a Bluesky AppView"  # for errors

# Without `hosts`: the feeds at bsky.app that were added before remain feeds.
BLUESKY = Network(
    NETWORK,
    label="Bluesky",
    profile="https://bsky.app/profile/{handle}",
    nouns={
        ActivityKind.POST: Noun("Post", "Posts"),
        ActivityKind.REPOST: Noun("Repost", "Reposts", "reposted"),
        ActivityKind.QUOTE: Noun("Quote post"),
        ActivityKind.REPLY: Noun("Reply", "Replies"),
    },
    # Two pairs of wings.
    icon="M10 9C8.500 6 5.500 3 2.500 2.500 1.500 2.400 1.500 4 1.700 6.500 2 9.500 3.500 11 6.500 10.800"
    "C4 11.500 3.300 13 4.500 15.200 6 18 8.500 17 10 12.500c1.500 4.500 4 5.500 5.500 2.700"
    "C16.700 13 16 11.500 13.500 10.800c3 .200 4.500-1.300 4.800-4.300C18.500 4 18.500 2.400 17.500 2.500"
    "c-3 .500-6 3.500-7.500 6.500z",
    terms=LegalTerms(
        public_text=True,  # posts of authors who want no signed-out readers are not stored
        embeddable=True,
        edits_replace=True,
        link_to_post=True,
    ),
)
