"""What pages call the kinds of activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.activity import ActivityKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.activity import Content

PLURALS: Mapping[ActivityKind, str] = {
    ActivityKind.ARTICLE: "News",
    ActivityKind.POST: "Tweets",
    ActivityKind.REPOST: "Retweets",
    ActivityKind.QUOTE: "Quotes",
    ActivityKind.REPLY: "Replies",
    ActivityKind.EVENT: "Events",
    ActivityKind.VIDEO: "Videos",
}
_SINGULARS: Mapping[ActivityKind, str] = {
    ActivityKind.ARTICLE: "News",
    ActivityKind.POST: "Post",
    ActivityKind.REPOST: "Repost",
    ActivityKind.QUOTE: "Quote",
    ActivityKind.REPLY: "Reply",
    ActivityKind.EVENT: "Event",
    ActivityKind.VIDEO: "Video",
}
_ON_X: Mapping[ActivityKind, str] = {
    ActivityKind.POST: "Tweet",
    ActivityKind.REPOST: "Retweet",
    ActivityKind.QUOTE: "Quote tweet",
}


def label(content: Content) -> str:
    """Return what people call this: "Tweet", "News"."""
    names = {**_SINGULARS, **_ON_X} if content.network == "x" else _SINGULARS
    return names[content.kind]
