"""Test every output where only ids of a network may be shown, and its own embed after a click."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.domain.activity import ActivityKind
from aggregator.reader.visibility import EVERYTHING, PUBLIC, Audience
from storage.store import Store
from tests.building import add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.storage.stream.test_content_reduction import DESK, WORDS, a_post, a_repost, account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

    from tests.reader.serving import Reader

X_FRAMES = "https://platform.twitter.com"
NEWS = "Words of a feed"
PATHS = (
    "/",
    "/?kind=post",
    "/activities/1",
    "/activities/2",
    "/activities/2/card",
    "/activities/1/embed",
    "/activities/1.as2",
    "/api/v1/activities",
    "/api/v1/activities/1",
    "/api/v1/activities?collapse=story",
    "/api/v1/changes?after=0",
    "/api/v1/facets",
    "/feed.rss",
    "/feed.atom",
    "/feed.json",
    "/feed.as2?page=first",
    "/feed.rss?collapse=no",
    "/embed",
    "/embed/items",
)
AUDIENCES = {
    "public": PUBLIC,
    "with consent": Audience(consents=frozenset({"x"})),
    "with a token": EVERYTHING,
}


def fill(store: Store) -> None:
    """Store posts with all their content, as before the switch."""
    source = account(store)
    ingest_now(store, source, [a_post("1"), a_repost("3", a_post("2")), a_post("4", kind=ActivityKind.QUOTE)])
    ingest_now(store, add_source(store, "news"), [an_activity("n1", title=NEWS, text=NEWS, html=f"<p>{NEWS}</p>")])


def reduced(store: Store) -> Store:
    return Store(store.engine, ids_only=frozenset({"x"}))


@pytest.fixture(params=list(AUDIENCES))
def quiet(sqlite_store: Store, request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Serve stored content of X to an audience, to whom none of it may be shown."""
    fill(sqlite_store)
    app = app_of(reduced(sqlite_store), audience=AUDIENCES[request.param], embeddable=frozenset({"x"}))
    with serving(app) as reader:
        yield reader


@pytest.mark.parametrize("path", PATHS)
def test_no_output_has_words_of_a_post(quiet: Reader, path: str) -> None:
    answer = quiet.ask(path)
    assert answer.status == 200, answer.text
    assert WORDS not in answer.text
    assert f"{DESK.url}/status/" in answer.text.replace("\\/", "/") or "facets" in path


def test_other_networks_are_shown_as_before(quiet: Reader) -> None:
    for path in ("/", "/feed.rss", "/api/v1/activities", "/embed/items"):
        assert NEWS in quiet.ask(path).text


def test_the_api_has_id_and_permalink(quiet: Reader) -> None:
    for item in quiet.items("?kind=post,repost,quote"):
        assert item["url"] == f"{DESK.url}/status/{item['native_id']}"
        assert item["content_withheld"] is True
        for name in ("title", "text", "html", "actor", "object", "thread", "lang", "poll"):
            assert not item.get(name), name
        assert not any(item.get(name) for name in ("media", "links", "hashtags", "mentions"))


def test_the_change_feed_names_no_account(quiet: Reader) -> None:
    changes = quiet.ask("/api/v1/changes?after=0").json["changes"]
    assert [change for change in changes if change["type"] == "activity"]
    assert DESK.native_id not in {change["actor"]["id"] for change in changes if change["type"] == "actor"}
    assert "@desk" not in json.dumps([change for change in changes if change["type"] != "source"])


def test_the_embed_of_the_stream_links_posts(quiet: Reader) -> None:
    for path in ("/embed", "/embed/items"):
        html = quiet.ask(path).text
        assert f'<a href="{DESK.url}/status/1"' in html
        assert "data-frame" not in html
        assert "@desk" not in html


def test_the_card_names_kind_account_and_time_and_links_the_post(quiet: Reader) -> None:
    card = re.search(r"<article.*?</article>", quiet.ask("/activities/1").text, re.DOTALL)
    assert card is not None
    assert "A post on X by @desk" in card[0]
    assert re.search(r'<time datetime="2026-[^"]+"', card[0])
    link = re.search(r'<a class="button" href="([^"]+)"[^>]*data-frame="([^"]+)"[^>]*>([^<]+)</a>', card[0])
    assert link is not None
    assert link.groups() == (
        f"{DESK.url}/status/1",  # for browsers without scripts
        f"{X_FRAMES}/embed/Tweet.html?id=1&amp;dnt=true&amp;theme=light",
        "Show the post from X",
    )
    assert "<iframe" not in card[0]
    assert "<img" not in card[0]


def test_a_repost_shows_its_original_on_request(quiet: Reader) -> None:
    page = quiet.ask("/activities/2").text
    assert "A repost on X by @desk" in page
    assert "Tweet.html?id=2&amp;" in page


def test_only_this_mode_frames_x(quiet: Reader, sqlite_store: Store) -> None:
    framing = {part.split()[0]: part.split()[1:] for part in policy_of(quiet, "/").split(";") if part.strip()}
    assert X_FRAMES in framing["frame-src"]
    assert [name for name, sources in framing.items() if any("twitter" in source for source in sources)] == [
        "frame-src"
    ]
    assert "twitter" not in policy_of(quiet, "/embed")
    with serving(app_of(sqlite_store)) as full:
        assert "twitter" not in policy_of(full, "/")
        assert "embeds.js" not in full.ask("/").text


