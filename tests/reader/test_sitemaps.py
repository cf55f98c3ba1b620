"""Test the sitemap: bounded parts, times of changes, and nothing that isn't visible."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from aggregator.domain.activity import Review
from storage.stream import sitemap
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from storage.store import Store
    from tests.reader.serving import Reader

NAMES = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


def addresses(reader: Reader, path: str) -> list[str]:
    answer = reader.ask(path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/xml"
    return [str(element.text) for element in etree.fromstring(answer.body).iterfind(".//s:loc", NAMES)]


def test_every_visible_item_is_in_one_part(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap, "PART", 3)
    source = add_source(store)
    ingest_now(store, source, [an_activity(str(number)) for number in range(1, 12)])
    decide(store, [4, 5, 6, 8], Review.HIDDEN)
    with serving(app_of(store, public_url="https://stream.example/news")) as reader:
        home = "https://stream.example/news"
        assert addresses(reader, "/sitemap.xml") == [f"{home}/sitemap-{name}.xml" for name in ("pages", "3", "2", "0")]
        listed = [addresses(reader, f"/sitemap-{part}.xml") for part in (0, 2, 3)]
        assert listed == [[f"{home}/activities/{id_}" for id_ in ids] for ids in ((1, 2, 3), (7, 9), (10, 11))]
        assert reader.ask("/sitemap-1.xml").status == 404  # a sitemap without addresses is invalid
        assert f"{home}/docs" in addresses(reader, "/sitemap-pages.xml")


@pytest.mark.parametrize("part", ["x", "-1", "01", "9" * 16, "999999999999999"])
def test_other_parts_do_not_exist(empty_reader: Reader, part: str) -> None:
    assert empty_reader.ask(f"/sitemap-{part}.xml").status == 404


def test_an_empty_stream_has_the_pages_of_the_portal(empty_reader: Reader) -> None:
    (address,) = addresses(empty_reader, "/sitemap.xml")
    assert address == f"{empty_reader.address}/sitemap-pages.xml"
    assert f"{empty_reader.address}/" in addresses(empty_reader, "/sitemap-pages.xml")


def test_the_last_change_is_an_edit_or_a_decision_and_never_in_the_future(
    sqlite_store: Store, sqlite_reader: Reader
) -> None:
    source, hour = add_source(sqlite_store), timedelta(hours=1)
    edited = an_activity("1", updated=NOON - hour)
    ahead = an_activity("2", updated=NOON + timedelta(days=900))
    ingest_now(sqlite_store, source, [edited, ahead, an_activity("3")], now=NOON - 2 * hour)
    decide(sqlite_store, [3], Review.HIDDEN, now=NOON - hour)
    decide(sqlite_store, [3], Review.PUBLISHED, now=NOON)
    root = etree.fromstring(sqlite_reader.ask("/sitemap-0.xml").body)
    times = [element.text for element in root.iterfind(".//s:lastmod", NAMES)]
    assert times == ["2026-03-02T11:00:00Z", "2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z"]


def test_an_unchanged_sitemap_costs_no_bytes(sqlite_store: Store, sqlite_reader: Reader) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity("1")])
    for path in ("/sitemap.xml", "/sitemap-0.xml", "/sitemap-pages.xml", "/robots.txt", "/manifest.webmanifest"):
        tag = sqlite_reader.ask(path).headers["etag"]
        again = sqlite_reader.ask(path, headers={"If-None-Match": tag})
        assert (again.status, again.body) == (304, b"")
