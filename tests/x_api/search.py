"""Simulate X's search: words, "phrases", #tags, from:, lang:, is:retweet, OR, and "-" as a prefix of each."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.demo.world import Post, World

SEARCH_REACH = timedelta(days=7)

_TERM = re.compile(r'-?(?:"[^"]*"|\S+)')
_KINDS = {"retweet": "retweeted", "quote": "quoted", "reply": "replied_to"}


def query_of(query: str, world: World) -> Callable[[Post], bool]:
    """Return a predicate for posts; as in X, OR has a lower precedence than the implicit AND."""
    groups: list[list[str]] = [[]]
    for term in _TERM.findall(query.replace("(", " ").replace(")", " ")):
        if term == "OR":
            groups.append([])
        else:
            groups[-1].append(term)

    def found(post: Post) -> bool:
        return any(group and all(_matches(term, post, world) for term in group) for group in groups)

    return found


def _matches(term: str, post: Post, world: World) -> bool:
    if term.startswith("-"):
        return not _matches(term[1:], post, world)
    operator, _, value = term.partition(":")
    if operator == "from" and value:
        return world.accounts[post.author].username.casefold() == value.casefold()
    if operator == "lang" and value:
        return post.lang == value
    if operator == "is" and value in _KINDS:
        return any(kind == _KINDS[value] for kind, _ in post.references)
    return term.strip('"').casefold() in post.text.casefold()
