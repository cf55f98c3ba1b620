"""Test the numbers of the stream: what they count, in three forms that agree, and that they are accessible."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.domain.activity import ActivityKind, Review
from storage.stream import statistics
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from storage.store import Store
    from tests.reader.serving import Reader

DAY = timedelta(days=1)


def fill(store: Store) -> None:
    """Store five items of three days, an older one and a hidden one."""
    news, other = add_source(store, "news"), add_source(store, "other", name="=1+1")
    ages = {"1": 0 * DAY, "2": 0 * DAY, "3": DAY, "4": 3 * DAY, "old": 40 * DAY, "hidden": DAY}
    ingest_now(store, news, [an_activity(name, published=NOON - age) for name, age in ages.items()])
    ingest_now(store, other, [an_activity("event", kind=ActivityKind.EVENT, published=NOON)])
    with store.reading() as tx:
        hidden = tx.stream.activities.known(news.id, ["hidden"])["hidden"].id
    decide(store, [hidden], Review.HIDDEN)


def days_of(numbers: dict[str, Any]) -> dict[str, int]:
    return {day["date"]: day["count"] for day in numbers["days"]}


def counts_of(numbers: dict[str, Any], dimension: str) -> dict[str, int]:
    return {value["value"]: value["count"] for value in numbers[dimension]}


def test_visible_items_are_counted_by_day_and_value(store: Store, reader: Reader) -> None:
    fill(store)
    numbers = reader.ask("/stats.json?days=4").json
    assert days_of(numbers) == {"2026-02-27": 1, "2026-02-28": 0, "2026-03-01": 1, "2026-03-02": 3}
    assert counts_of(numbers, "source") == {"news": 4, "other": 1}
    assert counts_of(numbers, "kind") == {"article": 4, "event": 1}
    assert counts_of(numbers, "network") == {"web": 5}
    assert (numbers["since"], numbers["counted"], numbers["partial"]) == ("2026-02-27", 5, False)
    assert reader.ask("/stats.json?days=92").json["counted"] == 6


def test_a_day_ends_at_midnight_utc(store: Store, reader: Reader) -> None:
    midnight = NOON.replace(hour=0)
    moments = {"before": midnight - timedelta(seconds=1), "at": midnight}
    ingest_now(store, add_source(store), [an_activity(name, published=at) for name, at in moments.items()])
    assert days_of(reader.ask("/stats.json?days=2").json) == {"2026-03-01": 1, "2026-03-02": 1}


def test_all_forms_have_the_same_numbers(sqlite_store: Store, sqlite_reader: Reader) -> None:
    fill(sqlite_store)
    numbers = sqlite_reader.ask("/stats.json?days=4").json
    answer = sqlite_reader.ask("/stats.csv?days=4")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["value"]: int(row["count"]) for row in rows if row["dimension"] == "day"} == days_of(numbers)
    for name in ("source", "kind", "network"):
        found = {row["value"]: int(row["count"]) for row in rows if row["dimension"] == name}
        assert found == counts_of(numbers, name)
    assert "'=1+1" in [row["label"] for row in rows]  # a spreadsheet would compute it
    page = sqlite_reader.ask("/stats?days=4").text
    assert "5 published items since February 27, 2026" in page
    assert '<a href="/?source=news">' in page


def test_beyond_the_limit_the_newest_are_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics.statistics, "__kwdefaults__", {"most": 2})
    fill(store)
    with serving(app_of(store)) as reader:
        numbers = reader.ask("/stats.json?days=4").json
        assert (numbers["counted"], numbers["partial"], numbers["since"]) == (2, True, "2026-03-02")
        assert "Only the newest 2 are counted" in reader.ask("/stats").text


@pytest.mark.parametrize("query", ["days=0", "days=93", "days=x", "days=7&days=7", "source=news"])
@pytest.mark.parametrize("path", ["/stats", "/stats.csv", "/stats.json"])
def test_other_periods_are_refused(empty_reader: Reader, path: str, query: str) -> None:
    assert empty_reader.ask(f"{path}?{query}").status == 400


def test_an_empty_stream_has_days_without_items(empty_reader: Reader) -> None:
    numbers = empty_reader.ask("/stats.json?days=7").json
    assert list(days_of(numbers).values()) == [0] * 7
    assert empty_reader.ask("/stats").status == 200


def test_a_hidden_item_is_no_longer_counted_by_a_cached_response(sqlite_store: Store) -> None:
    fill(sqlite_store)
    with serving(app_of(sqlite_store), watching=True) as reader:
        assert reader.ask("/stats.json").json["counted"] == 5
        decide(sqlite_store, [1], Review.HIDDEN)
        until(lambda: reader.ask("/stats.json").json["counted"] == 4)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_and_fits(
    browser: Browser, sqlite_store: Store, sqlite_reader: Reader, scheme: Any
) -> None:
    fill(sqlite_store)
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.goto(f"{sqlite_reader.address}/stats")
    page.locator("details").evaluate("(details) => (details.open = true)")
    violations = Axe().run(page)["violations"]
    assert [(found["id"], [node["html"] for node in found["nodes"]]) for found in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.get_by_role("img", name="Items per day").count() == 1
    page.close()
