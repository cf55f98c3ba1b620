"""Name the kinds of activities on pages, in the current language."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import Noun, all_networks, network_of, plural
from aggregator.web.translation import gettext, ngettext, translatable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aggregator.domain.activity import Actor, Content
    from aggregator.domain.networks import Network

_PLURALS: Mapping[ActivityKind, str] = {
    ActivityKind.ARTICLE: translatable("News"),
    ActivityKind.POST: translatable("Posts"),
    ActivityKind.REPOST: translatable("Reposts"),
    ActivityKind.QUOTE: translatable("Quotes"),
    ActivityKind.REPLY: translatable("Replies"),
    ActivityKind.EVENT: translatable("Events"),
    ActivityKind.VIDEO: translatable("Videos"),
}
_SINGULARS: Mapping[ActivityKind, str] = {
    ActivityKind.ARTICLE: translatable("News"),
    ActivityKind.POST: translatable("Post"),
    ActivityKind.REPOST: translatable("Repost"),
    ActivityKind.QUOTE: translatable("Quote"),
    ActivityKind.REPLY: translatable("Reply"),
    ActivityKind.EVENT: translatable("Event"),
    ActivityKind.VIDEO: translatable("Video"),
}
_PHRASES: Mapping[ActivityKind, str] = {
    ActivityKind.ARTICLE: translatable("An article"),
    ActivityKind.POST: translatable("A post"),
    ActivityKind.REPOST: translatable("A repost"),
    ActivityKind.QUOTE: translatable("A quote"),
    ActivityKind.REPLY: translatable("A reply"),
    ActivityKind.EVENT: translatable("An event"),
    ActivityKind.VIDEO: translatable("A video"),
}
_DEFAULT = Noun("Post", "Posts", "reposted")


def label(content: Content) -> str:
    """Return the label of an item, such as "Post" or "News"."""
    noun = network_of(content.network).nouns.get(content.kind)
    return gettext(noun.singular if noun else _SINGULARS[content.kind])


def announced(content: Content) -> str:
    """Return a post without its words as a phrase: "A repost on Mastodon by @name"."""
    return phrase(gettext(_PHRASES[content.kind]), network_of(content.network).label, handle_of(content.actor))


def handle_of(actor: Actor | None) -> str:
    """Return the handle of an actor with its sign, or ""."""
    return f"@{actor.handle}" if actor and actor.handle else ""


def phrase(thing: str, network: str = "", who: str = "") -> str:
    """Return what something is, with its network and author: "Post on Mastodon by @name"."""
    if network and who:
        return _filled(gettext("%(thing)s on %(network)s by %(who)s"), thing=thing, network=network, who=who)
    if network:
        return _filled(gettext("%(thing)s on %(network)s"), thing=thing, network=network)
    return _filled(gettext("%(thing)s by %(who)s"), thing=thing, who=who) if who else thing


def plurals() -> Mapping[ActivityKind, str]:
    """Return the plural labels of all kinds, such as "Posts" or "News"."""
    return {kind: gettext(plural(kind, default)) for kind, default in _PLURALS.items()}


def network_label(network: Network) -> str:
    """Return the name of a network."""
    return network.label or gettext("Other sites")


def about_this(content: Content | None, count: int) -> str:
    """Return how many posts of the content's network are about the same: "2 posts about this"; None: items."""
    if content is None:
        return ngettext("%(num)s more item about this", "%(num)s more items about this", count)
    noun = network_of(content.network).nouns.get(ActivityKind.POST, _DEFAULT)
    return ngettext(*_about_this(noun), count)


def reposted(content: Content, who: str, whom: str = "") -> str:
    """Return the sentence for a repost: "@name boosted"."""
    sentences = _of_reposts(_repost(content))
    return _filled(gettext(sentences.whom), who=who, whom=whom) if whom else _filled(gettext(sentences.who), who=who)


def reposted_by(content: Content, people: str, *, also: bool) -> str:
    """Return the sentence that names who reposted an item, or `also` its original."""
    sentences = _of_reposts(_repost(content))
    return _filled(gettext(sentences.also if also else sentences.people), people=people)


def texts_of_networks() -> Iterator[str | tuple[str, str]]:
    """Yield the texts with the nouns and verbs of all registered networks, for the catalogues; pairs are plurals."""
    for noun in (_DEFAULT, *(noun for network in all_networks() for noun in network.nouns.values())):
        yield noun.singular
        if noun.plural:
            yield noun.plural
        if noun.past:
            yield from _of_reposts(noun)
    for network in all_networks():
        yield _about_this(network.nouns.get(ActivityKind.POST, _DEFAULT))


class _RepostSentences(NamedTuple):
    who: str
    whom: str
    also: str
    people: str


def _of_reposts(noun: Noun) -> _RepostSentences:
    past, passive = noun.past, noun.passive or noun.past
    return _RepostSentences(
        f"%(who)s {past}",
        f"%(who)s {past} %(whom)s",
        f"Also {passive} by %(people)s",
        f"{passive.capitalize()} by %(people)s",
    )


def _about_this(noun: Noun) -> tuple[str, str]:
    return f"%(num)s {noun.singular.lower()} about this", f"%(num)s {noun.plural.lower()} about this"


def listed(names: Sequence[str], more: int = 0) -> str:
    """Return names as a text: "A, B and 2 others"."""
    every = [*names, *([ngettext("%(num)s other", "%(num)s others", more)] if more else [])]
    if len(every) <= 1:
        return every[0] if every else ""  # as it is: joined, HTML would be a text
    first = reduce(lambda text, name: _filled(gettext("%(listed)s, %(next)s"), listed=text, next=name), every[:-1])
    return _filled(gettext("%(listed)s and %(last)s"), listed=first, last=every[-1])


def _repost(content: Content) -> Noun:
    noun = network_of(content.network).nouns.get(ActivityKind.REPOST)
    return noun if noun and noun.past else _DEFAULT


def _filled(text: str, **values: str) -> str:
    """Fill in placeholders; if a value is HTML, the text is, too, and the other values are escaped."""
    return (Markup(text) if any(isinstance(value, Markup) for value in values.values()) else text) % values  # noqa: S704  # catalogues are ours


def is_named_as_handle(actor: Actor) -> bool:
    """Return whether an actor's name is the handle, so that it is shown once."""
    return bool(actor.handle) and actor.name.removeprefix("@").casefold() == (actor.handle or "").casefold()
