"""Test the pages in headless Chromium: phone and desktop, light and dark, with and without scripts."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.domain.activity import ActivityKind, Link, Review
from aggregator.text.urls import web_key
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader import specimens
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from storage.store import Store
    from tests.reader.serving import Reader

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.browser

# The least contrast of all visible text with the ground it stands on, and where it is.
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a > 0.7) return [r, g, b];
    }
    return [255, 255, 255];
  };
  let least = [99, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const box = element.getBoundingClientRect();
    if (!walker.currentNode.data.trim() || box.width < 2 || box.height < 2) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color).slice(0, 3)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least[0]) least = [ratio, `${element.className || element.tagName}: ${walker.currentNode.data.trim()}`];
  }
  return least;
}"""

# How far things moved while the page loaded and was scrolled to its end.
SHIFT = """async () => {
  let moved = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => { moved += entry.value; }))
    .observe({ type: "layout-shift", buffered: true });
  for (let y = 0; y < document.body.scrollHeight; y += 300) {
    scrollTo(0, y);
    await new Promise((done) => setTimeout(done, 20));
  }
  await Promise.all(Array.from(document.images, (image) => image.complete || new Promise((done) => {
    image.onload = image.onerror = done;
  })));
  await new Promise((done) => setTimeout(done, 50));
  return moved;
}"""


