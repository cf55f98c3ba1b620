"""Test the frame of a site: links, logo, colors, accessibility statement, and the portal's name everywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import feedparser
import pytest
from icalendar import Calendar

from aggregator.config.portal_folder import Configuration
from aggregator.domain.errors import ConfigurationError
from tests.building import add_source, an_activity, ingest_now
from tests.processes import eventually
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store
    from tests.reader.serving import Reader

PORTAL = """name = "Open Data Office"
[site]
logo = "logo.svg"
navigation = [{ label = "Home", url = "https://www.gov.example/" }, { label = "News", url = "/?kind=article" }]
footer = [{ label = "About us", url = "https://www.gov.example/about" }]
legal = [{ label = "Privacy", url = "https://www.gov.example/privacy" }]
contact = { label = "Contact", url = "mailto:data@gov.example" }
[site.colors]
accent = "#003399"
[accessibility]
organization = "Open Data Office"
contact = "mailto:access@gov.example"
compliance = "partial"
prepared = 2026-03-01
issues = ["The map has no text alternative besides the list below it."]
enforcement = { label = "Ombudsman", url = "https://ombudsman.example/" }
"""
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="10" height="10"/></svg>'
TOPICS = '[topics.budget]\nlabel = "Budget"\n[topics.budget.keywords]\nen = ["budget"]\n'
PAGES = ("/", "/?q=budget", "/activities/1", "/docs", "/nothing", "/accessibility")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "portal.toml").write_text(PORTAL, "utf-8")
    (tmp_path / "topics.toml").write_text(TOPICS, "utf-8")
    (tmp_path / "logo.svg").write_text(LOGO, "utf-8")
    return tmp_path


@pytest.fixture
def site(sqlite_store: Store, folder: Path) -> Iterator[Reader]:
    ingest_now(sqlite_store, add_source(sqlite_store, name="Ministry"), [an_activity("a", title="Budget of 2026")])
    with serving(app_of(sqlite_store, configuration=Configuration(folder))) as reader:
        yield reader


@pytest.mark.parametrize("path", PAGES)
def test_all_pages_have_the_name_and_the_links(site: Reader, path: str) -> None:
    answer = site.ask(path, headers={"Accept": "text/html"})
    text = answer.text

    assert "Activity Stream" not in text
    assert re.search(r"<title>[^<]*Open Data Office</title>", text)
    header = text.partition("<header")[2].partition("</header>")[0]
    assert '<a href="https://www.gov.example/">Home</a>' in header
    assert '<input id="q" type="search"' in header
    footer = text.partition("<footer")[2]
    for link in ("https://www.gov.example/about", "https://www.gov.example/privacy", "mailto:data@gov.example"):
        assert f'href="{link}"' in footer
    assert 'href="/accessibility"' in footer
    assert "This site sets no cookies." in footer
    assert "set-cookie" not in answer.headers


def test_feeds_and_the_calendar_are_named_after_filters_and_portal(site: Reader) -> None:
    assert feedparser.parse(site.ask("/feed.atom").body).feed.title == "Open Data Office"
    assert feedparser.parse(site.ask("/feed.rss?topic=budget").body).feed.title == "Budget - Open Data Office"
    title = site.ask("/feed.json?topic=budget&country=GH&source=news").json["title"]
    assert title == "Ministry, Budget, Ghana - Open Data Office"
    calendar = Calendar.from_ical(site.ask("/events.ics?topic=budget").body)
    assert calendar["x-wr-calname"] == "Budget - Open Data Office: events"


def test_logo_and_colors_are_files_that_browsers_keep(site: Reader, folder: Path) -> None:
    text = site.ask("/").text
    (logo,) = re.findall(r'<img class="own-logo" src="([^"]+)"', text)
    (theme,) = re.findall(r'href="(/site/[^"]+/theme.css)"', text)

    assert site.ask(logo).text == LOGO
    assert site.ask(logo).headers["content-type"] == "image/svg+xml"
    assert "script-src 'self'" in site.ask(logo).headers["content-security-policy"]
    assert "--accent:#003399" in site.ask(theme).text
    assert "immutable" in site.ask(theme).headers["cache-control"]

    (folder / "logo.svg").write_text(LOGO.replace("10", "20"), "utf-8")
    (folder / "portal.toml").write_text(PORTAL.replace("#003399", "#660066"), "utf-8")
    changed = site.ask("/").text
    assert logo not in changed
    assert "--accent:#660066" in site.ask(re.findall(r'href="(/site/[^"]+/theme.css)"', changed)[0]).text
    assert "immutable" not in site.ask(theme).headers["cache-control"]


def test_the_statement_has_the_sections_of_the_model(site: Reader) -> None:
    text = site.ask("/accessibility").text
    assert re.findall(r"<h2>([^<]+)</h2>", text) == [
        "Compliance status", "Non-accessible content", "Preparation of this statement",
        "Feedback and contact information", "Enforcement procedure",
    ]  # fmt: skip
    assert "partially compliant" in text
    assert "The map has no text alternative" in text
    assert 'href="mailto:access@gov.example"' in text
    assert "March 1, 2026" in text


def test_without_a_statement_there_is_no_page(sqlite_reader: Reader) -> None:
    assert sqlite_reader.ask("/accessibility").status == 404
    assert "/accessibility" not in sqlite_reader.ask("/").text


def test_a_broken_portal_file_or_logo_is_an_error_at_start(sqlite_store: Store, folder: Path) -> None:
    (folder / "portal.toml").write_text(PORTAL.replace("#003399", "#ffee00"), "utf-8")
    with pytest.raises(ConfigurationError, match=r"portal\.toml: Line 9: site\.colors\.accent"):
        app_of(sqlite_store, configuration=Configuration(folder))
    (folder / "portal.toml").write_text(PORTAL, "utf-8")
    (folder / "logo.svg").unlink()
    with pytest.raises(ConfigurationError, match=r"portal\.toml: Line 3: site\.logo: logo\.svg can't be read"):
        app_of(sqlite_store, configuration=Configuration(folder))


def test_cached_pages_and_feeds_follow_an_edit_of_the_file(sqlite_store: Store, folder: Path) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity("a")])
    paths = ("/", "/activities/1", "/feed.rss", "/embed")
    with serving(app_of(sqlite_store, configuration=Configuration(folder)), watching=True) as reader:
        assert all("Open Data Office" in reader.ask(path).text for path in paths)
        (folder / "portal.toml").write_text(PORTAL.replace("Open Data Office", "Data Agency"), "utf-8")
        # A busy reader shows the page of before while it makes the new one.
        eventually("all are new", lambda: all("Data Agency" in reader.ask(path).text for path in paths))
