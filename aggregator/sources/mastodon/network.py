"""Define the fediverse as a network: names, and terms for its posts."""

from __future__ import annotations

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import LegalTerms, Network, Noun

NETWORK = "mastodon"
API = "the API of a Mastodon server"  # for errors

MASTODON = Network(
    NETWORK,
    label="Mastodon",
    nouns={
        ActivityKind.POST: Noun("Post", "Posts"),
        ActivityKind.REPOST: Noun("Boost", "Boosts", "boosted"),
        ActivityKind.QUOTE: Noun("Quote post"),
        ActivityKind.REPLY: Noun("Reply", "Replies"),
    },
    # A letter M in a speech bubble.
    icon="M4 1.500h12a2.500 2.500 0 0 1 2.500 2.500v8a2.500 2.500 0 0 1-2.500 2.500H8.500l1.500 3-5.500-3H4"
    "a2.500 2.500 0 0 1-2.500-2.500V4A2.500 2.500 0 0 1 4 1.500z"
    "M5 4.500v7h1.800V7.600L10 10.600l3.200-3v3.900H15v-7h-1.500L10 8 6.500 4.500z",
    terms=LegalTerms(
        public_text=True,  # only posts that their authors made public are stored
        embeddable=True,
        edits_replace=True,  # an author's correction shows at once, as on every server
        link_to_post=True,
    ),
)
