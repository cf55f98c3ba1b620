"""Name the kinds of activities on pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import network_of, plural
from aggregator.domain.tagging import countries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.activity import Activity, Content

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
_NAMED = 3  # countries


def sentence(item: Activity, language: str) -> str:
    """Return the headline of a card, such as "A new article has been posted"; posts include the account.

    Items about countries name up to three of them, in a language (BCP 47).
    """
    content = item.content
    if content.kind in {ActivityKind.POST, ActivityKind.QUOTE, ActivityKind.REPLY, ActivityKind.REPOST}:
        account = content.actor and (f"@{content.actor.handle}" if content.actor.handle else content.actor.name)
        return f"{label(content)} from {account}" if account else label(content)
    thing = {ActivityKind.EVENT: "event", ActivityKind.VIDEO: "video"}.get(content.kind, "article")
    if content.event is not None and content.event.cancelled:
        return "An event has been cancelled"
    if item.countries:
        names = [countries.name(code, language) for code in item.countries[:_NAMED]]
        more = ", …" if len(item.countries) > _NAMED else ""
        return f"A new {thing} has been tagged “{', '.join(names)}{more}”"
    if content.edited:
        return f"{'An' if thing[0] in 'ae' else 'A'} {thing} has been edited"
    return f"A new {thing} has been {'announced' if thing == 'event' else 'posted'}"


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
