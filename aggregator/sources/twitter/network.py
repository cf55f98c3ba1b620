"""Define X as a network: its terms for posts, and its display rules."""

from __future__ import annotations

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import LegalTerms, Network, Noun
from aggregator.sources.twitter.normalise import NETWORK

X = Network(
    NETWORK,
    label="X",
    hosts=frozenset({"x.com", "twitter.com"}),
    profile="https://x.com/{handle}",
    nouns={
        ActivityKind.POST: Noun("Tweet", "Tweets"),
        ActivityKind.REPOST: Noun("Retweet", "Retweets", "retweeted"),
        ActivityKind.QUOTE: Noun("Quote tweet"),
    },
    terms=LegalTerms(
        public_text=False,  # Developer Policy: a public API exposes only ids
        embeddable=False,  # Developer Agreement, III.K: no display in frames and similar embedding mechanisms
        edits_replace=True,  # Display Requirements: show the current version
        link_to_post=True,  # Display Requirements: the timestamp links to the post
        public_text_setting="x_public_text",
        embeddable_setting="x_embed",
    ),
)
