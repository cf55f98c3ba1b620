"""Test the simulated X over HTTP: X's contract in both vocabularies, its events, faults, jobs and bill."""

from __future__ import annotations

import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from jsonschema import Draft202012Validator

from aggregator.demo import SAMPLE_TOKEN
from aggregator.demo.articles import Picture
from aggregator.sources.twitter.vocabulary import POSTS, USER_FIELDS
from tests.demo.client import SHARED, Answer, api, send
from tests.x_api.faults import FAULTS
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.demo.world import Account, Post

SPECS = {"tweets": "2.166", "posts": "2.167"}
ASKED: dict[str, dict[str, str]] = {
    name: {key.replace("_fields", ".fields"): ",".join(value) for key, value in fields.items()}
    for name, fields in POSTS.items()
}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Sample:
    """A simulated X with three accounts and a post of every type."""

    def __init__(self, upstream: SimulatedUpstream, clock: Clock) -> None:
        self.upstream, self.clock = upstream, clock
        world = upstream.world
        self.desk, self.river, self.shy = (world.add_account(name) for name in ("desk_example", "river_example", "shy"))
        at = clock.now - timedelta(hours=3)
        picture = Picture("3_15", "one.svg", "A pattern")
        words = "Words & <more> of @desk_example #plan https://t.co/a"
        links = (("https://t.co/a", "https://data.example.org/plan"),)
        self.original = world.write(self.river, words, at, links=links, picture=picture)
        self.long = world.write(self.desk, "Long. " * 60, at + timedelta(minutes=1))
        self.repost = world.repost(self.desk, self.original, at + timedelta(minutes=2))
        self.quote = world.write(
            self.desk, "Read this", at + timedelta(minutes=3), references=(("quoted", self.original.id),)
        )
        self.reply = world.write(
            self.desk, "@river_example Yes", at + timedelta(minutes=4), references=(("replied_to", self.original.id),)
        )
        self.edited = world.edit(
            world.write(self.desk, "Frist", at + timedelta(minutes=5)), "First", at + timedelta(minutes=6)
        )

    def ask(self, path: str, token: str = SAMPLE_TOKEN, **params: Any) -> Answer:
        return self.send(f"{self.upstream.url}/2{path}" + (f"?{urlencode(params)}" if params else ""), token=token)

    def send(self, url: str, body: bytes | None = None, method: str = "GET", token: str = SAMPLE_TOKEN) -> Answer:
        return send(urllib.request.Request(url, body, {"Authorization": f"Bearer {token}"}, method=method))

    def timeline(self, account: Account | None = None, **params: Any) -> Any:
        query = {"max_results": 100, **ASKED["tweets"], **params}
        return self.ask(f"/users/{(account or self.desk).id}/tweets", **query).json

    def ids(self, response: Any) -> list[int]:
        return [int(post["id"]) for post in response.get("data", ())]


def running(**options: Any) -> Iterator[Sample]:
    clock = Clock()
    with SimulatedUpstream(clock, empty=True, search=True, **options) as upstream:
        yield Sample(upstream, clock)


@pytest.fixture
def x() -> Iterator[Sample]:
    yield from running()


