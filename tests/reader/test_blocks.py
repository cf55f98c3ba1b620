"""Test the portal's page: its blocks come from a file, and none is empty because a source failed."""

# `browser` is a fixture, imported and asked for by name
from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.config.portal_folder import Configuration
from aggregator.demo.configuration import write_configuration
from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    Media,
    NewActivity,
    Occasion,
)
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.reader.test_front_page import CONTRAST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from storage.store import Store
    from tests.reader.serving import Reader

ROOT = Path(__file__).parents[2]
MINUTE = timedelta(minutes=1)
YOUTUBE = "https://www.youtube.com/watch?v=abcdefghijk"


def post(name: str, at: datetime, text: str = "Hello @b #c", **more: Any) -> NewActivity:
    content = Content(
        kind=ActivityKind.POST,
        network="x",
        url=f"https://x.com/opengovpart/status/{name}",
        actor=Actor("x", "1", "OGP", "opengovpart", "https://x.com/opengovpart"),
        text=text,
        published=at,
        **more,
    )
    return NewActivity(name, f"x:{name}", content, entry_digest=name, raw=b"{}")


def fill(store: Store) -> None:
    account = add_source(store, "ogp", "twitter", address="@OpenGovPart", name="opengovpart")
    ingest_now(store, account, [post(f"90{n}", NOON - n * MINUTE) for n in range(4)])
    news = add_source(store, "news", name="The news")
    occasion = Occasion(
        datetime(2026, 4, 16, 14, tzinfo=UTC),
        datetime(2026, 4, 16, 15, tzinfo=UTC),
        zone_label="EST",
        place="Dublin",
        other_start=datetime(2026, 4, 16, 15, tzinfo=UTC),
    )
    over = replace(occasion, start=datetime(2026, 1, 5, 9, tzinfo=UTC), end=None, cancelled=True, other_start=None)
    film = Media("video", YOUTUBE, preview="https://i.ytimg.example/still.jpg", duration=83)
    ingest_now(
        store,
        news,
        [
            an_activity("long", text="Sentences go on and on " * 20, published=datetime(2026, 3, 1, tzinfo=UTC)),
            an_activity("event", kind=ActivityKind.EVENT, event=occasion, published=NOON - 3 * MINUTE),
            an_activity("over", kind=ActivityKind.EVENT, event=over, title="Over", published=NOON - 9 * MINUTE),
            an_activity("film", kind=ActivityKind.VIDEO, url=YOUTUBE, media=(film,), published=NOON - 5 * MINUTE),
            an_activity("ghana", title="Audits in Ghana and Kenya", published=NOON - 2 * MINUTE),
        ],
    )
    with store.writing() as tx:
        tagger = Configuration(ROOT / "config").tagger
        assert tagger is not None
        batch = tx.stream.tags.batch(tagger, 0)
        assert batch is not None
        tx.stream.tags.write(batch.retagged)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write the page of April 2014 with items of all days, and with one block of posts."""
    made = write_configuration(tmp_path)
    text = re.sub(r"until = .*\n", "", (made / "portal.toml").read_text("utf-8"))
    blocks = [block for block in text.split("\n\n") if 'title = "Get Social"' not in block]
    text = "\n\n".join(blocks).replace("Get Social, April 2014", "Get Social")
    (made / "portal.toml").write_text(text, "utf-8")
    return made


@pytest.fixture
def portal(store: Store, folder: Path) -> Iterator[Reader]:
    with serving(app_of(store, configuration=Configuration(folder))) as reader:
        yield reader


def headings(text: str) -> list[str]:
    return re.findall(r'<h2 id="block-\d+"><bdi>([^<]+)</bdi></h2>', text)


def block(text: str, title: str) -> str:
    """Return the markup of a block."""
    return text.partition(f">{title}</bdi></h2>")[2].partition('<section class="block ')[0]


def test_all_blocks_are_there_with_the_map_last(store: Store, portal: Reader) -> None:
    fill(store)

    text = portal.ask("/").text

    assert headings(text) == [
        "Activity Stream", "News and Events", "Get Social", "London Summit Video 2013", "Upcoming and past events",
        "Open government principles", "Participating countries, April 2014",
    ]  # fmt: skip
    assert "What is the Open Government Partnership?" in text
    assert text.count("Cohort ") >= 4


def test_blocks_without_anything_are_left_out_and_the_stream_says_why(portal: Reader) -> None:
    text = portal.ask("/").text

    assert headings(text) == [
        "Activity Stream", "Open government principles", "Participating countries, April 2014",
    ]  # fmt: skip
    assert "No items yet" in text


def test_news_are_cut_at_words_and_dated_as_people_write(store: Store, portal: Reader) -> None:
    fill(store)

    text = portal.ask("/").text
    news = block(text, "News and Events")

    assert "Posted 6:58 AM" in news
    assert "Posted February 28, 2026" in news
    assert 'dir="auto" lang="en"' in news
    (excerpt,) = re.findall(r'<p class="excerpt"[^>]*>(Sentences[^<]*)</p>', news)
    assert len(excerpt) <= 150
    assert excerpt.endswith("…")
    assert "Thursday, April 16, 2026" in news
    assert "10:00 AM to 11:00 AM EDT" in news
    assert "time zone “EST” is ambiguous; may also be" in news


def test_events_are_upcoming_or_past(store: Store, portal: Reader) -> None:
    fill(store)

    text = portal.ask("/").text
    events = block(text, "Upcoming and past events")

    assert events.index("Upcoming</h3>") < events.index("Title event") < events.index("Past</h3>")
    assert events.index("Past</h3>") < events.index(">Over<")
    assert "Cancelled" in events


def test_a_stream_of_some_sources_goes_on_as_such(store: Store, portal: Reader, folder: Path) -> None:
    fill(store)
    file = folder / "portal.toml"
    stream = 'title = "Activity Stream"\nlimit = 2\nsources = ["ogp"]'
    file.write_text(file.read_text("utf-8").replace('title = "Activity Stream"\nlimit = 5', stream), "utf-8")

    text = portal.ask("/").text

    (live,) = re.findall(r'data-live="([^"]+)"', text)
    assert "source=ogp" in live
    (older,) = re.findall(r'data-more href="([^"]+)"', text)
    page = portal.ask(older.replace("&amp;", "&")).text
    assert page.count("<article") == 2
    assert "Audits in Ghana" not in page


def test_social_shows_what_its_accounts_say_alone(store: Store, portal: Reader) -> None:
    fill(store)
    other = add_source(store, "other", "twitter", address="@other")
    ingest_now(store, other, [post("999", NOON, "Somebody else")])

    text = portal.ask("/").text
    social = block(text, "Get Social")

    assert social.count("<article") == 3
    assert "Somebody else" not in social
    assert 'href="/?kind=post&amp;kind=quote&amp;kind=reply&amp;kind=repost&amp;source=ogp"' in social


def test_principles_and_countries_are_filters_with_counts(store: Store, portal: Reader) -> None:
    fill(store)

    text = portal.ask("/").text

    assert 'href="/?topic=accountability"' in text
    assert 'aria-label="Ghana: 1 recent item"' in text
    assert 'aria-label="Kenya: 1 recent item"' in text
    assert 'aria-label="Malta: 0 recent items"' in text  # too small for an outline
    for address, title in (
        ("/?topic=accountability", "Audits in Ghana"),
        ("/?country=GH", "Audits in Ghana"),
        ("/?cohort=3", "Audits in Ghana"),
    ):
        page = portal.ask(address).text
        assert title in page
        assert page.count("<article") == 1
    assert "call upon government actors" in portal.ask("/?topic=accountability").text
    assert portal.ask("/?cohort=9").status == 400


def test_the_api_filters_by_cohort_and_counts(store: Store, portal: Reader) -> None:
    fill(store)

    assert [item["native_id"] for item in portal.items("?cohort=3")] == ["ghana"]
    assert [item["native_id"] for item in portal.items("?cohort=3&country=KE")] == []
    facets = portal.ask("/api/v1/facets?source=news").json
    assert {item["value"]: item["count"] for item in facets["kind"]} == {"event": 2, "article": 2, "video": 1}
    assert {item["label"] for item in facets["country"]} == {"Ghana", "Kenya"}
    assert {item["value"]: item["count"] for item in facets["cohort"]} == {"2": 1, "3": 1}
    assert (facets["examined"], facets["partial"]) == (5, False)
    assert portal.ask("/api/v1/facets?q=audits").json["examined"] == 1
    assert portal.ask("/api/v1/facets?topic=accountability&kind=article").json["examined"] == 1


def test_the_first_load_is_small(store: Store, portal: Reader) -> None:
    fill(store)
    paths = {"/", *re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"', portal.ask("/").text)}

    sizes = {path: len(portal.ask(path, headers={"Accept-Encoding": "gzip"}).body) for path in paths}

    assert len(sizes) == 5
    assert sum(sizes.values()) < 100_000, sizes


def test_an_edit_of_the_file_shows_without_a_restart(store: Store, portal: Reader, folder: Path) -> None:
    fill(store)
    file = folder / "portal.toml"

    file.write_text(file.read_text("utf-8").replace("Get Social", "What people say"), "utf-8")
    assert "What people say" in headings(portal.ask("/").text)

    file.write_text("broken", "utf-8")
    assert "What people say" in headings(portal.ask("/").text)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("theme", "width"),
    [
        pytest.param(theme, width, marks=[] if (theme, width) == ("light", 390) else pytest.mark.slow)
        for theme in ("light", "dark")
        for width in (390, 768, 1440)
    ],
)
def test_it_is_sound_at_any_width_in_both_themes(
    sqlite_store: Store,
    folder: Path,
    browser: Browser,
    width: int,
    theme: Any,
) -> None:
    fill(sqlite_store)
    with serving(app_of(sqlite_store, configuration=Configuration(folder))) as reader:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        messages: list[str] = []
        page.on("console", lambda message: messages.append(message.text) if message.type == "error" else None)
        page.goto(reader.address)

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, where
        assert Axe().run(page)["violations"] == []
        assert [item for item in messages if "ERR_" not in item and "Failed to load" not in item] == []
        page.close()


@pytest.mark.browser
def test_what_arrives_moves_nothing_until_it_is_asked_for(sqlite_store: Store, folder: Path, browser: Browser) -> None:
    fill(sqlite_store)
    with serving(app_of(sqlite_store, configuration=Configuration(folder)), watching=True) as reader:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(reader.address)
        page.evaluate(
            "window.moved = 0; new PerformanceObserver((list) => list.getEntries().forEach((one) => "
            "{ window.moved += one.value; })).observe({ type: 'layout-shift', buffered: false })"
        )
        source = add_source(sqlite_store, "late")
        ingest_now(sqlite_store, source, [an_activity("late", title="Just in", published=NOON + MINUTE)])

        lines = page.locator(".arrivals a")
        lines.wait_for(state="visible", timeout=30_000)
        assert "1 new item" in lines.inner_text()
        assert page.evaluate("window.moved") == 0
        lines.click()
        page.locator(".stream .day [data-id]").first.get_by_text("Just in").wait_for()
        assert page.locator(".stream .day [data-id]").count() == 5
        page.close()


@pytest.mark.browser
def test_older_items_come_into_the_page_and_a_player_on_a_click(
    sqlite_store: Store,
    folder: Path,
    browser: Browser,
) -> None:
    fill(sqlite_store)
    with serving(app_of(sqlite_store, configuration=Configuration(folder))) as reader:
        page = browser.new_page()
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(reader.address)
        before = page.locator(".stream .day [data-id]").count()
        page.get_by_text("Load more").click()
        page.locator(".stream .day [data-id]").nth(before).wait_for()
        assert page.url.rstrip("/") == reader.address
        shown = ids_of(page)
        assert len(shown) == len(set(shown))

        assert not [url for url in requests if "youtube" in url or "ytimg" in url]
        page.locator(".block-video [data-player]").click()
        frame = page.locator(".block-video iframe.player")
        frame.wait_for()
        assert frame.get_attribute("src") == "https://www.youtube-nocookie.com/embed/abcdefghijk?autoplay=1"
        page.close()


def ids_of(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(".stream .day [data-id]", "all => all.map((one) => one.dataset.id)")
    return found


@pytest.mark.browser
def test_it_is_whole_without_scripts(sqlite_store: Store, folder: Path, browser: Browser) -> None:
    fill(sqlite_store)
    with serving(app_of(sqlite_store, configuration=Configuration(folder))) as reader:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(reader.address)
        assert page.locator(".block").count() == 7
        first = set(re.findall(r'data-id="(\d+)"', page.locator(".stream").inner_html()))
        page.get_by_text("Load more").click()
        assert "cursor=" in page.url
        assert first.isdisjoint(re.findall(r'data-id="(\d+)"', page.locator(".stream").inner_html()))
        page.go_back()
        page.get_by_role("link", name="Ghana: 1 recent item").click()
        assert page.locator("article").count() == 1
        context.close()
