"""Test that threads are kept where X leaves out replies."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.errors import NotAllowedError, PausedError, SourceError, StatusError
from aggregator.sources.twitter import threads
from tests.x.scripted import page, post

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def reply(number: int, answered: int, to: int = 1) -> dict[str, Any]:
    return post(number, in_reply_to_user_id=str(to), referenced_tweets=[{"type": "replied_to", "id": str(answered)}])


class X:
    """Scripted pages of the timeline, and the result of every search."""

    def __init__(self, pages: list[dict[str, Any]], found: dict[str, Any] | SourceError) -> None:
        self.pages, self.found = iter(pages), found
        self.searches: list[tuple[str, dict[str, Any]]] = []

    async def timeline(self, **parameters: Any) -> Mapping[str, Any]:
        del parameters
        return next(self.pages)

    async def search(self, query: str, **parameters: Any) -> Mapping[str, Any]:
        self.searches.append((query, parameters))
        if isinstance(self.found, SourceError):
            raise self.found
        return self.found

    def ids(self, *questions: dict[str, Any]) -> list[list[str]]:
        fetch = threads.kept(self.timeline, threads.search_for("desk", self.search, NOW), "1")

        async def answers() -> list[list[str]]:
            return [[entry["id"] for entry in (await fetch(**parameters)).get("data", ())] for parameters in questions]

        return asyncio.run(answers())


def test_own_replies_are_added_and_replies_to_others_are_not() -> None:
    x = X([page(post(10))], page(reply(11, 10), reply(12, 90, to=2), post(13, author=2), post(14)))
    assert x.ids({"max_results": 5, "since_id": 9}) == [["10", "11"]]
    assert x.searches == [("from:desk to:desk is:reply", {"max_results": 10})]  # an id of 2010 is too old for a search


def test_an_empty_page_may_have_thread_posts() -> None:
    assert X([{"meta": {"result_count": 0}}], page(reply(11, 10))).ids({"max_results": 40}) == [["11"]]


def test_older_thread_posts_wait_for_the_page_of_their_time() -> None:
    pages = [page(post(30), post(20), token="t"), page(post(10))]
    x = X(pages, page(reply(31, 30), reply(11, 10), reply(9, 8)))
    assert x.ids({"max_results": 5}, {"max_results": 5, "pagination_token": "t"}) == [
        ["30", "20", "31"],
        ["10", "11", "9"],
    ]
    assert len(x.searches) == 1


def test_each_range_of_a_timeline_is_searched_once() -> None:
    x = X([page(post(30), token="t"), page(post(20)), page(post(50))], page(reply(21, 20)))
    gap = {"max_results": 5, "since_id": 2051000000000000000, "until_id": 2051000000000000900}
    questions: list[dict[str, Any]] = [
        {**gap, "pagination_token": "kept"},
        {**gap, "pagination_token": "t"},
        {"max_results": 5, "since_id": 30},
    ]
    x.ids(*questions)
    assert len(x.searches) == 2
    assert all("next_token" not in parameters for _, parameters in x.searches)  # a timeline's token


def test_what_is_included_with_a_thread_post_is_kept() -> None:
    found = page(
        reply(11, 10) | {"attachments": {"media_keys": ["3_1"]}}, media=[{"media_key": "3_1", "type": "photo"}]
    )
    x = X([page(post(10))], found)
    fetch = threads.kept(x.timeline, threads.search_for("desk", x.search, NOW), "1")
    answer = asyncio.run(fetch(max_results=5))
    assert answer["includes"]["media"] == [{"media_key": "3_1", "type": "photo"}]


@pytest.mark.parametrize(
    "refusal", [NotAllowedError("no search"), StatusError("too old", status=400)], ids=["not-allowed", "bad-bound"]
)
def test_without_searches_the_timeline_is_read_alone(refusal: SourceError) -> None:
    assert X([page(post(10))], refusal).ids({"max_results": 5}) == [["10"]]


def test_a_paused_search_is_repeated_with_its_timeline() -> None:
    with pytest.raises(PausedError):
        X([page(post(10))], PausedError("limit")).ids({"max_results": 5})
