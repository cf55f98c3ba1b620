"""Simulate X's search: words, "phrases", #tags, from:, lang:, url:, is:quote, OR, and "-" as a prefix of each.

Since 2026-05, it finds no reposts by words.
"""

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
        is_repost = any(kind == "retweeted" for kind, _ in post.references)
        usable = [group for group in groups if group and (not is_repost or any(map(_names_reposts, group)))]
        return any(all(_matches(term, post, world) for term in group) for group in usable)

    return found


def _names_reposts(term: str) -> bool:
    return term.startswith("from:") or term == "is:retweet"


def _matches(term: str, post: Post, world: World) -> bool:
    if term.startswith("-"):
        return not _matches(term[1:], post, world)
    operator, _, value = term.partition(":")
    if operator == "from" and value:
        return world.accounts[post.author].username.casefold() == value.casefold()
    if operator == "url" and value:
        return any(value.strip('"').casefold() in address.casefold() for address in _addresses(post, world))
    if operator == "lang" and value:
        return post.lang == value
    if operator == "is" and value in _KINDS:
        return any(kind == _KINDS[value] for kind, _ in post.references)
    return term.strip('"').casefold() in post.text.casefold()


def _addresses(post: Post, world: World) -> list[str]:
    """Return the URLs of a post, with that of the post that it quotes."""
    quoted = [world.post(id_) for kind, id_ in post.references if kind == "quoted"]
    of_quoted = [
        f"https://x.com/{world.accounts[found.author].username}/status/{found.id}" for found in quoted if found
    ]
    return [*(target for _, target in post.links), *of_quoted]
