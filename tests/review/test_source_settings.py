"""Test the settings and the address of a source over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.source import Undescribed
from tests.building import add_source

if TYPE_CHECKING:
    from aggregator.domain.source import Source
    from tests.review.conftest import Installation


def _source(house: Installation, slug: str = "news") -> Source:
    with house.store.reading() as tx:
        source = tx.polling.sources.get(slug)
    assert source is not None
    return source


def test_a_source_is_renamed_and_gets_other_intervals(house: Installation) -> None:
    add_source(house.store)
    ana = house.visitor(role=Role.EDITOR)
    fields = {"name": " The  News ", "folder": "Press", "every": "2h", "ceiling": "2d"}

    assert ana.follow(ana.post("/review/sources/news/settings", fields)).message == "Settings saved."

    source = _source(house)
    assert (source.name, source.folder) == ("The News", "Press")
    assert (source.every, source.ceiling) == (timedelta(hours=2), timedelta(days=2))
    with house.store.reading() as tx:
        (note,) = tx.moderation.audit.page(subject="source:news")
    assert note["what"] == "changed a source"
    ana.post("/review/sources/news/settings", {**fields, "every": ""})
    assert _source(house).every is None


def test_settings_that_can_not_be_are_refused(sqlite_house: Installation) -> None:
    add_source(sqlite_house.store)
    ana = sqlite_house.visitor(role=Role.EDITOR)
    before = _source(sqlite_house)
    for wrong in ({"name": ""}, {"every": "1m"}, {"every": "soon"}, {"ceiling": "90d"}, {"folder": "x" * 61}):
        assert ana.post("/review/sources/news/settings", {"name": "News", **wrong}).status == 422, wrong
    assert _source(sqlite_house) == before
    with sqlite_house.store.writing() as tx:
        tx.polling.sources.change(before.id, managed="sources.toml")
    assert ana.post("/review/sources/news/settings", {"name": "x"}).status == 409
    assert ana.post("/review/sources/news/address", {"address": "x", "do": "check"}).status == 409


def test_an_address_is_checked_before_it_is_changed(sqlite_house: Installation) -> None:
    add_source(sqlite_house.store)
    add_source(sqlite_house.store, "social", kind="twitter")
    ana = sqlite_house.visitor(role=Role.EDITOR)
    path, new = "/review/sources/news/address", "https://tide.example/feed"

    found = ana.post(path, {"address": new, "do": "check"})
    assert found.status == 200
    assert "Storm &lt;i&gt;now&lt;/i&gt;" in found.text
    assert _source(sqlite_house).address == "https://news.example/feed"
    complaints = {"https://nowhere.example/": "be reached", "https://known.example/": "&#39;news&#39;"}
    for address, complaint in complaints.items():
        refused = ana.post(path, {"address": address, "do": "check"})
        assert refused.status == 422
        assert 'value="change"' not in refused.text
        assert complaint in refused.text or "present address" in refused.text
    other_kind = ana.post("/review/sources/social/address", {"address": new, "do": "check"})
    assert "This address is read as rss, but the source is twitter." in other_kind.text

    done = ana.follow(ana.post(path, {"address": new, "do": "change"}))
    assert done.message == f"News is now polled at {new}."
    assert _source(sqlite_house).address == new


def test_items_with_undescribed_images_can_be_held(sqlite_house: Installation) -> None:
    add_source(sqlite_house.store)
    ana = sqlite_house.visitor(role=Role.EDITOR)
    ana.post("/review/sources/news/policy", {"policy": "auto", "on_edit": "stay", "undescribed": "hold"})
    assert _source(sqlite_house).undescribed is Undescribed.HOLD