@pytest.fixture(params=SPECS)
def vocabulary(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def spoken(vocabulary: str) -> Iterator[Sample]:
    yield from running(vocabulary=vocabulary)


# The contract


def test_every_answer_is_valid_by_xs_own_description(spoken: Sample, vocabulary: str) -> None:
    path = SHARED / f"x-openapi-{SPECS[vocabulary]}.json"
    if not path.is_file():
        # X's terms don't allow a copy in this project; the shapes themselves are tested without it.
        pytest.skip("X's API description is not beside this checkout")
    described = json.loads(path.read_text("utf-8"))

    def check(route: str, response: Any, method: str = "get") -> None:
        schema = described["paths"][route][method]["responses"]["200"]["content"]["application/json"]["schema"]
        found = Draft202012Validator({**schema, "components": described["components"]}).iter_errors(response)
        assert [f"{error.json_path}: {error.message[:200]}" for error in found] == [], route

    x, fields = spoken, ASKED[vocabulary]
    users = {"user.fields": ",".join(USER_FIELDS)}
    gone = x.upstream.world.write(x.desk, "Gone")
    x.upstream.world.write(x.desk, "Look", references=(("quoted", gone.id),))
    x.upstream.world.delete(gone)
    x.upstream.world.withhold(x.long, ("DE",))
    whole = x.ask(f"/users/{x.desk.id}/tweets", max_results=100, **fields).json
    assert len(whole["data"]) == 6
    check("/2/users/{id}/tweets", whole)
    check("/2/users/{id}/tweets", x.ask(f"/users/{x.desk.id}/tweets").json)
    check("/2/users/{id}/tweets", x.ask(f"/users/{x.shy.id}/tweets").json)
    check("/2/tweets", x.ask("/tweets", ids=f"{x.original.id},{gone.id}", **fields).json)
    check("/2/tweets/{id}", x.ask(f"/tweets/{x.original.id}", **fields).json)
    check("/2/tweets/search/recent", x.ask("/tweets/search/recent", query="from:desk_example", **fields).json)
    check("/2/users", x.ask("/users", ids=f"{x.desk.id},9", **users).json)
    check("/2/users/by", x.ask("/users/by", usernames="desk_example,nobody_there", **users).json)
    check("/2/users/by/username/{username}", x.ask("/users/by/username/shy", **users).json)
    check("/2/users/{id}", x.ask(f"/users/{x.shy.id}", **users).json)
    check("/2/usage/tweets", x.ask("/usage/tweets").json)
    made = x.send(f"{x.upstream.url}/2/compliance/jobs", b'{"type":"tweets","name":"sweep"}', "POST").json
    check("/2/compliance/jobs", made, "post")
    check("/2/compliance/jobs", x.ask("/compliance/jobs", type="tweets").json)
    check("/2/compliance/jobs/{id}", x.ask(f"/compliance/jobs/{made['data']['id']}").json)


def test_an_x_that_knows_one_vocabulary_refuses_the_other(spoken: Sample, vocabulary: str) -> None:
    other = "posts" if vocabulary == "tweets" else "tweets"
    refused = spoken.ask(f"/users/{spoken.desk.id}/tweets", **ASKED[other])
    assert refused.status == 400
    [error] = refused.json["errors"]
    assert error["message"].startswith(
        f"The query parameter [{'post' if other == 'posts' else 'tweet'}.fields] is not one"
    )


def test_both_vocabularies_tell_the_same(x: Sample) -> None:
    from aggregator.sources.twitter.normalise import normalise

    older, newer = (
        normalise(x.ask(f"/users/{x.desk.id}/tweets", max_results=100, **ASKED[name]).json)
        for name in ("tweets", "posts")
    )
    assert [
        (activity.native_id, activity.content.text, activity.content.html, activity.object_key) for activity in older
    ] == [(activity.native_id, activity.content.text, activity.content.html, activity.object_key) for activity in newer]
    assert [activity.object and activity.object.content.text for activity in older] == [
        activity.object and activity.object.content.text for activity in newer
    ]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/users", {"ids": ",".join(str(n) for n in range(1, 102))}),
        ("/tweets", {"ids": "12,abc"}),
        ("/users/by", {"usernames": "not a handle"}),
        ("/tweets/search/recent", {"query": "a", "max_results": 9}),
        ("/tweets/search/recent", {"query": "a", "start_time": "yesterday"}),
        ("/compliance/jobs", {"type": "likes"}),
        ("/tweets", {"ids": "12", "expansions": "everything"}),
        ("/tweets", {"ids": "12", "post.fields": "colour"}),
    ],
)
def test_what_x_would_refuse(x: Sample, path: str, params: dict[str, Any]) -> None:
    refused = x.ask(path, **params)
    assert (refused.status, refused.json["title"]) == (400, "Invalid Request")


# What happens there


def test_an_edit_is_another_post_and_timelines_show_the_newest(x: Sample) -> None:
    response = x.timeline()
    [post] = [post for post in response["data"] if post["text"] == "First"]
    assert post["id"] == str(x.edited.id)
    assert len(post["edit_history_tweet_ids"]) == 2
    assert post["edit_controls"]["editable_until"] == "2026-05-04T10:05:00.000Z"
    older = x.ask("/tweets", ids=post["edit_history_tweet_ids"][0]).json
    assert older["data"][0]["text"] == "Frist"
    assert older["data"][0]["edit_history_tweet_ids"] == post["edit_history_tweet_ids"]


