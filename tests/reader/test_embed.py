"""Test the embed on a page of another origin with a strict content security policy: display, updates and safety."""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import brotli
import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.domain import networks
from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    Media,
    NewActivity,
    Original,
    Review,
)
from aggregator.domain.networks import LegalTerms, Network
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.reader.test_front_page import CONTRAST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from aggregator.domain.source import Source
    from storage.store import Store
    from tests.reader.serving import Reader

MINUTE = timedelta(minutes=1)
MOST = 10_000  # bytes of the script, compressed
HOSTILE = "</template><script>window.hit=1</script><img src=x onerror=window.hit=1>"


@dataclass
class Portal:
    """A page of another site."""

    address: str
    body: str = ""
    policy: str = ""


@contextmanager
def somebody_elses_page() -> Iterator[Portal]:
    portal = Portal("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f'<!doctype html><html lang="en"><title>A portal</title><main><h1>A portal</h1>{portal.body}</main>'
            self.send_response(200 if self.path == "/" else 204)  # a browser asks for an icon
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", portal.policy)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    portal.address = f"http://localhost:{server.server_address[1]}"
    try:
        yield portal
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def embedded(
    store: Store, browser: Browser, attributes: str = "", *, x_embed: bool = True, **options: Any
) -> Iterator[tuple[Page, list[str]]]:
    """Open a foreign page with the element, under the strictest policy; give the page and what it complains of."""
    with somebody_elses_page() as portal:
        app = app_of(store, cors_origins=(portal.address,), embeddable=frozenset({"x"}) if x_embed else frozenset())
        with serving(app, watching=True) as reader:
            here = reader.address
            portal.policy = (
                f"default-src 'none'; script-src {here}; connect-src {here}; img-src {here}; style-src {here}"
            )
            portal.body = (
                f'<script src="{here}/embed.js" defer></script>'
                f'<activity-stream heading="Latest" {attributes}><a href="{here}/">The stream</a></activity-stream>'
            )
            context = browser.new_context(**options)
            page = context.new_page()
            messages: list[str] = []
            page.on("console", lambda message: messages.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: messages.append(str(error)))
            page.goto(portal.address)
            try:
                yield page, messages
            finally:
                context.close()


def fill(store: Store) -> None:
    source = add_source(store)
    tweets = add_source(store, "x", "twitter")
    post = Content(
        kind=ActivityKind.POST,
        network="x",
        url="https://x.com/ana/status/1",
        actor=Actor("x", "1", "Ana", "ana", "https://x.com/ana"),
        text="A tweet",
        published=NOON - MINUTE,
    )
    ingest_now(store, tweets, [NewActivity("1", "x:1", post, entry_digest="1", raw=b"{}")])
    ingest_now(store, source, [an_activity(f"n{n}", published=NOON - (9 - n) * MINUTE) for n in range(6)])


@pytest.mark.browser
def test_pictures_come_from_the_reader_alone(sqlite_store: Store, browser: Browser) -> None:
    media = (Media("image", "https://pictures.example/1.png", alt="A hall"),)
    author = Actor("web", "1", "Ada", avatar="https://pictures.example/2.png")
    post = an_activity("1", kind=ActivityKind.POST, title=None, media=media, actor=author)
    ingest_now(sqlite_store, add_source(sqlite_store), [post])
    with embedded(sqlite_store, browser) as (page, content):
        page.locator("activity-stream .frame-of img").wait_for()
        images = page.locator("activity-stream img")
        assert images.count() == 2
        loaded = "(image) => image.decode().then(() => image.naturalWidth > 0)"
        for image in images.all():
            image.evaluate("(image) => (image.loading = 'eager')")
            assert image.evaluate(loaded)
        assert content == []


def titles(page: Page) -> list[str]:
    return page.locator("activity-stream .title").all_inner_texts()


def test_the_script_is_small() -> None:
    from importlib.resources import files

    script = files("aggregator.reader").joinpath("static/embed.js").read_bytes()

    assert len(gzip.compress(script)) < MOST
    assert len(brotli.compress(script)) < MOST


def test_the_files_may_be_used_by_anybody(empty_reader: Reader) -> None:
    for path, kind in (("/embed.js", "text/javascript"), ("/embed.css", "text/css")):
        answer = empty_reader.ask(path)
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "max-age=300" in answer.headers["cache-control"]
        again = empty_reader.ask(path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status == 304


@pytest.mark.browser
def test_it_shows_the_stream_and_what_comes_and_goes(sqlite_store: Store, browser: Browser) -> None:
    fill(sqlite_store)
    with embedded(sqlite_store, browser, 'limit="3"') as (page, content):
        page.locator("activity-stream .item").first.wait_for()
        assert page.locator("activity-stream .item").count() == 3
        assert page.locator("activity-stream .name").inner_text() == "@ana"  # name and handle are equal
        assert page.locator("activity-stream h2").inner_text() == "Latest"
        assert not page.get_by_text("The stream").is_visible()

        source = add_source(sqlite_store, "late")
        ingest_now(sqlite_store, source, [an_activity("late", title="Just in", published=NOON)])
        page.locator("activity-stream").get_by_text("Just in").wait_for(timeout=30_000)
        with sqlite_store.reading() as tx:
            late = tx.stream.activities.known(source.id, ["late"])["late"].id
        decide(sqlite_store, [late], Review.HIDDEN)
        page.locator("activity-stream").get_by_text("Just in").wait_for(state="detached", timeout=30_000)

        assert Axe().run(page)["violations"] == []
        assert content == []


@pytest.mark.slow
@pytest.mark.browser
def test_attributes_are_filters_and_may_change(sqlite_store: Store, browser: Browser) -> None:
    fill(sqlite_store)
    with embedded(sqlite_store, browser, 'kind="article" limit="2"') as (page, activities):
        page.locator("activity-stream .item").first.wait_for()
        assert titles(page) == ["Title n5", "Title n4"]
        page.evaluate("document.querySelector('activity-stream').setAttribute('limit', '4')")
        page.locator("activity-stream .item").nth(3).wait_for()
        page.evaluate("document.querySelector('activity-stream').remove()")
        page.wait_for_timeout(200)
        assert activities == []


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_legible_in_both_themes(sqlite_store: Store, browser: Browser, theme: str) -> None:
    fill(sqlite_store)
    with embedded(sqlite_store, browser, f'theme="{theme}"', viewport={"width": 390, "height": 800}) as (page, _):
        page.locator("activity-stream .item").first.wait_for()
        inside = CONTRAST.replace("document.body", "document.querySelector('activity-stream').shadowRoot")
        ratio, where = page.evaluate(inside)
        assert ratio >= 4.5, where
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.browser
def test_what_outsiders_wrote_runs_nowhere(sqlite_store: Store, browser: Browser) -> None:
    source = add_source(sqlite_store, name=HOSTILE)
    bad = an_activity("bad", title=HOSTILE, text=HOSTILE, url="https://news.example/x")
    ingest_now(sqlite_store, source, [bad])
    with embedded(sqlite_store, browser) as (page, result):
        page.locator("activity-stream .item").first.wait_for()
        assert page.evaluate("window.hit") is None
        assert HOSTILE in page.locator("activity-stream .title").inner_text()
        assert result == []


@pytest.mark.browser
def test_a_reader_that_is_away_leaves_no_empty_block(sqlite_store: Store, browser: Browser) -> None:
    fill(sqlite_store)
    with embedded(sqlite_store, browser) as (page, _):
        page.locator("activity-stream .item").first.wait_for()
        before = titles(page)
        page.route("**/embed/items*", lambda route: route.abort())
        page.evaluate("document.querySelector('activity-stream').setAttribute('limit', '2')")
        page.wait_for_timeout(800)
        assert titles(page) == before
        page.reload()
        page.get_by_text("The stream").wait_for()


@pytest.mark.browser
def test_a_frame_needs_no_script_and_obeys_who_may_frame_it(sqlite_store: Store, browser: Browser) -> None:
    fill(sqlite_store)
    with somebody_elses_page() as portal:
        with serving(app_of(sqlite_store, cors_origins=(portal.address,))) as reader:
            portal.policy = f"default-src 'none'; frame-src {reader.address}"
            portal.body = f'<iframe title="The stream" src="{reader.address}/embed?limit=2&heading=News"></iframe>'
            context = browser.new_context(java_script_enabled=False)
            page = context.new_page()
            page.goto(portal.address)
            frame = page.frame_locator("iframe")
            assert frame.locator(".item").count() == 2
            assert frame.locator("h1").inner_text() == "News"
            context.close()
            assert reader.ask("/embed?theme=pink").status == 400
            assert reader.ask("/embed?what=1").status == 400
            assert 'http-equiv="refresh"' not in reader.ask("/embed?refresh=no").text
        with serving(app_of(sqlite_store)) as closed:
            assert "frame-ancestors 'self'" in closed.ask("/embed").headers["content-security-policy"]
        with serving(app_of(sqlite_store, cors_origins=("*",))) as reader:
            assert "frame-ancestors *" in reader.ask("/embed").headers["content-security-policy"]
            assert "frame-ancestors 'self'" in reader.ask("/").headers["content-security-policy"]


WORDS, QUOTED, NAME = "Words of a tweet", "Words that it quotes", "Ana Public"
ON_X = "https://x.com/ana/status/"
AVATAR, PICTURE = "https://pbs.example/avatar", "https://pbs.example/picture"


def a_tweet(number: int, kind: ActivityKind, text: str) -> Content:
    return Content(
        kind=kind,
        network="x",
        url=f"{ON_X}{number}",
        actor=Actor("x", "1", NAME, "ana", "https://x.com/ana", AVATAR),
        text=text,
        html=f"<p>{text}</p>",
        media=(Media("image", PICTURE),),
        published=NOON - MINUTE,
    )


def _source(store: Store, slug: str, kind: str) -> Source:
    with store.reading() as tx:
        known = tx.polling.sources.get(slug)
    return known or add_source(store, slug, kind)


# A network that no kind declares allows nothing.
HARBOR = Network("harbor", "Harbor", terms=LegalTerms(public_text=True, embeddable=True, edits_replace=False))


def fill_with_tweets(store: Store) -> None:
    """Add each way in which a post on X reaches the stream."""
    tweets, news = _source(store, "x", "twitter"), _source(store, "news", "rss")
    networks.register("toots", [HARBOR])
    quoted = Original("x:90", "90", a_tweet(90, ActivityKind.POST, QUOTED))
    for number, kind in enumerate(ActivityKind):
        has_object = kind in {ActivityKind.REPOST, ActivityKind.QUOTE}
        new = NewActivity(f"{number}", f"x:{number}", a_tweet(number, kind, WORDS), entry_digest="1", raw=b"{}")
        ingest_now(store, tweets, [replace(new, object=quoted if has_object else None)])
    for kind in (ActivityKind.REPOST, ActivityKind.QUOTE):
        shared = an_activity(f"shared-{kind}", kind=kind, network="harbor", text="Words of a toot", html="")
        ingest_now(store, news, [replace(shared, object=quoted, object_key="x:90")])
    article = an_activity("about", title="An article about it", url="https://news.example/about")
    ingest_now(store, news, [article])


@pytest.mark.parametrize("path", ["/embed?limit=50", "/embed/items?limit=50", "/embed?network=x", "/embed?kind=quote"])
def test_posts_on_x_are_a_link_in_frame_and_element(sqlite_store: Store, path: str) -> None:
    fill_with_tweets(sqlite_store)
    with serving(app_of(sqlite_store)) as reader:
        page = reader.ask(path).text
    assert ON_X in page
    assert "on X by <bdi>@ana</bdi>" in page
    assert [word for word in (WORDS, QUOTED, NAME, AVATAR, PICTURE, "/avatars?", "/pictures/") if word in page] == []


def test_posts_on_x_are_shown_where_x_has_agreed(sqlite_store: Store) -> None:
    fill_with_tweets(sqlite_store)
    with serving(app_of(sqlite_store, embeddable=frozenset({"x"}))) as reader:
        page = reader.ask("/embed?limit=50").text
    assert [word for word in (WORDS, QUOTED, NAME, "/avatars?", "/pictures/") if word not in page] == []
    assert "View on X" in page


@pytest.mark.browser
def test_posts_on_x_stay_a_link_when_they_arrive(sqlite_store: Store, browser: Browser) -> None:
    fill(sqlite_store)
    with embedded(sqlite_store, browser, 'limit="20"', x_embed=False) as (page, content):
        page.locator("activity-stream .item").first.wait_for()
        fill_with_tweets(sqlite_store)
        page.locator("activity-stream .pointer").nth(8).wait_for(timeout=30_000)
        shown = page.locator("activity-stream .stream").inner_text()
        assert "Words of a toot" in shown
        assert [word for word in (WORDS, QUOTED, NAME) if word in shown] == []
        assert page.locator("activity-stream img").count() == 0
        assert content == []
