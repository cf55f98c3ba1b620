"""Test the sample upstream over HTTP: X's contract, the news site, and content for the portal's page."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from aggregator.demo import SAMPLE_TOKEN, Upstream, create_upstream
from aggregator.demo.portal import ENTRIES, RETWEETS
from aggregator.demo.texts import TEXTS
from aggregator.demo.world import LONGEST_RETWEET, LONGEST_TEXT, Article, Post, World
from aggregator.domain.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
CONTRACT = SHARED / "x-openapi-2.166.json"
SEED = SHARED / "seed-page-2014.json"
PORTAL_ID = "150000001"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
EVERYTHING = {
    "tweet.fields": "id,text,created_at,author_id,conversation_id,in_reply_to_user_id,referenced_tweets,entities,"
    "attachments,public_metrics,lang,possibly_sensitive,withheld,edit_controls,edit_history_tweet_ids,note_tweet",
    "expansions": "author_id,referenced_tweets.id,referenced_tweets.id.author_id,attachments.media_keys,"
    "referenced_tweets.id.attachments.media_keys,in_reply_to_user_id",
    "media.fields": "media_key,type,url,preview_image_url,alt_text,width,height,duration_ms,variants",
    "user.fields": "id,name,username,profile_image_url,verified,verified_type,protected,withheld,url,description",
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def get(url: str, headers: dict[str, str] | None = None, **params: str | int) -> Answer:
    request = urllib.request.Request(f"{url}?{urlencode(params)}" if params else url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


def api(upstream: Upstream, path: str, params: dict[str, Any] | None = None, token: str = SAMPLE_TOKEN) -> Answer:
    return get(f"{upstream.url}/2{path}", {"Authorization": f"Bearer {token}"}, **(params or {}))


def timeline(upstream: Upstream, **params: Any) -> Answer:
    return api(upstream, f"/users/{PORTAL_ID}/tweets", params)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    app = create_upstream(lambda: NOW)
    with Upstream(every=0, app=app) as running:
        for _ in range(60):
            running.world.publish()
        yield running


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    if not CONTRACT.is_file():
        # X's terms don't allow a copy in this project; the shapes themselves are tested without it.
        pytest.skip("X's API description is not beside this checkout")
    found: dict[str, Any] = json.loads(CONTRACT.read_text("utf-8"))
    return found


def assert_valid(contract: dict[str, Any], name: str, body: dict[str, Any]) -> None:
    whole = {"$ref": f"#/components/schemas/{name}", "components": contract["components"]}
    problems = [f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(whole).iter_errors(body)]
    assert problems == []


# X's contract


def test_answers_are_valid_by_xs_own_description(upstream: Upstream, contract: dict[str, Any]) -> None:
    whole = timeline(upstream, max_results=100, **EVERYTHING).json
    assert set(whole["includes"]) == {"users", "tweets", "media"}
    assert_valid(contract, "Get2UsersIdTweetsResponse", whole)
    assert_valid(contract, "Get2UsersIdTweetsResponse", timeline(upstream).json)
    user = api(upstream, "/users/by/username/OpenGovHub", {"user.fields": EVERYTHING["user.fields"]}).json
    assert_valid(contract, "Get2UsersByUsernameUsernameResponse", user)
    assert_valid(contract, "Get2UsersResponse", api(upstream, "/users", {"ids": "150000001,150000002,9"}).json)
    missing = api(upstream, "/users/by/username/nobody_zz").json
    assert_valid(contract, "ResourceNotFoundProblem", missing["errors"][0])
    assert_valid(contract, "InvalidRequestProblem", timeline(upstream, max_results=4).json)


def test_only_what_was_asked_for_is_there(upstream: Upstream) -> None:
    bare = timeline(upstream).json
    assert set(bare) == {"data", "meta"}
    assert {frozenset(post) for post in bare["data"]} == {frozenset({"id", "text", "edit_history_tweet_ids"})}
    users = timeline(upstream, expansions="author_id").json["includes"]
    assert set(users) == {"users"}
    assert set(users["users"][0]) == {"id", "name", "username"}


def test_missing_user_is_a_success_with_errors(upstream: Upstream) -> None:
    for path in ("/users/by/username/nobody_zz", "/users/404", "/users/404/tweets"):
        answer = api(upstream, path)
        assert answer.status == 200
        assert set(answer.json) == {"errors"}


def test_handles_are_found_in_any_case(upstream: Upstream) -> None:
    assert api(upstream, "/users/by/username/OPENGOVPART").json["data"]["id"] == PORTAL_ID


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
def test_parameters_that_x_refuses(upstream: Upstream, params: dict[str, Any]) -> None:
    answer = timeline(upstream, **params)
    assert answer.status == 400
    assert next(iter(params)) in answer.json["errors"][0]["parameters"]


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


def test_exclude(upstream: Upstream) -> None:
    whole = {"max_results": 100, "tweet.fields": "referenced_tweets"}
    kept = timeline(upstream, exclude="retweets,replies", **whole).json["data"]
    assert kept
    assert {ref["type"] for post in kept for ref in post.get("referenced_tweets", [])} == {"quoted"}


def test_token_is_asked_for(upstream: Upstream) -> None:
    answer = api(upstream, "/users/150000001", token="another")
    assert (answer.status, answer.json["title"]) == (401, "Unauthorized")


def test_rate_limit_is_real() -> None:
    with Upstream(every=0, app=create_upstream(lambda: NOW, rate_limit=2)) as limited:
        answers = [timeline(limited) for _ in range(3)]
        other = api(limited, "/users/150000001")
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-rate-limit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert datetime.fromtimestamp(int(answers[2].headers["x-rate-limit-reset"]), UTC) > NOW
    assert other.status == 200  # each endpoint has its own window


def test_entities_stand_where_they_say(upstream: Upstream) -> None:
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


# Content of the sample world


def test_everything_that_is_not_from_the_page_is_marked_as_sample(upstream: Upstream) -> None:
    bodies = {retweet.body for retweet in RETWEETS}
    passed_on = {f"RT @{retweet.author}: {retweet.body}" for retweet in RETWEETS}
    posts = [post for post in upstream.world.posts if post.text not in bodies | passed_on]
    assert len(upstream.world.posts) - len(posts) == 6
    assert all("(sample)" in post.text or post.text.startswith("RT @sample_") for post in posts)
    for article in upstream.world.articles:
        assert article.is_sample == ("(sample" in (article.title or ""))


def test_texts_are_many_and_in_several_languages() -> None:
    assert len(set(TEXTS)) == len(TEXTS) >= 40
    assert len({text.lang for text in TEXTS}) >= 5
    assert all(len(f"{text.title}. {text.sentence}") < 200 for text in TEXTS)


def test_items_alternate_and_repeat_only_with_a_number() -> None:
    world = World(lambda: NOW)
    made = [world.publish() for _ in range(3 * len(TEXTS))]
    assert sum(isinstance(item, Article) for item in made) == len(made) // 2
    titles = [item.title for item in made if isinstance(item, Article)]
    assert len(set(titles)) == len(titles)
    kinds = {item.references[0][0] if item.references else "post" for item in made if isinstance(item, Post)}
    assert kinds == {"post", "retweeted", "quoted", "replied_to"}
    ids = [post.id for post in world.posts]
    assert ids == sorted(set(ids))


def test_same_seed_gives_the_same_world() -> None:
    assert World(lambda: NOW, 3).posts == World(lambda: NOW, 3).posts
    assert World(lambda: NOW, 3).posts != World(lambda: NOW, 4).posts


def test_start_is_full_but_fits_a_first_poll() -> None:
    world = World(lambda: NOW)
    assert len([article for article in world.articles if article.is_sample]) >= 10
    assert 10 <= len(world.timeline(PORTAL_ID)) <= 20


def test_retweets_are_cut_and_long_posts_have_their_whole(upstream: Upstream) -> None:
    page = timeline(upstream, max_results=100, **EVERYTHING).json
    retweets = [post for post in page["data"] if post["text"].startswith("RT @")]
    assert any(post["text"].endswith("…") for post in retweets)
    longs = [post for post in page["includes"]["tweets"] if "note_tweet" in post]
    assert longs
    assert all(len(post["note_tweet"]["text"]) > LONGEST_TEXT for post in longs)
    by_id = {post.id: post for post in upstream.world.posts}
    assert all(len(by_id[int(post["id"])].text) <= LONGEST_RETWEET for post in retweets)


@pytest.mark.skipif(not SEED.is_file(), reason="the portal's page is not beside this checkout")
def test_portal_items_are_those_of_the_page() -> None:
    seed = json.loads(SEED.read_text("utf-8"))["activities"]
    tweets = {(t["retweeted_author"]["handle"], t["body"]) for t in seed if t["kind"] == "microblog_post"}
    assert {(retweet.author, retweet.body) for retweet in RETWEETS} == tweets
    news = [(a["text"], a["posted_date"]) for a in seed if a["kind"] in {"event", "news"}]
    assert [(e.text, f"{e.posted:%Y-%m-%d}") for e in ENTRIES if e.posted] == news
    assert [e.title for e in ENTRIES if not e.posted] == [a["title"] for a in seed if a["kind"] == "video"]


# The news site


def test_feed_is_conditional_and_changes_with_the_news() -> None:
    with Upstream(every=0) as fresh:
        address = f"{fresh.url}/news.xml"
        first = get(address)
        assert first.headers["content-type"].startswith("application/rss+xml")
        assert first.headers["cache-control"]
        assert get(address, {"If-None-Match": first.headers["etag"]}).status == 304
        assert get(address, {"If-Modified-Since": first.headers["last-modified"]}).status == 304
        while not isinstance(fresh.world.publish(), Article):
            pass
        later = get(address, {"If-None-Match": first.headers["etag"]})
    assert later.status == 200
    assert len(ET.fromstring(later.body).findall(".//item")) == len(ET.fromstring(first.body).findall(".//item")) + 1


def test_feeds_hold_the_page_and_the_samples(upstream: Upstream) -> None:
    items = ET.fromstring(get(f"{upstream.url}/news.xml").body).findall(".//item")
    descriptions = [item.findtext("description") or "" for item in items]
    for entry in ENTRIES:
        if entry.posted:
            assert sum(entry.text.replace("'", "&#x27;") in words for words in descriptions) == 1
    assert [item.findtext("title") for item in items].count("London Summit Video 2013") == 1
    atom = ET.fromstring(get(f"{upstream.url}/news.atom").body)
    assert len(atom.findall("{http://www.w3.org/2005/Atom}entry")) == len(items)
    guids = [item.findtext("guid") for item in items]
    assert len(set(guids)) == len(guids)


def test_links_pictures_and_avatars_lead_somewhere(upstream: Upstream) -> None:
    feed = ET.fromstring(get(f"{upstream.url}/news.xml").body)
    for link in [item.findtext("link") or "" for item in feed.findall(".//item")][:5]:
        page = get(link)
        assert page.status == 200
        assert b"sample" in page.body
    pictures = [found.attrib["url"] for found in feed.iter("{http://search.yahoo.com/mrss/}content")]
    users = timeline(upstream, max_results=100, **EVERYTHING).json["includes"]["users"]
    for address in [*pictures[:2], *(user["profile_image_url"] for user in users)]:
        picture = get(address)
        assert picture.headers["content-type"] == "image/svg+xml"
        assert ET.fromstring(picture.body).tag.endswith("svg")
    assert b"of April 2014" in get(f"{upstream.url}/articles/portal-news-2").body


def test_front_page_announces_the_feeds(upstream: Upstream) -> None:
    front = get(f"{upstream.url}/").body.decode()
    for name, type_ in (("news.xml", "rss"), ("news.atom", "atom")):
        assert f'<link rel="alternate" type="application/{type_}+xml"' in front
        assert f'href="{upstream.url}/{name}"' in front


# The runner


def test_it_publishes_by_itself_and_stops_at_once() -> None:
    running = Upstream(every=0.02)
    running.start()
    count = len(running.world.posts) + len(running.world.articles)
    until = time.monotonic() + 30
    while len(running.world.posts) + len(running.world.articles) == count:
        assert time.monotonic() < until
        time.sleep(0.01)
    address = running.url
    began = time.monotonic()
    running.stop()
    assert time.monotonic() - began < 30
    with pytest.raises(urllib.error.URLError):
        get(address)
    running.stop()


def test_taken_port_is_said() -> None:
    with Upstream(every=0) as first, pytest.raises(SetupError, match="can't listen"):
        Upstream(every=0, port=int(first.url.rpartition(":")[2])).start()
