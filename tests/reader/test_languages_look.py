"""Test in Chromium that French and Arabic pages are accessible, fit, and that scripts speak their language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import expect

from aggregator.config.portal_folder import Configuration
from storage.store import Store
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.multilingual import fill_in_languages, write_site
from tests.reader.serving import publishing_pictures, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.reader.serving import Reader

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PATHS = (
    *("/", "/?source=news", "/?q=zebra&kind=article", "/activities/1", "/stats", "/embed/builder", "/embed"),
    *("/accessibility", "/nothing"),
)
# Texts that leave their box to the side, besides those that are cut with an ellipsis or can be scrolled.
LEAVING = """() => Array.from(document.querySelectorAll("body *"))
  .filter((element) => element.checkVisibility() && element.scrollWidth > element.clientWidth + 1
    && getComputedStyle(element).display !== "inline" && getComputedStyle(element).overflowX === "visible"
    && !element.closest("svg, .visually-hidden, .skip, .kinds, .filters"))
  .map((element) => element.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Serve a site in English, French and Arabic."""
    folder = tmp_path_factory.mktemp("site")
    store = Store.open(f"sqlite:///{folder / 'db.sqlite3'}")
    store.migrate(authority="test.invalid", today=NOON.date())
    with publishing_pictures() as pictures:
        fill_in_languages(store, pictures)
        with serving(app_of(store, configuration=Configuration(write_site(folder)))) as reader:
            yield reader
    store.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("tag", ["fr", "ar"])
def test_axe_finds_nothing_and_all_fits(site: Reader, browser: Browser, tag: str, path: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{site.address}/{tag}{path}")
    for width in (390, 768, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert page.evaluate(LEAVING) == []
    page.eval_on_selector_all("details", "all => all.forEach((part) => { part.open = true; })")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page)["violations"]
        assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []
    page.close()


def test_arabic_pages_are_mirrored_and_items_keep_their_direction(site: Reader, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{site.address}/ar/?source=news")
    stream, filters = (page.locator(name).bounding_box() for name in (".stream", ".filters"))
    assert stream is not None
    assert filters is not None
    assert stream["x"] > filters["x"]
    text = page.locator(".card .title", has_text="How to read").evaluate("it => getComputedStyle(it).direction")
    assert text == "ltr"
    page.goto(f"{site.address}/en/?source=town")
    names = page.locator(".card .byline", has_text="majlis")
    assert names.evaluate("it => getComputedStyle(it).direction") == "rtl"
    page.goto(f"{site.address}/ar/?source=town")
    assert page.locator(".card .byline", has_text="mairie").evaluate("it => getComputedStyle(it).direction") == "ltr"
    page.close()


def test_the_builder_has_buttons_in_the_language_of_the_page(site: Reader, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{site.address}/ar/embed/builder")
    buttons = page.locator(".snippet button")
    expect(buttons).to_have_text(["نسخ"] * 3)
    expect(page.locator("#as-element + p + pre")).to_contain_text('<activity-stream locale="ar">')
    buttons.first.click()
    expect(buttons.first).to_have_text(re.compile("تم النسخ|تم التحديد"))  # without permission it is selected
    page.close()


def test_new_items_are_announced_in_the_plural_of_the_language(
    sqlite_store: Store, tmp_path: Path, browser: Browser
) -> None:
    source = add_source(sqlite_store)
    ingest_now(sqlite_store, source, [an_activity("a", published=NOON)])
    app = app_of(sqlite_store, configuration=Configuration(write_site(tmp_path)))
    with serving(app, watching=True) as reader:
        page = browser.new_page()
        with page.expect_response(lambda answer: "/api/v1/live" in answer.url):
            page.goto(f"{reader.address}/ar/")
        link = page.locator(".arrivals a")
        ingest_now(sqlite_store, source, [an_activity("b", title="Beta", published=NOON)])
        expect(link).to_contain_text("عرض عنصر جديد واحد (Beta)")
        ingest_now(sqlite_store, source, [an_activity("c", title="Gamma", published=NOON)])
        expect(link).to_contain_text("عرض عنصرين جديدين")
        ingest_now(sqlite_store, source, [an_activity("d", title="Delta", published=NOON)])
        expect(link).to_contain_text("عرض 3 عناصر جديدة")
        link.click()
        expect(page.locator(".card .title", has_text="Delta")).to_be_visible()
        page.close()


def test_the_element_speaks_the_language_of_its_attribute(site: Reader, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{site.address}/en/stats")
    page.set_content(f'<script src="{site.address}/embed.js"></script><activity-stream locale="fr"></activity-stream>')
    element = page.locator("activity-stream")
    expect(element.locator(".more a")).to_have_text("Plus")
    assert element.locator("section").get_attribute("aria-label") == "Fil d\u2019activité"
    assert element.locator("section").get_attribute("lang") == "fr"
    assert element.locator(".more a").get_attribute("href") == f"{site.address}/fr/"
    page.close()