def test_a_deletion_takes_reposts_along_and_is_told_of_what_refers_to_it(x: Sample) -> None:
    x.upstream.world.delete(x.original)
    response = x.timeline()
    assert x.repost.id not in x.ids(response)
    assert {x.quote.id, x.reply.id} <= set(x.ids(response))
    [error] = response["errors"]
    assert (error["resource_id"], error["type"].rpartition("/")[2]) == (str(x.original.id), "resource-not-found")


@pytest.mark.parametrize(
    ("how", "word"), [("protected", "not authorized"), ("suspended", "suspended"), ("deactivated", "Could not find")]
)
def test_accounts_that_can_not_be_read(x: Sample, how: str, word: str) -> None:
    x.upstream.world.restrict(x.river, how)
    assert word in x.timeline(x.river)["errors"][0]["detail"]
    assert "data" not in x.ask("/tweets", ids=str(x.original.id)).json
    assert [error["resource_id"] for error in x.timeline()["errors"]] == [str(x.original.id)]
    user = x.ask("/users/by/username/river_example", **{"user.fields": "protected"}).json
    assert ("data" in user) == (how == "protected")
    x.upstream.world.restrict(x.river, "")
    assert x.ids(x.timeline(x.river)) == [x.original.id]


def test_a_renamed_account_keeps_its_id_and_frees_its_handle(x: Sample) -> None:
    x.upstream.world.rename(x.desk, "new_desk")
    assert x.ask(f"/users/{x.desk.id}").json["data"]["username"] == "new_desk"
    assert "errors" in x.ask("/users/by/username/desk_example").json
    other = x.upstream.world.add_account("desk_example")
    assert x.ask("/users/by/username/desk_example").json["data"]["id"] == other.id


def test_pages_and_bounds(x: Sample) -> None:
    posts: list[Post] = [
        x.upstream.world.write(x.shy, f"Post {n}", x.clock.now + timedelta(minutes=n)) for n in range(30)
    ]
    found, token = [], None
    while True:
        response = x.timeline(
            x.shy, max_results=7, since_id=posts[4].id, **({"pagination_token": token} if token else {})
        )
        found += x.ids(response)
        token = response["meta"].get("next_token")
        if token is None:
            break
    assert found == [post.id for post in reversed(posts[5:])]
    between = x.timeline(x.shy, start_time="2026-05-04T12:10:00Z", end_time="2026-05-04T12:12:00Z")
    assert x.ids(between) == [posts[11].id, posts[10].id]


def test_the_search_finds_by_words_people_and_kinds(x: Sample) -> None:
    def found(query: str) -> set[int]:
        return set(x.ids(x.ask("/tweets/search/recent", query=query, max_results=100).json))

    assert found("from:river_example") == {x.original.id}
    assert found("from:desk_example is:quote OR #plan -is:retweet") == {x.quote.id, x.original.id}
    assert found('"read this"') == {x.quote.id}
    assert x.edited.id in found("first")
    assert found("frist") == set()
    x.clock.now += timedelta(days=8)
    assert found("from:river_example") == set()


def test_a_plan_without_the_search_refuses_it() -> None:
    with SimulatedUpstream(empty=True) as upstream:
        assert api(upstream, "/tweets/search/recent", {"query": "a"}).status == 403


# Limits, faults, bill


def test_limits_are_per_endpoint(x: Sample) -> None:
    x.upstream.x.limits["/2/tweets"] = 1
    first = x.ask("/tweets", ids=str(x.long.id))
    assert (first.status, first.headers["x-rate-limit-remaining"]) == (200, "0")
    second = x.ask("/tweets", ids=str(x.long.id))
    assert (second.status, second.headers["x-rate-limit-limit"]) == (429, "1")
    assert int(second.headers["x-rate-limit-reset"]) > x.clock.now.timestamp()
    assert x.ask(f"/users/{x.desk.id}").status == 200


@pytest.mark.parametrize("kind", sorted(set(FAULTS) - {"hanging", "endless", "slow"}))
def test_faults_come_once_and_only_where_they_shall(x: Sample, kind: str) -> None:
    x.upstream.x.faults.add(kind, "/tweets")
    assert x.ask(f"/users/{x.desk.id}").status == 200
    answer = x.ask(f"/users/{x.desk.id}/tweets")
    known = {"rate-limit": 429, "rate-limit-untold": 429, "usage-cap": 429, "503-html": 503}
    assert answer.status == (known.get(kind) or (int(kind) if kind.isdigit() else 200))
    assert ("x-rate-limit-reset" in answer.headers) == (kind == "rate-limit")
    assert (b"usage-capped" in answer.body) == (kind == "usage-cap")
    assert x.ids(x.timeline())


