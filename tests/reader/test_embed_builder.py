"""Test the page that builds embeds, lists that servers include, and what a mistake in an embed shows."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.domain.activity import ActivityKind, Media
from tests.building import add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from storage.store import Store
    from tests.reader.serving import Reader

HOSTILE = '"><script>hit</script>'


@pytest.fixture
def filled(sqlite_store: Store, sqlite_reader: Reader) -> Reader:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity("1"), an_activity("2")])
    ingest_now(sqlite_store, add_source(sqlite_store, "other"), [an_activity("3")])
    return sqlite_reader


def code_of(page: str) -> list[str]:
    """Return the code of each way to embed, as a person would copy it."""
    return [unescape(code) for code in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)]


def test_the_code_shows_what_was_chosen(filled: Reader) -> None:
    page = filled.ask("/embed/builder?source=other&kind=&limit=3&theme=dark&heading=Latest").text
    element, frame, include = code_of(page)
    assert f'<script src="{filled.address}/embed.js" defer></script>' in element
    assert '<activity-stream heading="Latest" limit="3" source="other" theme="dark">' in element
    assert "kind" not in element
    (address,) = re.findall(r'src="([^"]+)"', frame)
    for shown in (unescape(address), include):
        assert shown.startswith(filled.address)
        answer = filled.ask(shown.removeprefix(filled.address))
        assert answer.status == 200
        assert "Title 3" in answer.text
        assert "Title 1" not in answer.text
    (preview,) = re.findall(r'<iframe class="builder-preview" src="([^"]+)"', page)
    assert unescape(preview) == unescape(address).removeprefix(filled.address)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("topic=nothing", "Unknown topic"),
        ("source=nobody", "Unknown source"),
        ("limit=99", "from 1 to 50"),
        ("theme=pink", "auto, light, dark"),
        ("kind=rumor", "Unknown kind"),
    ],
    ids=["topic", "source", "limit", "theme", "kind"],
)
def test_a_mistake_is_named_and_the_form_remains(filled: Reader, query: str, message: str) -> None:
    answer = filled.ask(f"/embed/builder?{query}")
    assert answer.status == 200
    assert message in answer.text
    assert code_of(answer.text) == []
    assert 'name="heading"' in answer.text


def test_what_was_typed_stays_text(filled: Reader) -> None:
    page = filled.ask("/embed/builder?heading=%22%3E%3Cscript%3Ehit%3C%2Fscript%3E").text
    assert "<script>hit" not in page
    element, frame, _ = code_of(page)
    assert "<script>hit" not in element + frame
    assert "&lt;script&gt;hit" in element


def test_pages_link_the_builder(filled: Reader) -> None:
    for path in ("/", "/docs", "/activities/1"):
        assert '<a href="/embed/builder">Embed this stream</a>' in filled.ask(path).text


def test_a_frame_names_its_mistake_within_the_other_site(sqlite_store: Store) -> None:
    with serving(app_of(sqlite_store, cors_origins=("https://portal.example",))) as reader:
        answer = reader.ask("/embed?topic=nothing")
    assert answer.status == 400
    assert "Unknown topic" in answer.text
    assert 'href="/embed/builder"' in answer.text
    assert "frame-ancestors 'self' https://portal.example" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_a_list_that_a_server_includes_has_absolute_addresses_and_may_be_kept(sqlite_store: Store) -> None:
    media = (Media("image", "https://pictures.example/1.png", alt="A picture"),)
    post = an_activity("1", url=None, kind=ActivityKind.POST, title=None, media=media)
    ingest_now(sqlite_store, add_source(sqlite_store), [post])
    with serving(app_of(sqlite_store, public_url="https://stream.example/news")) as reader:
        answer = reader.ask("/embed/items?links=absolute&limit=5")
        plain = reader.ask("/embed/items?limit=5")
    found = [unescape(address) for address in re.findall(r'(?:href|src)="([^"]+)"', answer.text)]
    assert len(found) >= 2
    assert all(urlsplit(address).netloc for address in found)
    assert any(address.startswith("https://stream.example/news/pictures/") for address in found)
    assert "<script" not in answer.text
    assert answer.headers["cache-control"] == "public, max-age=1, stale-while-revalidate=1"
    assert plain.headers["cache-control"] == "no-cache"
    assert 'src="/news/pictures/' in plain.text


@pytest.mark.parametrize("query", ["links=relative", "links=", "links=absolute&links=absolute"])
def test_other_kinds_of_links_are_refused(empty_reader: Reader, query: str) -> None:
    assert empty_reader.ask(f"/embed/items?{query}").status == 400


@pytest.mark.browser
def test_a_choice_updates_preview_and_code(browser: Browser, filled: Reader) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{filled.address}/embed/builder")
    page.frame_locator(".builder-preview").get_by_text("Title 1").wait_for()
    page.select_option("#of-source", "other")
    page.locator("code", has_text='source="other"').wait_for()
    preview = page.frame_locator(".builder-preview")
    preview.get_by_text("Title 3").wait_for()
    assert preview.get_by_text("Title 1").count() == 0
    assert page.get_by_role("button", name="Copy").count() == 3
    assert page.evaluate("document.activeElement.id") in {"of-source", ""}
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    violations = Axe().run(page)["violations"]
    assert [(found["id"], [node["html"] for node in found["nodes"]]) for found in violations] == []
    page.close()


@pytest.mark.browser
def test_it_works_without_scripts(browser: Browser, filled: Reader) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{filled.address}/embed/builder")
    page.select_option("#of-source", "other")
    page.get_by_role("button", name="Update").click()
    page.locator("code", has_text='source="other"').wait_for()
    context.close()
