"""Keep an account's threads although X leaves out its replies.

X's `exclude=replies` also leaves out the account's replies to its own posts. A search returns exactly these, for the
last seven days, so that replies to others are neither read nor billed.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.domain.errors import NotAllowedError, SourceError
from aggregator.sources.twitter import search
from aggregator.sources.twitter.payload import author_of, identified, older_names, references_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from datetime import datetime

    from aggregator.sources.twitter.payload import Record
    from aggregator.sources.twitter.timeline import PageFetcher

log = structlog.get_logger(__name__)

_LEAST_PAGE = 10  # posts; a search's minimum page size
_BOUNDS = ("since_id", "until_id")
_LISTS = ("tweets", "users", "media", "polls")


def search_for(handle: str, fetch: Callable[..., Coroutine[Any, Any, Mapping[str, Any]]], now: datetime) -> PageFetcher:
    """Return the search for an account's replies to its own posts, with the parameters of a timeline.

    Args:
        handle: the account's.
        fetch: the call for a search, with a query.
        now: the present time.
    """
    ask = search.as_timeline(partial(fetch, f"from:{handle} to:{handle} is:reply"), now)

    async def page(**parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401  # X's own parameters
        return await ask(**{**parameters, "max_results": max(int(parameters["max_results"]), _LEAST_PAGE)})

    return page


def kept(timeline: PageFetcher, searching: PageFetcher, user_id: str) -> PageFetcher:
    """Wrap the timeline call: its pages also contain the account's replies to its own posts of the same time.

    Args:
        timeline: the call for the timeline without replies.
        searching: the call of `search_for`.
        user_id: the account.
    """
    waiting: list[Record] = []  # thread posts that are older than the pages so far
    included: Record = {}
    searched: list[Record] = []  # the bounds of the last search: pages of the same range share it

    async def page(**parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401  # X's own parameters
        answer: Record = older_names(dict(await timeline(**parameters)))
        bounds = {name: parameters[name] for name in _BOUNDS if name in parameters}
        if searched != [bounds]:
            searched[:] = [bounds]
            found = await _searched(searching, {**bounds, "max_results": parameters["max_results"]})
            waiting[:] = _own_replies(found, user_id)
            included.update(found)
        posts = [post for entry in _listed(answer, "data") if (post := identified(entry)) is not None]
        oldest = min((int(post["id"]) for post in posts), default=0) if _has_more(answer) else 0
        fitting = [post for post in waiting if int(post["id"]) > oldest and post["id"] not in {p["id"] for p in posts}]
        waiting[:] = [post for post in waiting if int(post["id"]) <= oldest]
        return _merged(answer, fitting, included) if fitting else answer

    return page


async def _searched(searching: PageFetcher, parameters: Mapping[str, Any]) -> Record:
    """Search for the thread posts within the bounds of a timeline page; nothing if X does not allow searches."""
    try:
        return older_names(dict(await searching(**parameters)))  # type: ignore[no-any-return]
    except SourceError as error:
        # A bad request may be a bound beyond the search's seven days.
        if not isinstance(error, NotAllowedError) and error.status != HTTPStatus.BAD_REQUEST:
            raise
        log.info("threads not searched", reason=str(error))
        return {}


def _own_replies(answer: Record, user_id: str) -> Iterator[Record]:
    """Yield the account's replies to its own posts."""
    authors = {post["id"]: author_of(post) for post in _records(answer, "tweets")}
    for entry in _listed(answer, "data"):
        post = identified(entry)
        if post is None or author_of(post) not in {"", user_id}:
            continue
        try:
            answered = references_of(post).get("replied_to")
        except TypeError:
            continue
        if answered and (authors.get(answered) or str(post.get("in_reply_to_user_id") or "")) == user_id:
            yield post


def _merged(answer: Record, posts: list[Record], found: Record) -> Record:
    """Return a page with more posts, and the objects that were included with them."""
    includes = {name: [*_records(answer, name), *_records(found, name)] for name in _LISTS}
    errors = [*_listed(answer, "errors"), *_listed(found, "errors")]
    return {
        **answer,
        "data": [*_listed(answer, "data"), *posts],
        "includes": {name: records for name, records in includes.items() if records},
        **({"errors": errors} if errors else {}),
    }


def _has_more(answer: Record) -> bool:
    meta = answer.get("meta")
    return isinstance(meta, dict) and bool(meta.get("next_token"))


def _records(answer: Record, name: str) -> list[Record]:
    includes = answer.get("includes")
    records = _listed(includes, name) if isinstance(includes, dict) else []
    return [record for record in records if isinstance(record, dict)]


def _listed(holder: Record, name: str) -> list[Any]:
    found = holder.get(name)
    return found if isinstance(found, list) else []
