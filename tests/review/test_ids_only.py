"""Test the desk where only ids of a network are stored: staff see a post after a click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.domain.source import Policy
from storage.store import Store
from tests.building import NOON, add_source, ingest_now
from tests.reader.conftest import browser
from tests.reader.test_ids_only import EMBED, X_FRAMES
from tests.review.conftest import Stopped, installed
from tests.review.signed_in import signed_in
from tests.storage.stream.test_content_reduction import WORDS, a_post, a_repost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.review.conftest import Installation

__all__ = ["browser"]

pytestmark = pytest.mark.browser
PATHS = ["/review", "/review/items/1", "/review/items/2"]


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Installation]:
    """Serve a desk with two waiting posts that were stored with all their content."""
    options = {"user_id": "7"}
    source = add_source(sqlite_store, "desk", kind="twitter", address="@desk", options=options, policy=Policy.HOLD)
    ingest_now(sqlite_store, source, [a_post("1"), a_repost("3", a_post("2"))], now=NOON)
    with installed(Store(sqlite_store.engine, ids_only=frozenset({"x"})), Stopped()) as installation:
        yield installation


def test_no_page_has_words_and_a_click_shows_the_post(browser: Browser, desk: Installation) -> None:
    with signed_in(browser, desk, viewport={"width": 1280, "height": 900}) as page:
        requested: list[str] = []
        page.route(f"{X_FRAMES}/**", lambda route: route.fulfill(body=EMBED, content_type="text/html"))
        page.on("request", lambda request: requested.append(request.url))
        for path in PATHS:
            page.goto(desk.address + path)
            page.wait_for_load_state("networkidle")
            assert WORDS not in page.content()
            assert page.get_by_text("Show the post from X").count() >= 1
        assert [url for url in requested if not url.startswith(desk.address)] == []
        page.get_by_text("Show the post from X").first.click()
        page.frame_locator("iframe.post-frame").get_by_text("The post").wait_for()
        outside = [url for url in requested if not url.startswith(desk.address)]
        assert outside == [f"{X_FRAMES}/embed/Tweet.html?id=2&dnt=true&theme=light"]


def test_a_key_on_the_button_decides_nothing(browser: Browser, desk: Installation) -> None:
    with signed_in(browser, desk, viewport={"width": 1280, "height": 900}) as page:
        page.route(f"{X_FRAMES}/**", lambda route: route.fulfill(body=EMBED, content_type="text/html"))
        page.locator(".on-request a.button").first.focus()
        page.keyboard.press(" ")
        page.frame_locator("iframe.post-frame").get_by_text("The post").wait_for()
        assert page.locator(".decided").count() == 0
