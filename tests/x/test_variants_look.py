"""Test in a real Chromium that the cards of all variants fit, are legible and accessible: page, embed and desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_core_python.sync_playwright import Axe

from tests.building import add_source, ingest_now
from tests.reader.conftest import app_of, browser, pictures
from tests.reader.serving import serving
from tests.reader.test_front_page import CONTRAST
from tests.review.conftest import Stopped, installed
from tests.review.signed_in import signed_in
from tests.x.variants import activities

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from storage.store import Store

__all__ = ["browser", "pictures"]

pytestmark = pytest.mark.browser
WIDTHS = [390, 1280]
# The side of the author's name on which the picture of the right-to-left post is.
SIDE = """() => {
  const line = document.querySelector('.byline[dir="rtl"]');
  const [picture, name] = ['.avatar', '.name'].map((part) => line.querySelector(part).getBoundingClientRect());
  return picture.left >= name.right ? 'right' : 'left';
}"""


def look(page: Page, width: int) -> None:
    """Check a page on which all variants are."""
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert page.evaluate(SIDE) == "right"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        contrast, where = page.evaluate(CONTRAST)
        assert contrast >= 4.5, where
    found = Axe().run(page)["violations"]
    assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["/", "/embed?limit=50&refresh=no"], ids=["page", "embed"])
def test_the_cards_on_page_and_embed(
    browser: Browser,
    sqlite_store: Store,
    pictures: str,
    path: str,
    width: int,  # the fixtures
) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store, "rivertown", "twitter"), activities(pictures))
    with serving(app_of(sqlite_store, embeddable=frozenset({"x"}))) as reader:
        page = browser.new_page(viewport={"width": width, "height": 900})
        try:
            page.goto(reader.address + path)
            look(page, width)
        finally:
            page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_cards_at_the_desk(browser: Browser, sqlite_store: Store, pictures: str, width: int) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store, "rivertown", "twitter"), activities(pictures))
    with (
        installed(sqlite_store, Stopped()) as installation,
        signed_in(browser, installation, viewport={"width": width, "height": 900}) as page,
    ):
        page.goto(f"{installation.address}/review?pile=published")
        look(page, width)
