"""Complete pages of X's API: nested references, newer versions of edited posts, and the ends of edit windows. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aggregator.sources.twitter.normalise import moment_of, older_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from aggregator.domain.activity import NewActivity

Page = dict[str, Any]
Post = dict[str, Any]


def nested_quotes(payload: Mapping[str, Any], since: int = 0) -> list[str]:
    """Return the ids of posts that reposted quotes quote, which X doesn't include in the page.

    Args:
        payload: a page in either vocabulary.
        since: the id up to which the posts of the page are known already.
    """
    page = older_names(dict(payload))
    known = {*_by_id(included_in(page)), *_by_id(posts_in(page))}
    known |= {str(error.get("resource_id") or error.get("value")) for error in _objects(page.get("errors"))}
    included = _by_id(included_in(page))
    missing: dict[str, None] = {}
    for post in posts_in(page):
        original = included.get(references_of(post).get("retweeted", ""))
        quoted = references_of(original).get("quoted") if original and int(post["id"]) > since else None
        if quoted and quoted not in known:
            missing[quoted] = None
    return list(missing)


def with_included(payload: Mapping[str, Any], looked_up: Mapping[str, Any]) -> Page:
    """Return a page that includes looked-up posts, with their media and accounts, and their errors."""
    page, found = older_names(dict(payload)), older_names(dict(looked_up))
    given, more = _includes(page), _includes(found)
    tweets = [*_objects(given.get("tweets")), *posts_in(found)]
    merged = {name: [*_objects(given.get(name)), *_objects(more.get(name))] for name in {*given, *more} - {"tweets"}}
    errors = [*_objects(page.get("errors")), *_objects(found.get("errors"))]
    return {**page, "includes": {**merged, "tweets": tweets}, **({"errors": errors} if errors else {})}


def outdated(page: Mapping[str, Any]) -> list[str]:
    """Return the ids of the newest versions of posts in a page, as far as they are not in it; in the older names."""
    posts = [*posts_in(page), *included_in(page)]
    known = _by_id(posts)
    return list(dict.fromkeys(newest for post in posts if (newest := newest_of(post)) not in known))


def with_newest(page: Page, later: Mapping[str, Any]) -> Page:
    """Return a page whose references lead to the newest known version of each post; in the older names."""
    versions = {version: post for post in posts_in(later) for version in history_of(post)}
    if not versions:
        return page
    included = {post["id"]: post for post in included_in(with_included(page, later))}
    for version, post in versions.items():
        included.pop(version, None)
        included[post["id"]] = post
    data = [{**post, "referenced_tweets": _newer(post, versions)} for post in posts_in(page)]
    merged = with_included(page, later)
    return {**merged, "data": data, "includes": {**merged["includes"], "tweets": list(included.values())}}


def with_edit_windows(activities: Iterable[NewActivity], payload: Mapping[str, Any]) -> list[NewActivity]:
    """Return activities with the time until which their embedded posts can be edited."""
    page = older_names(dict(payload))
    ends = {history_of(post)[0]: end for post in included_in(page) if (end := editable_until(post))}
    return [
        replace(new, object_editable_until=ends[new.object.native_id])
        if new.object and new.object.native_id in ends
        else new
        for new in activities
    ]


def editable_until(post: Mapping[str, Any]) -> datetime | None:
    """Return the end of a post's edit window, or None if it can't be edited."""
    controls = post.get("edit_controls")
    if not isinstance(controls, dict) or controls.get("is_edit_eligible") is False:
        return None
    return moment_of(controls.get("editable_until"))


def posts_in(page: Mapping[str, Any]) -> list[Post]:
    """Return the posts of a page that have an id."""
    return [*_with_id(page.get("data"))]


def included_in(page: Mapping[str, Any]) -> list[Post]:
    """Return the posts that a page includes for its posts."""
    return [*_with_id(_includes(page).get("tweets"))]


def references_of(post: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids of the posts that a post refers to, by the type of reference."""
    found = _objects(post.get("referenced_tweets"))
    return {str(item.get("type")): str(item["id"]) for item in found if item.get("id")}


def history_of(post: Mapping[str, Any]) -> list[str]:
    """Return the ids of all versions of a post, oldest first."""
    found = post.get("edit_history_tweet_ids")
    return [str(id_) for id_ in found] if isinstance(found, list) and found else [str(post["id"])]


def newest_of(post: Mapping[str, Any]) -> str:
    """Return the id of a post's newest version."""
    return max(history_of(post), key=lambda id_: (len(id_), id_))


def _newer(post: Post, versions: Mapping[str, Post]) -> list[Any]:
    return [
        {**item, "id": versions[str(item["id"])]["id"]} if str(item.get("id")) in versions else item
        for item in _objects(post.get("referenced_tweets"))
    ]


def _includes(page: Mapping[str, Any]) -> Mapping[str, Any]:
    found = page.get("includes")
    return found if isinstance(found, dict) else {}


def _objects(found: object) -> list[dict[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _with_id(found: object) -> Iterator[Post]:
    for item in _objects(found):
        id_ = str(item.get("id", ""))
        if id_.isascii() and id_.isdigit():
            yield {**item, "id": id_}


def _by_id(posts: Iterable[Post]) -> dict[str, Post]:
    return {post["id"]: post for post in posts}
