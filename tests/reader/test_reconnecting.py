"""Test open pages and embeds while the reader restarts behind a proxy that responds 502: hidden items disappear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import ActivityKind, Review
from aggregator.reader import sse
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.proxying import proxying
from tests.reader.serving import serving
from tests.reader.test_embed import somebody_elses_page
from tests.reader.test_front_page import opened

if TYPE_CHECKING:
    from fastapi import FastAPI
    from playwright.sync_api import Browser, Page

    from storage.store import Store

pytestmark = pytest.mark.browser

TRUSTED_TYPES = "; require-trusted-types-for 'script'; trusted-types 'none'"
LONGEST = 30_000  # milliseconds
SEVERAL = 6


def fill(store: Store) -> None:
    ingest_now(store, add_source(store), [an_activity(name) for name in ("kept", "hidden")])


def hide_and_add(store: Store) -> None:
    source = add_source(store, "later")
    with store.reading() as tx:
        news = tx.polling.sources.get("news")
        assert news is not None
        hidden = tx.stream.activities.known(news.id, ["hidden"])["hidden"].id
    decide(store, [hidden], Review.HIDDEN)
    ingest_now(store, source, [an_activity("new")])


def assert_renewed(page: Page, titles: str) -> None:
    page.locator(titles).get_by_text("Title hidden").wait_for(state="detached", timeout=LONGEST)
    page.locator(titles).get_by_text("Title new").first.wait_for(timeout=LONGEST)
    page.locator(titles).get_by_text("Title kept").first.wait_for(timeout=LONGEST)


@pytest.mark.parametrize("missed", ["few-changes", "too-many-changes"])
def test_a_page_comes_back_after_a_restart(
    browser: Browser, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, missed: str
) -> None:
    fill(sqlite_store)
    if missed == "too-many-changes":
        monkeypatch.setattr(sse, "_MOST_MISSED", 0)
    with proxying() as proxy, serving(app_of(sqlite_store), watching=True) as reader:
        proxy.port = reader.port
        shown = opened(browser, proxy.address)
        with shown as sight:
            sight.page.locator("article h3").get_by_text("Title hidden").wait_for()
            sight.page.evaluate("window.sameness = 1")
            proxy.down()
            hide_and_add(sqlite_store)
            assert proxy.refused.acquire(timeout=LONGEST / 1000)
            with serving(app_of(sqlite_store), watching=True) as restarted:
                proxy.port = restarted.port
                assert_renewed(sight.page, "article h3")
                assert sight.page.evaluate("window.sameness") == 1
                proxy.down()


def embeds(reader: str, *attributes: str) -> str:
    elements = (f"<activity-stream {item}></activity-stream>" for item in attributes)
    return f'<script src="{reader}/embed.js" defer></script>' + "".join(elements)


def policy(reader: str) -> str:
    return (
        f"default-src 'none'; script-src {reader}; connect-src {reader}; img-src {reader}; style-src {reader}"
        + TRUSTED_TYPES
    )


def test_embeds_come_back_after_a_restart(browser: Browser, sqlite_store: Store) -> None:
    fill(sqlite_store)
    with somebody_elses_page() as portal, proxying() as proxy:
        app = app_of(sqlite_store, cors_origins=(portal.address,))
        with serving(app, watching=True) as reader:
            proxy.port = reader.port
            portal.policy, portal.body = policy(proxy.address), embeds(proxy.address, "")
            with opened(browser, portal.address) as sight:
                sight.page.locator("activity-stream .title").get_by_text("Title hidden").wait_for()
                proxy.down()
                hide_and_add(sqlite_store)
                assert proxy.refused.acquire(timeout=LONGEST / 1000)
                with serving(app_of(sqlite_store, cors_origins=(portal.address,)), watching=True) as restarted:
                    proxy.port = restarted.port
                    assert_renewed(sight.page, "activity-stream .title")
                    proxy.down()


def listeners(app: FastAPI) -> int:
    count: int = app.state.live.listeners
    return count


@pytest.mark.slow
def test_several_embeds_share_one_connection_under_trusted_types(browser: Browser, sqlite_store: Store) -> None:
    fill(sqlite_store)
    kinds = ["", 'kind="article"', 'kind="article,event"', 'source="later"', 'q="title"', 'kind="event"', 'limit="1"']
    with somebody_elses_page() as portal:
        app = app_of(sqlite_store, cors_origins=(portal.address,))
        with serving(app, watching=True) as reader:
            ingest_now(sqlite_store, add_source(sqlite_store, "later"), [an_activity("first")])
            portal.policy, portal.body = policy(reader.address), embeds(reader.address, *kinds)
            with opened(browser, portal.address) as sight:
                streams = sight.page.locator("activity-stream")
                for number in range(len(kinds)):
                    streams.nth(number).locator(".item").first.wait_for(timeout=LONGEST)
                assert listeners(app) == 1
                late = an_activity("late", title="Title late", published=NOON)
                with sqlite_store.reading() as tx:
                    source = tx.polling.sources.get("later")
                assert source is not None
                ingest_now(sqlite_store, source, [late])
                for number in range(len(kinds)):
                    if kinds[number] != 'kind="event"':
                        streams.nth(number).get_by_text("Title late").wait_for(timeout=LONGEST)
                event = an_activity("meeting", kind=ActivityKind.EVENT, title="Title meeting")
                ingest_now(sqlite_store, source, [event])
                streams.nth(5).get_by_text("Title meeting").wait_for(timeout=LONGEST)
                assert listeners(app) == 1
                assert sight.complaints == []


@pytest.mark.slow
def test_what_collapsed_into_a_card_goes_with_the_item(browser: Browser, sqlite_store: Store) -> None:
    """A card names further reposts of its original; one that is hidden is named no longer."""
    from tests.reader.specimens import HUB, OGP, POWELL, about, tweet

    source = add_source(sqlite_store, "x", "twitter")
    original = tweet("900", ActivityKind.POST, "Words", "<p>Words</p>", NOON, HUB)
    for number, who in (("901", POWELL), ("902", OGP)):
        content = about(tweet(number, ActivityKind.REPOST, "Words", "", NOON, who), original)
        ingest_now(sqlite_store, source, [content])
    with serving(app_of(sqlite_store), watching=True) as reader, opened(browser, reader.address) as sight:
        named = sight.page.locator(".also").get_by_text(POWELL.name)
        named.wait_for()
        with sqlite_store.reading() as tx:
            hidden = tx.stream.activities.known(source.id, ["901"])["901"].id
        decide(sqlite_store, [hidden], Review.HIDDEN)
        named.wait_for(state="detached", timeout=LONGEST)
        assert sight.page.locator("article").count() == 1
