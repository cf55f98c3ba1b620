"""Test the sample upstream over HTTP: the news site, and content for the portal's page."""

from __future__ import annotations

import json
import time
import urllib.error
from xml.etree import ElementTree as ET

import pytest

from aggregator.demo import Upstream
from aggregator.demo.articles import Article
from aggregator.demo.portal import ENTRIES, RETWEETS
from aggregator.demo.texts import TEXTS
from aggregator.demo.world import Post, World
from aggregator.domain.errors import SetupError
from tests.demo.client import NOW, PORTAL_ID, SHARED, USERS, api, get
from tests.pictures import size_of

SEED = SHARED / "seed-page-2014.json"


def sample_world(seed: int = 0) -> World:
    world = World(lambda: NOW, seed)
    world.fill()
    return world


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
    world = sample_world()
    made = [world.publish() for _ in range(3 * len(TEXTS))]
    assert sum(isinstance(item, Article) for item in made) == len(made) // 2
    titles = [item.title for item in made if isinstance(item, Article)]
    assert len(set(titles)) == len(titles)
    kinds = {item.references[0][0] if item.references else "post" for item in made if isinstance(item, Post)}
    assert kinds == {"post", "retweeted", "quoted", "replied_to"}
    ids = [post.id for post in world.posts]
    assert ids == sorted(set(ids))


def test_same_seed_gives_the_same_world() -> None:
    assert sample_world(3).posts == sample_world(3).posts
    assert sample_world(3).posts != sample_world(4).posts


def test_start_is_full_but_fits_a_first_poll() -> None:
    world = sample_world()
    assert len([article for article in world.articles if article.is_sample]) >= 10
    assert 10 <= len(world.timeline(PORTAL_ID)) <= 20


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
    users = api(upstream, "/users", {"ids": f"{PORTAL_ID},150000005,150000006", **USERS}).json["data"]
    for address in [*pictures[:2], *(user["profile_image_url"] for user in users)]:
        picture = get(address)
        assert picture.headers["content-type"] == "image/png"
        assert size_of(picture.body)[0] == "PNG"
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
