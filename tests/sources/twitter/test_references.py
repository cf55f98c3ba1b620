"""Test how pages of X's API are completed: nested quotes, newer versions, edit windows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aggregator.sources.twitter.normalise import normalise
from aggregator.sources.twitter.references import (
    nested_quotes,
    outdated,
    with_edit_windows,
    with_included,
    with_newest,
)


def post(number: int, *about: tuple[str, int], **more: Any) -> dict[str, Any]:
    references = [{"type": kind, "id": str(id_)} for kind, id_ in about]
    return {"id": str(number), "text": f"Post {number}", "author_id": "1", "referenced_tweets": references, **more}


def page(*posts: dict[str, Any], included: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    return {"data": list(posts), "includes": {"tweets": list(included)}, **more}


REPOSTED_QUOTE = page(post(30, ("retweeted", 20)), included=(post(20, ("quoted", 10)),))


def test_what_a_reposted_quote_quotes_is_missing() -> None:
    assert nested_quotes(REPOSTED_QUOTE) == ["10"]
    assert nested_quotes(REPOSTED_QUOTE, since=30) == []  # read before


@pytest.mark.parametrize(
    "complete",
    [
        {**REPOSTED_QUOTE, "errors": [{"resource_id": "10", "type": "about:blank"}]},
        page(post(30, ("retweeted", 20)), included=(post(20, ("quoted", 10)), post(10))),
        page(post(30, ("retweeted", 20)), post(10), included=(post(20, ("quoted", 10)),)),
        page(post(30, ("quoted", 20)), included=(post(20, ("quoted", 10)),)),
        page(post(30, ("retweeted", 20)), included=(post(20),)),
        page(post(30, ("retweeted", 20))),
        {"data": "odd", "includes": ["odd"], "errors": 7},
    ],
    ids=["unavailable", "included", "in the page", "quote of a quote", "no quote", "not included", "odd"],
)
def test_nothing_else_is_missing(complete: dict[str, Any]) -> None:
    assert nested_quotes(complete) == []


def test_both_vocabularies_are_read() -> None:
    newer = {
        "data": [{"id": "30", "text": "", "referenced_posts": [{"type": "retweeted", "id": "20"}]}],
        "includes": {"posts": [{"id": "20", "text": "", "referenced_posts": [{"type": "quoted", "id": "10"}]}]},
    }
    assert nested_quotes(newer) == ["10"]
    merged = with_included(newer, {"data": [{"id": "10", "text": "First"}], "errors": [{"title": "x"}]})
    assert [found["id"] for found in merged["includes"]["tweets"]] == ["20", "10"]
    assert merged["errors"] == [{"title": "x"}]


def test_references_lead_to_the_newest_version() -> None:
    history = {"edit_history_tweet_ids": ["20", "25"]}
    old = page(post(30, ("retweeted", 20)), included=(post(20, **history),))
    assert outdated(old) == ["25"]
    current = with_newest(old, {"data": [post(25, text="Tuesday", **history)]})
    [repost] = normalise(current)
    assert repost.object is not None
    assert (repost.object.content.text, repost.object.key, repost.object_key) == ("Tuesday", "x:20", "x:20")
    assert repost.object.content.url == "https://x.com/i/status/25"
    assert with_newest(old, {}) == old


def test_the_edit_window_of_an_embedded_post_is_kept() -> None:
    controls = {"edit_controls": {"is_edit_eligible": True, "editable_until": "2026-05-04T13:00:00.000Z"}}
    payload = page(post(30, ("retweeted", 20)), post(31), included=(post(20, **controls),))
    windows = {new.native_id: new.object_editable_until for new in with_edit_windows(normalise(payload), payload)}
    assert windows == {"30": datetime(2026, 5, 4, 13, tzinfo=UTC), "31": None}
