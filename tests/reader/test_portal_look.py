"""Test in Chromium that the portal page has no holes, and that its parts can be seen and touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.config.portal_folder import Configuration
from aggregator.demo.configuration import write_configuration
from aggregator.domain.activity import ActivityKind, Actor, Media, Occasion
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.reader.test_frame_files import LOGO, PORTAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwright.sync_api import Browser, Page

    from aggregator.domain.activity import NewActivity
    from storage.store import Store

pytestmark = pytest.mark.browser

SAMPLE = Path(__file__).parents[2] / "config"
COUNCIL = Actor("mastodon", "1", "City Council", "council", "https://social.example/@council")
HOUR = timedelta(hours=1)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

# The share of the page below the heading that blocks cover, and the blocks that leave a part of their row empty.
COVERED = """() => {
  const main = document.querySelector("main.portal");
  const box = (element) => element.getBoundingClientRect();
  const blocks = Array.from(main.querySelectorAll(".block"), (block) => {
    const { left, right, top } = box(block);
    const bottom = Math.max(...Array.from(block.children, (child) => box(child).bottom));
    return { left, right, top, bottom };
  });
  const rows = Array.from(main.children).filter((child) => !child.matches(".welcome, h1"));
  const left = Math.min(...rows.map((row) => box(row).left)), right = Math.max(...rows.map((row) => box(row).right));
  const top = Math.min(...rows.map((row) => box(row).top)), bottom = Math.max(...rows.map((row) => box(row).bottom));
  const gaps = 36 * (rows.length - 1) * (right - left);
  const covered = blocks.reduce((sum, block) => sum + (block.right - block.left) * (block.bottom - block.top), gaps);
  const reached = Array.from(main.querySelectorAll(".row-block")).map((block) => {
    const parts = block.querySelectorAll(".flow > *, .flow .entry, .principles > li, .map");
    const end = Math.max(...Array.from(parts, (part) => box(part).right));
    return parts.length ? (end - box(block).left) / (box(block).right - box(block).left) : 1;
  });
  return [covered / ((right - left) * (bottom - top)), Math.min(1, ...reached)];
}"""
TARGETS = """() => Array.from(document.querySelectorAll("a, button, summary, input:not([type=hidden]), select"))
  .filter((element) => element.checkVisibility() && !element.matches(".skip, .skip-map")
    && !element.closest(".words, .map, p.lead, .context, .fact, .count"))
  .map((element) => [element.outerHTML.slice(0, 120), element.getBoundingClientRect()])
  .filter(([, box]) => box.height < 23.5 || box.width < 23.5)
  .map(([html, box]) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`)"""


def news(count: int) -> list[NewActivity]:
    text = "The ministry has published the budget in machine-readable form, for all who compare plans. " * 2
    return [an_activity(f"n{n}", title=f"Budget {n}", text=text, published=NOON - 5 * n * HOUR) for n in range(count)]


def posts(count: int) -> list[NewActivity]:
    made = [
        an_activity(
            f"p{n}",
            kind=ActivityKind.POST,
            network="mastodon",
            actor=COUNCIL,
            title=None,
            text=f"Post {n}: the hearing on open data begins at ten, all are welcome to take part.",
            html="",
            url=f"https://social.example/@council/{n}",
            published=NOON - (3 * n + 1) * HOUR,
        )
        for n in range(count)
    ]
    return [replace(item, key=f"mastodon:{item.native_id}") for item in made]


def events(count: int) -> list[NewActivity]:
    def at(number: int) -> Occasion:
        start = NOON + timedelta(days=3 * number - 4)
        return Occasion(start, start + HOUR, None, "Town hall")

    return [
        an_activity(f"e{n}", kind=ActivityKind.EVENT, title=f"Hearing {n}", published=NOON - 7 * n * HOUR, event=at(n))
        for n in range(count)
    ]


def videos(count: int) -> list[NewActivity]:
    address = "https://www.youtube.com/watch?v=abcdefghij"
    return [
        an_activity(f"v{n}", kind=ActivityKind.VIDEO, url=f"{address}{n}", published=NOON - 9 * n * HOUR)
        for n in range(count)
    ]


MIXES: dict[str, Sequence[Callable[[int], list[NewActivity]]]] = {
    "news": [news],
    "posts": [posts],
    "events": [events],
    "videos": [videos],
    "news-posts": [news, posts],
    "news-events": [news, events],
    "posts-videos": [posts, videos],
    "all": [news, posts, events, videos],
}


def opened(browser: Browser, address: str, width: int, **options: Any) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 844 if width < 500 else 900}, **options)
    page.goto(address)
    return page


@pytest.mark.parametrize("count", [1, 3, 15])
@pytest.mark.parametrize("mix", sorted(MIXES))
def test_no_column_stays_empty_whatever_the_sources_publish(
    sqlite_store: Store, browser: Browser, mix: str, count: int
) -> None:
    for place, make in enumerate(MIXES[mix]):
        ingest_now(sqlite_store, add_source(sqlite_store, f"source-{place}", name=f"Source {place}"), make(count))
    with serving(app_of(sqlite_store, configuration=Configuration(SAMPLE))) as reader:
        for width in (390, 768, 1440):
            page = opened(browser, reader.address, width)
            covered, reached = page.evaluate(COVERED)
            assert covered >= 0.7, (width, covered)
            assert reached >= 0.9, (width, reached)
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            page.close()


@pytest.mark.parametrize(("width", "fold"), [(390, 844), (1440, 900)])
def test_the_stream_begins_above_the_fold_and_the_map_is_last(
    sqlite_store: Store, tmp_path: Path, browser: Browser, width: int, fold: int
) -> None:
    for place, make in enumerate(MIXES["all"]):
        ingest_now(sqlite_store, add_source(sqlite_store, f"source-{place}"), make(5))
    folder = write_configuration(tmp_path)
    text = (folder / "portal.toml").read_text("utf-8")
    begin, _, rest = text.partition("[[block]]")
    blocks = rest.split("[[block]]")
    (folder / "portal.toml").write_text("[[block]]".join([begin, blocks[-1] + "\n", *blocks[:-1]]), "utf-8")
    with serving(app_of(sqlite_store, configuration=Configuration(folder))) as reader:
        page = opened(browser, reader.address, width)
        assert page.locator(".stream .card").first.bounding_box()["y"] < fold - 50  # type: ignore[index]
        tops = page.eval_on_selector_all(".block", "all => all.map((block) => block.getBoundingClientRect().top)")
        is_map = page.eval_on_selector_all(".block", "all => all.map((block) => block.matches('.block-countries'))")
        assert is_map[tops.index(max(tops))]
        page.close()


@pytest.mark.parametrize("path", ["/", "/?q=budget", "/activities/1"])
def test_targets_have_24_pixels(sqlite_store: Store, tmp_path: Path, browser: Browser, path: str) -> None:
    for place, make in enumerate(MIXES["all"]):
        ingest_now(sqlite_store, add_source(sqlite_store, f"source-{place}"), make(5))
    with serving(app_of(sqlite_store, configuration=Configuration(write_configuration(tmp_path)))) as reader:
        page = opened(browser, reader.address + path, 390)
        page.eval_on_selector_all("details", "all => all.forEach((part) => { part.open = true; })")
        assert page.evaluate(TARGETS) == []
        page.close()


def test_swatches_of_the_legend_are_seen_in_forced_colors(
    sqlite_store: Store, tmp_path: Path, browser: Browser
) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), news(1))
    with serving(app_of(sqlite_store, configuration=Configuration(write_configuration(tmp_path)))) as reader:
        page = opened(browser, reader.address, 1440, forced_colors="active")
        colors = page.eval_on_selector_all(
            ".legend .key", "all => all.map((key) => getComputedStyle(key).backgroundColor)"
        )
        assert len(set(colors)) == 4
        page.close()


def test_a_gallery_says_how_many_pictures_there_are_and_the_item_has_all(
    sqlite_store: Store, browser: Browser, pictures: str
) -> None:
    media = tuple(Media("image", f"{pictures}/{n}", f"Picture {n}") for n in range(40))
    [item] = posts(1)
    ingest_now(sqlite_store, add_source(sqlite_store), [replace(item, content=replace(item.content, media=media))])
    with serving(app_of(sqlite_store)) as reader:
        page = opened(browser, reader.address, 1440)
        assert page.locator(".gallery img").count() == 4
        page.get_by_role("link", name="See all 40 pictures").click()
        assert page.locator(".gallery img").count() == 40
        page.close()


def test_videos_without_a_picture_have_a_ground_with_the_name_of_their_site(
    sqlite_store: Store, browser: Browser
) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), videos(1))
    with serving(app_of(sqlite_store)) as reader:
        page = opened(browser, reader.address, 1440)
        blank = page.locator(".film .blank")
        assert blank.inner_text() == "YouTube"
        assert "gradient" in str(blank.evaluate("(element) => getComputedStyle(element).backgroundImage"))
        page.close()


def test_the_frame_follows_the_stream_without_loading_itself_again(sqlite_store: Store, browser: Browser) -> None:
    source = add_source(sqlite_store)
    ingest_now(sqlite_store, source, news(1))
    with serving(app_of(sqlite_store), watching=True) as reader:
        assert "http-equiv" not in reader.ask("/embed").text
        page = opened(browser, f"{reader.address}/embed", 390)
        page.evaluate("window.sameness = 1")
        ingest_now(sqlite_store, source, [an_activity("late", title="Just in", published=NOON + HOUR)])
        page.locator(".item").get_by_text("Just in").wait_for()
        assert page.evaluate("window.sameness") == 1
        page.close()


@pytest.mark.parametrize("path", ["/", "/?q=budget", "/?q=zebra&kind=article", "/accessibility", "/embed"])
def test_axe_finds_nothing_on_a_site_with_its_own_frame(
    sqlite_store: Store, tmp_path: Path, browser: Browser, path: str
) -> None:
    for place, make in enumerate(MIXES["all"]):
        ingest_now(sqlite_store, add_source(sqlite_store, f"source-{place}"), make(5))
    folder = write_configuration(tmp_path)
    (folder / "logo.svg").write_text(LOGO, "utf-8")
    with (folder / "portal.toml").open("a", encoding="utf-8") as file:
        file.write(PORTAL.partition("\n")[2])
    with serving(app_of(sqlite_store, configuration=Configuration(folder))) as reader:
        page = opened(browser, reader.address + path, 390)
        page.eval_on_selector_all("details", "all => all.forEach((part) => { part.open = true; })")
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = Axe().run(page)["violations"]
            assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []
        page.close()
