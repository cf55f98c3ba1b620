"""Name the kinds of activities on pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import network_of, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.activity import Actor, Content

_PLURALS: Mapping[ActivityKind, str] = {
    ActivityKind.ARTICLE: "News",
    ActivityKind.POST: "Posts",
    ActivityKind.REPOST: "Reposts",
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


def label(content: Content) -> str:
    """Return the label of an item, such as "Tweet" or "News"."""
    noun = network_of(content.network).nouns.get(content.kind)
    return noun.singular if noun else _SINGULARS[content.kind]


def announced(content: Content) -> str:
    """Return a post without its words as a phrase: "A repost on Mastodon by @name"."""
    thing = content.kind.value
    label = network_of(content.network).label
    where = f" on {label}" if label else ""
    who = f" by @{content.actor.handle}" if content.actor and content.actor.handle else ""
    return f"{'An' if thing[0] in 'ae' else 'A'} {thing}{where}{who}"


def plurals() -> Mapping[ActivityKind, str]:
    """Return the plural labels of all kinds, such as "Tweets" or "News"."""
    return {kind: plural(kind, default) for kind, default in _PLURALS.items()}


def noun_of_posts(content: Content, count: int) -> str:
    """Return the noun for a number of posts of this network, in lower case: "tweet", "tweets"."""
    noun = network_of(content.network).nouns.get(ActivityKind.POST)
    singular, plural_ = (noun.singular, noun.plural) if noun else ("post", "posts")
    return (singular if count == 1 else plural_).lower()


def past_of_repost(content: Content) -> str:
    """Return the verb for a repost: "retweeted"."""
    noun = network_of(content.network).nouns.get(ActivityKind.REPOST)
    return (noun and noun.past) or "reposted"


def is_named_as_handle(actor: Actor) -> bool:
    """Return whether an actor's name is the handle, so that it is shown once."""
    return bool(actor.handle) and actor.name.removeprefix("@").casefold() == (actor.handle or "").casefold()
