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
    # X's logo, which its display requirements want beside a post.
    icon="M15.203 1.875h2.757l-6.023 6.883 7.085 9.367h-5.547L9.130 12.444 4.158 18.125H1.400l6.442-7.363"
    "L1.045 1.875h5.688l3.928 5.193zM14.236 16.475h1.527L5.903 3.438H4.264z",
    # The frame that X's script for websites (widgets.js) creates; opened directly, so that no script of X runs here.
    embed="https://platform.twitter.com/embed/Tweet.html?id={id}&dnt=true&theme={theme}",
    nouns={
        ActivityKind.POST: Noun("Tweet", "Tweets"),
        ActivityKind.REPOST: Noun("Retweet", "Retweets", "retweeted", "reposted"),
        ActivityKind.QUOTE: Noun("Quote tweet"),
    },
    terms=LegalTerms(
        public_text=False,  # Developer Policy: a public API exposes only ids
        embeddable=False,  # Developer Agreement, III.K: no display in frames and similar embedding mechanisms
        edits_replace=True,  # Display Requirements: show the current version
        link_to_post=True,  # Display Requirements: the timestamp links to the post
        public_text_setting="x_public_text",
        embeddable_setting="x_embed",
        display_setting="x_display",
    ),
)
