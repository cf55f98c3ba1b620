"""Test the simulated X on the sample content: what it adds to the API of the demonstration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.demo.client import EVERYTHING, NOW, PORTAL_ID, USERS, api, assert_valid, timeline
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = "author_id,referenced_tweets.id.author_id,in_reply_to_user_id"


@pytest.fixture(scope="module")
def upstream() -> Iterator[SimulatedUpstream]:
    with SimulatedUpstream(lambda: NOW) as running:
        for _ in range(60):
            running.world.publish()
        yield running


def test_responses_with_people_are_valid_by_the_description_of_x(upstream: SimulatedUpstream) -> None:
    fields = {**EVERYTHING, **USERS, "expansions": f"{EVERYTHING['expansions']},{PEOPLE}"}
    whole = timeline(upstream, max_results=100, **fields).json
    assert set(whole["includes"]) == {"users", "tweets", "media"}
    assert_valid("Get2UsersIdTweetsResponse", whole)
    assert_valid("Get2UsersIdResponse", api(upstream, f"/users/{PORTAL_ID}", USERS).json)
    assert_valid("Get2UsersByUsernameUsernameResponse", api(upstream, "/users/by/username/OpenGovHub", USERS).json)
    assert_valid("InvalidRequestProblem", timeline(upstream, max_results=4).json)


def test_people_are_included_on_request_only(upstream: SimulatedUpstream) -> None:
    bare = timeline(upstream).json
    assert set(bare) == {"data", "meta"}
    assert {frozenset(post) for post in bare["data"]} == {frozenset({"id", "text", "edit_history_tweet_ids"})}
    users = timeline(upstream, expansions="author_id").json["includes"]
    assert set(users) == {"users"}
    assert set(users["users"][0]) == {"id", "name", "username"}


def test_a_missing_user_is_an_error_in_a_success(upstream: SimulatedUpstream) -> None:
    for path in ("/users/by/username/nobody_zz", "/users/404", "/users/404/tweets"):
        answer = api(upstream, path)
        assert answer.status == 200
        assert set(answer.json) == {"errors"}


@pytest.mark.parametrize(
    "params",
    [
        {"max_results": 4},
        {"max_results": 101},
        {"max_results": "many"},
        {"since_id": "abc"},
        {"tweet.fields": "colour"},
        {"expansions": "everything"},
        {"exclude": "quotes"},
        {"pagination_token": "!"},
    ],
)
def test_parameters_that_x_refuses(upstream: SimulatedUpstream, params: dict[str, Any]) -> None:
    answer = timeline(upstream, **params)
    assert answer.status == 400
    assert next(iter(params)) in answer.json["errors"][0]["parameters"]


def test_the_rate_limit_applies_to_each_endpoint() -> None:
    with SimulatedUpstream(lambda: NOW, rate_limit=2) as limited:
        answers = [timeline(limited) for _ in range(3)]
        other = api(limited, f"/users/{PORTAL_ID}")
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-rate-limit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert (other.status, other.headers["x-rate-limit-remaining"]) == (200, "1")
