"""Test the documentation page: defaults, commands, links between schemas, and that it fits its place."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from lxml import html

from aggregator.config.option_values import Rate
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from lxml.html import HtmlElement
    from playwright.sync_api import Browser

    from storage.store import Store
    from tests.reader.serving import Reader

TALLEST = 10_000  # pixels
CHANGES = {
    "activity": "ActivityChange",
    "gone": "GoneChange",
    "source": "SourceChange",
    "source_gone": "SourceGoneChange",
    "actor": "ActorChange",
}


@pytest.fixture(scope="module")
def page(empty_reader: Reader) -> HtmlElement:
    return html.document_fromstring(empty_reader.ask("/docs").text)


def texts(parent: HtmlElement, path: str) -> list[str]:
    return [" ".join(element.text_content().split()) for element in parent.iterfind(path)]


def test_parameters_have_their_defaults(page: HtmlElement) -> None:
    rows = {
        (section.get("id"), row.findtext("th/code")): row.findtext("td[@class='default']/code")
        for section in page.iterfind(".//section")
        for row in section.iterfind(".//tr")
    }
    assert rows["listActivities", "limit"] == "20"
    assert rows["listActivities", "stitch"] == "yes"
    assert rows["listChanges", "limit"] == "100"
    assert rows["listChanges", "after"] == "0"
    assert rows["filters", "topic"] is None


def test_every_operation_has_a_command_that_works(empty_reader: Reader, page: HtmlElement) -> None:
    document: dict[str, Any] = empty_reader.ask("/openapi.json").json
    for path, methods in document["paths"].items():
        (section,) = page.xpath(f"//section[@id='{methods['get']['operationId']}']")
        command = shlex.split(section.findtext("pre/code"))
        assert command[0] == "curl"
        address = command[-1]
        assert address.startswith(empty_reader.address)
        if path == "/api/v1/live":
            assert command[1] == "-N"
            continue
        expected = 404 if "activity_id" in path else 503 if path == "/readyz" else 200
        assert empty_reader.ask(address.removeprefix(empty_reader.address)).status in {expected, 200}


def test_all_types_of_changes_have_a_schema(page: HtmlElement) -> None:
    (section,) = page.xpath("//section[@id='changes']")
    rows = {row.findtext("th/code"): row.findtext("td/a") for row in section.iterfind(".//tbody/tr")}
    assert rows == CHANGES


def test_every_link_within_the_page_has_a_target(page: HtmlElement) -> None:
    ids = [str(id_) for id_ in page.xpath("//@id")]
    assert len(ids) == len(set(ids))
    targets = {str(address)[1:] for address in page.xpath("//a/@href[starts-with(., '#')]")}
    assert targets - set(ids) == set()
    assert {"ChangeList", "ActivityItem", "MediaItem", *CHANGES.values()} <= targets


def test_no_backticks_are_shown(page: HtmlElement) -> None:
    assert "`" not in page.text_content()


def test_the_limit_of_this_installation_is_named(sqlite_store: Store, page: HtmlElement) -> None:
    assert "limits no requests" in texts(page, ".//section[@id='limits']")[0]
    with serving(app_of(sqlite_store, rate=Rate(120, 60))) as reader:
        text = reader.ask("/docs").text
    assert "120 requests within 60 seconds" in text
    assert "Authorization: Bearer $TOKEN" in text


@pytest.mark.browser
def test_the_page_is_short_and_fits_a_phone_with_everything_open(browser: Browser, empty_reader: Reader) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{empty_reader.address}/docs")
    assert page.evaluate("document.documentElement.scrollHeight") < TALLEST
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    wide = "[...document.querySelectorAll('.fields')].filter((table) => table.scrollWidth > table.clientWidth).length"
    assert page.evaluate(wide) == 0
    page.close()


@pytest.mark.browser
def test_a_link_to_a_schema_opens_it(browser: Browser, empty_reader: Reader) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{empty_reader.address}/docs#MediaItem")
    page.locator("#MediaItem").wait_for(state="visible")
    assert re.search("focus", page.locator("#MediaItem").inner_text())
    page.close()
