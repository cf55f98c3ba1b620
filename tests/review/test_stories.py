"""Test at the desk, in a real Chromium, that a person splits a story of several networks and merges it again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.networks import WORDS, four_networks
from tests.reader.conftest import browser
from tests.review.conftest import installed
from tests.review.signed_in import signed_in

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from storage.store import Store
    from tests.review.conftest import Stopped

__all__ = ["browser"]

pytestmark = pytest.mark.browser


def test_a_split_lasts_and_can_be_undone_by_merging(
    browser: Browser, sqlite_store: Store, clock: Stopped, tmp_path: Path
) -> None:
    clock.now = datetime.now(UTC)
    with four_networks(sqlite_store, tmp_path) as networks:
        posts = {name: networks.publish(name, WORDS.format(1), 0) for name in ("x", "bluesky", "mastodon")}
        networks.poll("x", "bluesky", "mastodon")
        assert networks.sizes() == [3]
        split, other = networks.item("mastodon").id, networks.item("bluesky").id
        with (
            installed(sqlite_store, clock) as house,
            signed_in(browser, house, viewport={"width": 1280, "height": 900}) as page,
        ):
            page.goto(f"{house.address}/review/items/{split}")
            story = page.get_by_role("region", name="Story")
            story.get_by_role("button", name="Remove from story").click()
            page.get_by_text("Removed 1 item from its story.", exact=True).wait_for()
            assert networks.sizes() == [1, 2]

            networks.world.social.mastodon.edit(posts["mastodon"], f"{WORDS.format(1)} (corrected)")
            networks.poll("mastodon", "bluesky", "x")
            assert networks.sizes() == [1, 2]

            page.reload()
            assert page.get_by_text("(corrected)").first.is_visible()
            story.get_by_label("Merge with another item").fill("spring meeting")
            story.get_by_role("button", name="Search").click()
            story.locator(f"button[value='{other}']").click()
            page.get_by_text("Merged 1 item into a story.", exact=True).wait_for()
            assert networks.sizes() == [3]