def test_slow_hanging_and_endless_answers(x: Sample) -> None:
    x.upstream.x.faults.add("slow", seconds=0.3)
    began = time.monotonic()
    assert x.ask("/users", ids=x.desk.id).status == 200
    assert time.monotonic() - began >= 0.3
    x.upstream.x.faults.add("hanging")
    request = urllib.request.Request(
        f"{x.upstream.url}/2/users?ids=1", headers={"Authorization": f"Bearer {SAMPLE_TOKEN}"}
    )
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(request, timeout=0.3)
    x.upstream.x.faults.add("endless")
    with urllib.request.urlopen(request, timeout=5) as response:
        assert len(response.read(1_000_000)) == 1_000_000
    with pytest.raises(ValueError, match="There is no fault 'odd'"):
        x.upstream.x.faults.add("odd")


def test_each_thing_is_billed_once_a_day(x: Sample) -> None:
    bill = x.upstream.x.bill
    x.timeline()
    x.timeline()
    posts = {x.long.id, x.repost.id, x.quote.id, x.reply.id, x.edited.id, x.original.id}
    assert {int(id_) for _, id_ in bill.posts} == posts
    assert (bill.users, bill.requests["/2/users/{id}/tweets"]) == (set(), 2)
    x.ask("/users", ids=f"{x.desk.id},{x.river.id}")
    assert bill.dollars == pytest.approx(6 * 0.005 + 2 * 0.01)
    x.clock.now += timedelta(days=1)
    x.timeline(x.river)
    assert len(bill.posts) == 7
    assert x.ask("/usage/tweets").json["data"]["project_usage"] == 7
    bill.cap = 7
    assert x.ask(f"/users/{x.desk.id}/tweets").json["title"] == "UsageCapExceeded"


# Compliance


def test_a_compliance_job_from_its_beginning_to_its_end(x: Sample) -> None:
    x.upstream.x.compliance.duration = timedelta(minutes=10)
    job = x.send(f"{x.upstream.url}/2/compliance/jobs", b'{"type":"tweets"}', "POST").json["data"]
    assert job["status"] == "created"
    x.upstream.world.delete(x.long)
    x.upstream.world.restrict(x.river, "protected")
    ids = "\n".join(str(post.id) for post in (x.long, x.original, x.quote)).encode()
    assert x.send(job["upload_url"], ids, "PUT", token="").status == 200
    assert x.ask(f"/compliance/jobs/{job['id']}").json["data"]["status"] == "in_progress"
    assert x.send(job["download_url"], token="").status == 403
    x.clock.now += timedelta(minutes=10)
    assert x.ask(f"/compliance/jobs/{job['id']}").json["data"]["status"] == "complete"
    lines = [json.loads(line) for line in x.send(job["download_url"], token="").body.splitlines()]
    assert [(line["id"], line["reason"]) for line in lines] == [
        (str(x.long.id), "deleted"),
        (str(x.original.id), "protected"),
    ]
    assert x.send(job["download_url"].replace("/found", "x/found"), token="").status == 403
    listed = x.ask("/compliance/jobs", type="tweets", status="complete").json
    assert [job["id"] for job in listed["data"]] == [job["id"]]


def test_jobs_over_people_and_jobs_that_nobody_feeds(x: Sample) -> None:
    job = x.send(f"{x.upstream.url}/2/compliance/jobs", b'{"type":"users"}', "POST").json["data"]
    x.upstream.world.restrict(x.river, "suspended")
    x.send(job["upload_url"], f"{x.river.id}\n{x.desk.id}\n404".encode(), "PUT", token="")
    lines = [json.loads(line) for line in x.send(job["download_url"], token="").body.splitlines()]
    assert [(line["id"], line["reason"]) for line in lines] == [(x.river.id, "suspended"), ("404", "deleted")]
    idle = x.send(f"{x.upstream.url}/2/compliance/jobs", b'{"type":"tweets"}', "POST").json["data"]
    x.clock.now += timedelta(minutes=16)
    assert x.ask(f"/compliance/jobs/{idle['id']}").json["data"]["status"] == "expired"
    assert x.send(f"{x.upstream.url}/2/compliance/jobs", b'{"type":"likes"}', "POST").status == 400
    assert x.send(f"{x.upstream.url}/2/compliance/jobs", b"not json", "POST").status == 400
