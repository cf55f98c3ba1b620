"""Test in a real Chromium that the cards of Bluesky, Mastodon and YouTube fit, are legible and accessible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_core_python.sync_playwright import Axe

from tests.building import add_source, ingest_now
from tests.reader.conftest import app_of, browser
from tests.reader.serving import serving
from tests.reader.test_front_page import CONTRAST
from tests.reader.test_privacy import BROKEN
from tests.review.conftest import Stopped, installed
from tests.review.signed_in import signed_in
from tests.sources import specimens

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from storage.store import Store

__all__ = ["browser"]

pytestmark = pytest.mark.browser
WIDTHS = [390, 1440]
NETWORKS = ("bluesky", "mastodon", "youtube")


def filled(store: Store) -> None:
    """Store every special case of each network."""
    for name in NETWORKS:
        activities = getattr(specimens, name)()
        ingest_now(store, add_source(store, name, name, name=name.title()), activities)


def look(page: Page, width: int) -> None:
    """Check a page on which all cases are."""
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert page.evaluate(BROKEN) == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        contrast, where = page.evaluate(CONTRAST)
        assert contrast >= 4.5, where
    found = Axe().run(page)["violations"]
    assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["/?network=%s&collapse=none", "/embed?network=%s&limit=50&refresh=no"])
def test_the_cards_on_page_and_embed(browser: Browser, sqlite_store: Store, path: str, width: int) -> None:
    filled(sqlite_store)
    with serving(app_of(sqlite_store, fetch=specimens.draw)) as reader:
        page = browser.new_page(viewport={"width": width, "height": 900})
        try:
            for network in NETWORKS:
                page.goto(reader.address + path % network)
                look(page, width)
        finally:
            page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_cards_at_the_desk(browser: Browser, sqlite_store: Store, width: int) -> None:
    filled(sqlite_store)
    with (
        installed(sqlite_store, Stopped(), fetch=specimens.draw) as installation,
        signed_in(browser, installation, viewport={"width": width, "height": 900}) as page,
    ):
        for network in NETWORKS:
            page.goto(f"{installation.address}/review?pile=published&source={network}")
            look(page, width)