def policy_of(reader: Reader, path: str) -> str:
    return reader.ask(path).headers["content-security-policy"]


def test_searching_finds_no_words_after_the_removal(store: Store) -> None:
    fill(store)
    with reduced(store).writing() as tx:
        tx.stream.reduction.reduce(100)
    with serving(app_of(reduced(store))) as reader:
        assert reader.items(f"?q={WORDS}") == []


# In a browser. Nothing but loopback answers: requests to other hosts are recorded, and X's embed is a sample.

EMBED = """<!doctype html><title>Embed</title><p id="post">The post</p><button>Like</button><script>
const send = (height) => parent.postMessage(
  {"twttr.embed": {method: "twttr.private.resize", params: [{width: 550, height}]}}, "*");
send(321);
</script>"""


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """Open a page; give it with the addresses of all requests that leave this machine."""
    context = browser.new_context(**options)
    outside: list[str] = []

    def answer(route: Route) -> None:
        url = route.request.url
        if urlsplit(url).hostname == "127.0.0.1":
            route.continue_()
            return
        outside.append(url)
        if url.startswith(f"{X_FRAMES}/embed/Tweet.html?"):
            route.fulfill(body=EMBED, content_type="text/html")
        else:
            route.abort()

    context.route("**/*", answer)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    try:
        yield page, outside
        assert not complaints
    finally:
        context.close()


@pytest.fixture
def page_of_posts(sqlite_store: Store) -> Iterator[Reader]:
    """Serve posts of X alone, since pages show pictures of publishers."""
    ingest_now(sqlite_store, account(sqlite_store), [a_post("1"), a_repost("3", a_post("2"))])
    with serving(app_of(reduced(sqlite_store))) as reader:
        yield reader


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/", "/activities/1"])
def test_nothing_leaves_before_the_click(browser: Browser, page_of_posts: Reader, path: str) -> None:
    with opened(browser, page_of_posts.address + path) as (page, outside):
        page.locator(".on-request").first.scroll_into_view_if_needed()
        page.mouse.wheel(0, 5000)
        page.locator(".on-request a.button").first.hover()
        page.wait_for_load_state("networkidle")
        assert outside == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_click_loads_the_embed_of_that_post_alone(browser: Browser, page_of_posts: Reader, scheme: Any) -> None:
    with opened(browser, f"{page_of_posts.address}/activities/1", color_scheme=scheme) as (page, outside):
        page.get_by_text("Show the post from X").click()
        page.frame_locator("iframe.post-frame").get_by_text("The post").wait_for()
        assert outside == [f"{X_FRAMES}/embed/Tweet.html?id=1&dnt=true&theme={scheme}"]
        page.wait_for_function("document.querySelector('.post-frame').offsetHeight === 321")
        assert page.evaluate("document.activeElement.className") == "post-frame"
        assert page.get_by_title("A post on X by @desk").count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("key", ["Enter", " "], ids=["enter", "space"])
def test_a_key_loads_it_as_well(browser: Browser, page_of_posts: Reader, key: str) -> None:
    with opened(browser, f"{page_of_posts.address}/activities/2") as (page, outside):
        page.locator(".on-request a.button").focus()
        page.keyboard.press(key)
        page.frame_locator("iframe.post-frame").get_by_text("The post").wait_for()
        assert outside == [f"{X_FRAMES}/embed/Tweet.html?id=2&dnt=true&theme=light"]


@pytest.mark.browser
def test_the_height_follows_messages_of_that_origin_only(browser: Browser, page_of_posts: Reader) -> None:
    with opened(browser, f"{page_of_posts.address}/activities/1") as (page, _):
        page.get_by_text("Show the post from X").click()
        page.wait_for_function("document.querySelector('.post-frame').offsetHeight === 321")
        for forged in ({"height": 900}, json.dumps({"height": 901})):
            page.evaluate("(message) => window.postMessage(message, '*')", forged)
        frame = next(frame for frame in page.frames if frame.url.startswith(X_FRAMES))
        for ignored in ("not JSON", "null", '{"height": -5}', '{"height": "12"}', "[[[[[[[[{}]]]]]]]]"):
            frame.evaluate("(message) => parent.postMessage(message, '*')", ignored)
        frame.evaluate("send(444)")
        page.wait_for_function("document.querySelector('.post-frame').offsetHeight === 444")
        frame.evaluate("send(99999999)")
        page.wait_for_function("document.querySelector('.post-frame').offsetHeight === 4000")
        frame.evaluate("parent.postMessage(JSON.stringify({'twttr.embed': {params: [{height: 222}]}}), '*')")
        page.wait_for_function("document.querySelector('.post-frame').offsetHeight === 222")


@pytest.mark.browser
def test_without_scripts_it_is_a_link_to_the_post(browser: Browser, page_of_posts: Reader) -> None:
    options = {"java_script_enabled": False}
    with opened(browser, f"{page_of_posts.address}/activities/1", **options) as (page, outside):
        link = page.get_by_text("Show the post from X")
        assert link.get_attribute("href") == f"{DESK.url}/status/1"
        assert outside == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_card_is_accessible_and_fits(browser: Browser, page_of_posts: Reader, width: int, scheme: Any) -> None:
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with opened(browser, page_of_posts.address, **options) as (page, _):
        found = Axe().run(page)
        assert [violation["id"] for violation in found["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
