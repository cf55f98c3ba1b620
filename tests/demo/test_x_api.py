"""Test what the sample X promises to the demonstration. `tests/x_api` simulates more of X for other tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.demo import SAMPLE_TOKEN, Upstream
from aggregator.demo.articles import Picture
from aggregator.demo.world import LONGEST_RETWEET, LONGEST_TEXT, World
from aggregator.demo.x_api import RATE_LIMIT, XApi
from tests.demo.client import EVERYTHING, NOW, PORTAL_ID, USERS, api, assert_valid, timeline

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store

TIMELINE = "/2/users/{id}/tweets"


@pytest.fixture
def empty_world() -> World:
    return World(lambda: NOW)


def test_responses_are_valid_by_the_description_of_x(upstream: Upstream) -> None:
    whole = timeline(upstream, max_results=100, **EVERYTHING).json
    assert set(whole["includes"]) == {"tweets", "media"}
    assert_valid("Get2UsersIdTweetsResponse", whole)
    assert_valid("Get2UsersIdTweetsResponse", timeline(upstream).json)
    assert_valid("Get2UsersByUsernameUsernameResponse", api(upstream, "/users/by/username/OpenGovHub", USERS).json)
    assert_valid("Get2UsersByResponse", api(upstream, "/users/by", {"usernames": "OpenGovHub,nobody_zz"}).json)
    assert_valid("Get2UsersResponse", api(upstream, "/users", {"ids": "150000001,150000002,9", **USERS}).json)
    ids = ",".join([*(post["id"] for post in whole["data"][:99]), "12"])
    assert_valid("Get2TweetsResponse", api(upstream, "/tweets", {"ids": ids, **EVERYTHING}).json)
    assert_valid("Get2UsageTweetsResponse", api(upstream, "/usage/tweets").json)
    missing = api(upstream, "/users/by/username/nobody_zz").json
    assert_valid("ResourceNotFoundProblem", missing["errors"][0])


def test_a_response_has_the_requested_fields_only(upstream: Upstream) -> None:
    bare = timeline(upstream).json
    assert set(bare) == {"data", "meta"}
    assert {frozenset(post) for post in bare["data"]} == {frozenset({"id", "text", "edit_history_tweet_ids"})}
    [user] = api(upstream, "/users", {"ids": PORTAL_ID}).json["data"]
    assert set(user) == {"id", "name", "username"}
    expanded = timeline(upstream, max_results=100, expansions="referenced_tweets.id").json
    assert set(expanded["includes"]) == {"tweets"}


def test_a_missing_user_is_an_error_in_a_success(upstream: Upstream) -> None:
    for path in ("/users/by/username/nobody_zz", "/users/404/tweets"):
        answer = api(upstream, path)
        assert answer.status == 200
        assert set(answer.json) == {"errors"}


def test_an_account_is_found_by_its_handle_in_any_case(upstream: Upstream) -> None:
    assert api(upstream, "/users/by/username/OPENGOVPART").json["data"]["id"] == PORTAL_ID
    found = api(upstream, "/users/by", {"usernames": "OPENGOVPART,nobody_zz"}).json
    assert [user["id"] for user in found["data"]] == [PORTAL_ID]
    assert [error["value"] for error in found["errors"]] == ["nobody_zz"]


def test_pages_follow_each_other_without_gap_or_repeat(upstream: Upstream) -> None:
    seen: list[str] = []
    params: dict[str, Any] = {"max_results": 7}
    while True:
        page = timeline(upstream, **params).json
        seen += [post["id"] for post in page["data"]]
        assert page["meta"]["newest_id"] == page["data"][0]["id"]
        if "next_token" not in page["meta"]:
            break
        params["pagination_token"] = page["meta"]["next_token"]
    assert seen == [str(post.id) for post in upstream.world.timeline(PORTAL_ID)]


def test_since_and_until_are_exclusive(upstream: Upstream) -> None:
    ids = [post.id for post in upstream.world.timeline(PORTAL_ID)]
    page = timeline(upstream, since_id=ids[5], until_id=ids[0]).json
    assert [int(post["id"]) for post in page["data"]] == ids[1:5]
    assert timeline(upstream, since_id=ids[0]).json == {"meta": {"result_count": 0}}


def test_replies_and_retweets_can_be_excluded(upstream: Upstream) -> None:
    whole = {"max_results": 100, "tweet.fields": "referenced_tweets"}
    kept = timeline(upstream, exclude="retweets,replies", **whole).json["data"]
    assert kept
    assert {ref["type"] for post in kept for ref in post.get("referenced_tweets", [])} == {"quoted"}


def test_posts_are_looked_up_with_what_they_refer_to(upstream: Upstream) -> None:
    retweet = next(post for post in upstream.world.timeline(PORTAL_ID) if post.references)
    [(_, original)] = retweet.references
    found = api(upstream, "/tweets", {"ids": f"{retweet.id},12", **EVERYTHING}).json
    assert [post["id"] for post in found["data"]] == [str(retweet.id)]
    assert [post["id"] for post in found["includes"]["tweets"]] == [str(original)]
    assert [(error["resource_id"], error["resource_type"]) for error in found["errors"]] == [("12", "tweet")]


def test_the_picture_of_an_original_is_included(empty_world: World) -> None:
    desk, river = empty_world.add_account("desk_example"), empty_world.add_account("river_example")
    picture = Picture("3_15", "one.svg", "A pattern")
    empty_world.repost(desk, empty_world.write(river, "Look", picture=picture))
    with Upstream(empty_world, every=0) as running:
        found = api(running, f"/users/{desk.id}/tweets", EVERYTHING).json
    [media] = found["includes"]["media"]
    assert (media["media_key"], media["alt_text"]) == (picture.key, picture.alt)
    assert found["includes"]["tweets"][0]["attachments"] == {"media_keys": [picture.key]}


def test_entities_have_the_offsets_of_the_escaped_text(upstream: Upstream) -> None:
    page = timeline(upstream, max_results=100, **EVERYTHING).json
    count = 0
    for post in [*page["data"], *page["includes"]["tweets"]]:
        for words in (post, post.get("note_tweet", {})):
            for kind, sign in (("mentions", "@"), ("hashtags", "#"), ("urls", "")):
                for entity in words.get("entities", {}).get(kind, []):
                    stands = words["text"][entity["start"] : entity["end"]]
                    assert stands == sign + (entity.get("username") or entity.get("tag") or entity["url"])
                    count += 1
    assert count > 100


def test_retweets_are_cut_and_long_posts_have_their_whole_text(upstream: Upstream) -> None:
    page = timeline(upstream, max_results=100, **EVERYTHING).json
    retweets = [post for post in page["data"] if post["text"].startswith("RT @")]
    assert any(post["text"].endswith("…") for post in retweets)
    longs = [post for post in page["includes"]["tweets"] if "note_tweet" in post]
    assert longs
    assert all(len(post["note_tweet"]["text"]) > LONGEST_TEXT for post in longs)
    by_id = {post.id: post for post in upstream.world.posts}
    assert all(len(by_id[int(post["id"])].text) <= LONGEST_RETWEET for post in retweets)


def test_another_token_is_refused(upstream: Upstream) -> None:
    answer = api(upstream, f"/users/{PORTAL_ID}/tweets", token="another")
    assert (answer.status, answer.json["title"]) == (401, "Unauthorized")


def test_each_endpoint_has_a_rate_limit_of_its_own(empty_world: World) -> None:
    account = empty_world.add_account("desk_example")
    x = XApi(empty_world)
    x.limits[TIMELINE] = 2
    with Upstream(empty_world, x, every=0) as limited:
        answers = [api(limited, f"/users/{account.id}/tweets") for _ in range(3)]
        other = api(limited, "/users", {"ids": account.id})
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-rate-limit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert datetime.fromtimestamp(int(answers[2].headers["x-rate-limit-reset"]), UTC) > NOW
    assert (other.status, other.headers["x-rate-limit-remaining"]) == (200, str(RATE_LIMIT - 1))


def test_the_usage_counts_each_returned_post_once_a_day(empty_world: World) -> None:
    desk, river = empty_world.add_account("desk_example"), empty_world.add_account("river_example")
    empty_world.repost(desk, empty_world.write(river, "Words"))
    with Upstream(empty_world, every=0) as running:
        for _ in range(2):
            api(running, f"/users/{desk.id}/tweets", EVERYTHING)
        assert api(running, "/usage/tweets").json["data"]["project_usage"] == 2


@pytest.mark.parametrize("path", ["/tweets/search/recent", "/compliance/jobs"])
def test_what_the_demonstration_does_not_need_is_refused_as_beyond_the_plan(upstream: Upstream, path: str) -> None:
    answer = api(upstream, path)
    assert (answer.status, answer.json["title"]) == (403, "Forbidden")


def test_a_compliance_sweep_looks_the_posts_up(tmp_path: Path, sqlite_url: str, sqlite_store: Store) -> None:
    del sqlite_store  # made and migrated
    with Upstream(every=0) as running:
        settings = {
            "AGGREGATOR_DATA_DIR": str(tmp_path),
            "AGGREGATOR_DATABASE_URL": sqlite_url,
            "AGGREGATOR_X_BASE_URL": running.url,
            "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
            "AGGREGATOR_HOST_SPACING": "0",
        }
        container = Container(Settings.from_environment(settings))
        source, _ = container.subscribe("@opengovpart")
        container.polling.poll_now([source.id])
        reports = container.sweep()
        container.close()
    [report] = [report for report in reports if report.stored]
    assert report.looked_up == report.stored
    assert (report.gone, report.updated) == (0, 0)
