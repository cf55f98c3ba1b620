"""Test search and filters: counts, active filters, titles, and what to do without results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.config.portal_folder import Configuration
from aggregator.domain.activity import ActivityKind
from aggregator.domain.stream import Query
from aggregator.reader import facet_cache
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from storage.store import Store
    from tests.reader.serving import Reader

TOPICS = """[topics.budget]
label = "Budget"
[topics.budget.keywords]
en = ["budget"]
[topics.audits]
label = "Audits"
[topics.audits.keywords]
en = ["audit"]
"""
COUNTRIES = """iso2,country
GH,Ghana
KE,Kenya
BR,Brazil
CI,Côte d'Ivoire
FR,France
DE,Germany
ID,Indonesia
MX,Mexico
"""


@pytest.fixture
def reader(store: Store, tmp_path: Path) -> Iterator[Reader]:
    (tmp_path / "topics.toml").write_text(TOPICS, "utf-8")
    (tmp_path / "countries.csv").write_text(COUNTRIES, "utf-8")
    configuration = Configuration(tmp_path)
    ministry, agency = add_source(store, "ministry", name="Ministry"), add_source(store, "agency", name="Agency")
    ingest_now(store, ministry, [an_activity(f"b{n}", title=f"Budget {n} of Ghana") for n in range(3)])
    ingest_now(store, agency, [an_activity("audit", title="Audit in Kenya"), an_activity("v", kind=ActivityKind.VIDEO)])
    with store.writing() as tx:
        assert configuration.tagger is not None
        batch = tx.stream.tags.batch(configuration.tagger, 0)
        assert batch is not None
        tx.stream.tags.write(batch.retagged)
    with serving(app_of(store, configuration=configuration)) as served:
        yield served


def heading(text: str) -> str:
    (found,) = re.findall(r"<h1>(.*?)</h1>", text, re.DOTALL)
    return re.sub(r"<[^>]+>", "", found)


def title(text: str) -> str:
    (found,) = re.findall(r"<title>([^<]*)</title>", text)
    return str(found)


def choices(text: str, menu: str) -> dict[str, str | None]:
    """Return the labels of a menu with their counts."""
    listed = text.partition(f"<h2>{menu}</h2>")[2].partition("</ul>")[0]
    found = re.findall(r'<bdi>([^<]+)</bdi>(?: <span class="number"><span aria-hidden="true">([^<]+)<)?', listed)
    return {label: count or None for label, count in found}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?q=budget", "3 results for “budget”"),
        ("?q=kenya", "1 result for “kenya”"),
        ("?q=zebra", "No results for “zebra”"),
        ("?q=ghana&topic=budget", "3 results for “ghana” in Budget"),
        ("?q=ghana&topic=audits", "No results for “ghana” in Audits"),
        ("?topic=budget&country=gh", "Budget, Ghana: 3 items"),
        ("?kind=video", "Videos: 1 item"),
        ("?topic=budget&kind=video", "Videos, Budget: no items"),
        ("?since=2026-03-01", "From 2026-03-01: 5 items"),
    ],
)
def test_heading_and_title_have_the_search_the_filters_and_the_count(reader: Reader, query: str, expected: str) -> None:
    text = reader.ask(f"/{query}").text
    assert heading(text) == expected
    assert title(text) == f"{expected} \u2013 Activity Stream"


def test_choices_have_counts_within_the_other_filters(reader: Reader) -> None:
    everything = reader.ask("/").text
    assert choices(everything, "Topic") == {"All topics": None, "Budget": "3", "Audits": "1"}
    assert choices(everything, "Type") == {"All types": None, "News": "4", "Videos": "1"}
    of_agency = reader.ask("/?source=agency").text
    assert choices(of_agency, "Topic") == {"All topics": None, "Budget": "0", "Audits": "1"}
    assert choices(of_agency, "Source") == {"All sources": None, "Agency": None, "Ministry": None}
    assert '<option value="GH">Ghana (3)</option>' in everything


def test_counts_are_bounded_and_say_so(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facet_cache, "MOST_COUNTED", 2)
    assert heading(reader.ask("/?topic=budget").text) == "Budget: 2+ items"


@pytest.mark.usefixtures("reader")
def test_counts_follow_the_stream_and_are_read_once_while_it_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = facet_cache.FacetCache()
    counted: list[Any] = []
    with store.reading() as tx:
        whole = type(tx.stream.activities).facets

        def counting(*arguments: Any, **more: Any) -> Any:
            counted.append(arguments)
            return whole(*arguments, **more)

        monkeypatch.setattr(type(tx.stream.activities), "facets", counting)
    for _ in range(3):
        with store.reading() as tx:
            assert kept.facets(tx, Query(limit=5), {}).examined == 5
    assert len(counted) == 1
    ingest_now(store, add_source(store, "more"), [an_activity("new", published=NOON)])
    with store.reading() as tx:
        assert kept.facets(tx, Query(), {}).examined == 6
    assert len(counted) == 2


def test_without_results_the_page_says_what_to_do(reader: Reader) -> None:
    text = reader.ask("/?q=zebra&topic=budget").text
    assert "Remove a filter, or search all items." in text
    assert '<a class="button" href="/?q=zebra">' in text
    assert "Check the spelling" in reader.ask("/?q=zebra").text


def test_empty_values_of_a_form_are_no_filters(reader: Reader) -> None:
    assert heading(reader.ask("/?country=&q=").text) == "Latest activity"


def test_subscriptions_keep_the_filters(reader: Reader) -> None:
    menu = reader.ask("/?topic=budget").text.partition('<details class="subscribe">')[2].partition("</details>")[0]
    assert [re.sub(r"\?.*", "", address) for address in re.findall(r'href="([^"]+)"', menu)][:5] == [
        "/feed.atom", "/feed.rss", "/feed.json", "/feed.as2", "/events.ics",
    ]  # fmt: skip
    assert menu.count("?topic=budget") == 5


def test_further_pages_have_their_own_title_and_no_canonical_address_of_the_first(store: Store) -> None:
    ingest_now(store, add_source(store), [an_activity(f"n{n:02}") for n in range(25)])
    with serving(app_of(store, public_url="https://stream.example")) as served:
        first = served.ask("/?kind=article").text
        (older,) = re.findall(r'<a class="button" rel="next" href="([^"]+)"', first)
        second = served.ask(older.replace("&amp;", "&")).text
    assert 'rel="canonical" href="https://stream.example/?kind=article"' in first
    assert 'rel="canonical"' not in second
    assert title(second) == "News: 25 items, older items \u2013 Activity Stream"


@pytest.mark.browser
def test_a_country_is_found_by_its_name_without_accents(browser: Browser, reader: Reader) -> None:
    page = browser.new_page()
    page.goto(reader.address)
    page.get_by_label("Find a country").fill("cote")
    assert page.locator("#select-country option").all_inner_texts() == ["Côte d'Ivoire (0)"]
    page.get_by_label("Find a country").fill("keny")
    page.get_by_role("button", name="Apply").click()
    assert page.locator("h1").inner_text() == "Kenya: 1 item"
    page.close()


@pytest.mark.browser
def test_countries_and_filters_work_without_scripts(browser: Browser, reader: Reader) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(reader.address)
    page.locator("#select-country").select_option("GH")
    page.get_by_role("button", name="Apply").click()
    assert page.locator("h1").inner_text() == "Ghana: 3 items"
    page.get_by_role("link", name="Remove filter: Ghana").click()
    assert page.locator("h1").inner_text() == "Latest activity"
    context.close()
