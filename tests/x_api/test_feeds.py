"""Test mentions, lists and search of the simulated X, and posts that pages leave out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tests.demo.client import SHARED
from tests.x_api.test_x_api import ASKED, Sample, running
from tests.x_api.world import AccountList

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def x() -> Iterator[Sample]:
    yield from running()


def test_mentions_and_lists_are_pages_of_posts(x: Sample) -> None:
    x.upstream.world.lists["77"] = AccountList("Rivers", {x.river.id})
    assert x.ids(x.ask(f"/users/{x.desk.id}/mentions").json) == [x.repost.id, x.original.id]
    assert x.ids(x.ask("/lists/77/tweets", max_results=1).json) == [x.original.id]
    assert x.ask("/lists/77", **{"list.fields": "member_count"}).json == {
        "data": {"id": "77", "name": "Rivers", "member_count": 1}
    }
    assert set(x.ask("/lists/78").json) == set(x.ask("/lists/78/tweets").json) == {"errors"}


def test_mentions_and_lists_are_valid_by_xs_own_description(x: Sample) -> None:
    path = SHARED / "x-openapi-2.166.json"
    if not path.is_file():
        pytest.skip("X's API description is not beside this checkout")
    described = json.loads(path.read_text("utf-8"))
    x.upstream.world.lists["77"] = AccountList("Rivers", {x.river.id})
    fields = ASKED["tweets"]
    for route, call, params in (
        ("/2/users/{id}/mentions", f"/users/{x.desk.id}/mentions", fields),
        ("/2/lists/{id}/tweets", "/lists/77/tweets", fields),
        ("/2/lists/{id}", "/lists/77", {"list.fields": "member_count,private"}),
    ):
        schema = described["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        found = Draft202012Validator({**schema, "components": described["components"]})
        assert [*found.iter_errors(x.ask(call, **params).json)] == [], route


def test_posts_are_left_out_after_the_page_is_cut(x: Sample) -> None:
    page = x.timeline(max_results=5, exclude="replies,retweets")
    assert x.ids(page) == [x.edited.id, x.quote.id, x.long.id]
    assert page["meta"]["result_count"] == 3
    empty = x.timeline(max_results=5, exclude="replies,retweets", until_id=x.quote.id, since_id=x.long.id)
    assert empty["meta"] == {"result_count": 0}


def test_the_search_finds_quotes_by_url_and_no_reposts_by_words(x: Sample) -> None:
    found = x.ask("/tweets/search/recent", query='url:"x.com/river_example/status" is:quote', max_results=10).json
    assert x.ids(found) == [x.quote.id]
    assert x.ids(x.ask("/tweets/search/recent", query="plan", max_results=10).json) == [x.original.id]


def test_the_search_refuses_a_position_before_its_reach(x: Sample) -> None:
    refused = x.ask("/tweets/search/recent", query="plan", until_id="5", max_results=10)
    assert refused.status == 400
    assert refused.json["errors"][0]["parameters"] == {"until_id": ["5"]}