@dataclass
class Sight:
    """A page, and everything that it complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Sight]:
    context = browser.new_context(**options)
    context.set_default_timeout(30_000)
    sight = Sight(context.new_page())
    sight.page.on("console", lambda message: sight.complaints.append(f"{message.type}: {message.text}"))
    sight.page.on("pageerror", lambda error: sight.complaints.append(f"error: {error}"))
    sight.page.goto(address, wait_until="load")
    try:
        yield sight
    finally:
        context.close()


@pytest.fixture
def filled(sqlite_store: Store, sqlite_reader: Reader, pictures: str) -> Reader:
    """Give a reader of a stream with every kind of item, a failing source and text that is hard to fit."""
    specimens.fill(sqlite_store, pictures)
    source = add_source(sqlite_store, "long", name="A" + "wkward" * 30)
    long = an_activity("long", title="Donaudampfschifffahrt" * 12, text="https://example.org/" + "x" * 300, html="")
    ingest_now(sqlite_store, source, [long])
    return sqlite_reader


@pytest.mark.parametrize(
    ("path", "width"),
    [
        pytest.param(path, width, marks=[pytest.mark.slow] if (path, width) == ("/docs", 1280) else [])
        for path in ("/", "/activities/1", "/activities/9", "/docs")
        for width in (360, 1280)
    ],
)
def test_pages_fit_are_legible_and_complain_of_nothing(browser: Browser, filled: Reader, path: str, width: int) -> None:
    with opened(browser, filled.address + path, viewport={"width": width, "height": 800}) as sight:
        moved = sight.page.evaluate(SHIFT)
        needed = sight.page.evaluate("document.scrollingElement.scrollWidth")
        sight.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        light, light_at = sight.page.evaluate(CONTRAST)
        sight.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        dark, dark_at = sight.page.evaluate(CONTRAST)

    assert sight.complaints == []
    assert needed <= width
    assert moved < 0.01
    assert light >= 4.5, light_at
    assert dark >= 4.5, dark_at


def test_light_and_dark_differ(browser: Browser, filled: Reader) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        with opened(browser, filled.address, color_scheme=scheme) as sight:
            grounds.append(sight.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert grounds[0] != grounds[1]


def test_everything_works_without_script(browser: Browser, sqlite_store: Store, sqlite_reader: Reader) -> None:
    activities = [an_activity(f"n{n:02}") for n in range(25)]
    ingest_now(sqlite_store, add_source(sqlite_store), activities)

    with opened(browser, sqlite_reader.address, java_script_enabled=False) as sight:
        first = sight.page.locator("article h3").all_inner_texts()
        sight.page.get_by_role("link", name="Older items").click()
        second = sight.page.locator("article h3").all_inner_texts()
        sight.page.get_by_role("searchbox", name="Search").fill("nowhere")
        sight.page.get_by_role("button", name="Search").click()
        empty = sight.page.get_by_role("heading", name="No results for “nowhere”").count()

    assert first + second == [f"Title n{n:02}" for n in reversed(range(25))]
    assert empty == 1


def test_new_items_come_without_a_reload_and_go_when_they_are_hidden(browser: Browser, store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("a", text="Long. " * 400)])
    titles = "article h3"

    with serving(app_of(store), watching=True) as reader, opened(browser, reader.address) as sight:
        page = sight.page
        page.evaluate("window.sameness = 1")
        ingest_now(store, source, [an_activity("b", published=NOON + MINUTE)])
        page.locator(titles).get_by_text("Title b").wait_for(timeout=30_000)
        assert page.locator(titles).all_inner_texts() == ["Title b", "Title a"]

        page.set_viewport_size({"width": 400, "height": 200})
        page.evaluate("scrollTo(0, 300)")  # new items must not move the page while reading
        ingest_now(store, source, [an_activity(name, published=NOON + 2 * MINUTE) for name in ("c", "d")])
        page.get_by_role("link", name="Show 2 new items").click()
        assert page.locator(titles).all_inner_texts() == ["Title d", "Title c", "Title b", "Title a"]

        ingest_now(store, source, [an_activity("b", title="Edited b", published=NOON + MINUTE)])
        page.locator(titles).get_by_text("Edited b").wait_for(timeout=30_000)
        hidden = next(item["id"] for item in reader.items() if item["native_id"] == "c")
        decide(store, [int(hidden)], Review.HIDDEN)
        page.locator(titles).get_by_text("Title c").wait_for(state="detached", timeout=30_000)
        assert page.locator(titles).all_inner_texts() == ["Title d", "Edited b", "Title a"]
        assert page.evaluate("window.sameness") == 1

    assert sight.complaints == []


@pytest.mark.parametrize("first", ["article", "post"])
def test_a_new_item_of_a_shown_story_is_a_part_of_one_card(browser: Browser, sqlite_store: Store, first: str) -> None:
    link, words = "https://news.example/plan", {"text": "Our plan", "html": "<p>Our plan</p>"}
    post = an_activity("post", kind=ActivityKind.POST, network="x", title=None, links=(Link(link),), **words)
    article = replace(an_activity("article", url=link, title="The plan"), key=web_key(link))
    sources = {"article": add_source(sqlite_store), "post": add_source(sqlite_store, "ana", "twitter")}
    items = {"article": article, "post": replace(post, key="x:7")}
    second = "post" if first == "article" else "article"
    state = "(cards) => cards.map((card) => [card.dataset.id, card.dataset.others])"
    ingest_now(sqlite_store, sources[first], [items[first]])

    with serving(app_of(sqlite_store), watching=True) as reader, opened(browser, reader.address) as sight:
        cards = sight.page.locator("article[data-id]")
        assert cards.count() == 1
        ingest_now(sqlite_store, sources[second], [items[second]])
        sight.page.locator("article[data-others]").wait_for(timeout=30_000)
        live = cards.evaluate_all(state)
        sight.page.reload()
        assert cards.evaluate_all(state) == live
        assert len(live) == 1

        sight.page.goto(f"{reader.address}/?collapse=none")
        late = replace(items["post"], native_id="late", key="x:8")
        ingest_now(sqlite_store, sources["post"], [late])
        cards.nth(2).wait_for(timeout=30_000)

    assert sight.complaints == []


# What 'make test' looks at; 'make test-long' looks at the rest.
AXE_FIRST = {("/", "light"), ("/", "dark"), ("/?q=plan", "light"), ("/activities/1", "light")}


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        pytest.param(path, scheme, marks=[] if (path, scheme) in AXE_FIRST else [pytest.mark.slow])
        for path in ("/", "/?q=plan", "/docs", "/activities/1", "/nothing")
        for scheme in ("light", "dark")
    ],
)
def test_axe_finds_nothing(browser: Browser, filled: Reader, path: str, scheme: str) -> None:
    with opened(browser, filled.address + path, color_scheme=scheme) as sight:
        found = Axe().run(sight.page)
        assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found["violations"]] == []


def test_keyboard_focus_is_visible_and_begins_with_a_way_past_the_header(browser: Browser, filled: Reader) -> None:
    focus = """() => {
      const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
      const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      return [at.textContent.trim(), outlined && box.top >= 0];
    }"""
    with opened(browser, filled.address) as sight:
        seen = []
        for _ in range(30):
            sight.page.keyboard.press("Tab")
            seen.append(sight.page.evaluate(focus))

    assert seen[0][0] == "Skip to content"
    assert [text for text, visible in seen if not visible] == []


def test_landmarks_and_headings_are_in_order(browser: Browser, filled: Reader) -> None:
    with opened(browser, filled.address) as sight:
        levels = sight.page.evaluate(
            "Array.from(document.querySelectorAll('h1,h2,h3,h4'), (heading) => Number(heading.tagName[1]))"
        )
        landmarks = {role: sight.page.get_by_role(role).count() for role in ("banner", "main", "contentinfo")}
        unnamed = sight.page.evaluate(
            "Array.from(document.querySelectorAll('a')).filter((a) => !a.ariaHidden && !a.textContent.trim() "
            "&& !a.querySelector('img[alt]:not([alt=\"\"])')).map((a) => a.outerHTML)"
        )
        ids = sight.page.evaluate("Array.from(document.querySelectorAll('[id]'), (element) => element.id)")

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert landmarks == {"banner": 1, "main": 1, "contentinfo": 1}
    assert unnamed == []
    assert len(ids) == len(set(ids))


def test_markup_that_slipped_past_the_sanitiser_runs_nothing(
    browser: Browser, sqlite_store: Store, sqlite_reader: Reader
) -> None:
    markup = (
        "<script>window.ran = 1</script><img src='/nothing' onerror='window.ran = 2'>"
        "<iframe srcdoc='<script>parent.ran = 3</script>'></iframe><a id=x href='javascript:window.ran=4'>x</a>"
        "<style>body { display: none }</style><base href='https://elsewhere.example/'>"
    )
    activity = an_activity(html=markup, title=None)
    ingest_now(sqlite_store, add_source(sqlite_store), [activity])

    with opened(browser, f"{sqlite_reader.address}/activities/1") as sight:
        sight.page.evaluate("document.getElementById('x').click()")
        sight.page.wait_for_timeout(200)
        ran = sight.page.evaluate("window.ran")
        display = sight.page.evaluate("getComputedStyle(document.body).display")
        base = sight.page.evaluate("document.baseURI")

    assert ran is None
    assert display != "none"
    assert base.startswith(sqlite_reader.address)
    assert any("Content Security Policy" in complaint for complaint in sight.complaints)
