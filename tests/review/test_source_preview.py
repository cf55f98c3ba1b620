"""Test the preview of a source at the desk: content, notes, role, token, and adding it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.domain.access.accounts import Role

if TYPE_CHECKING:
    from tests.review.conftest import Installation

PATH = "/review/sources/preview"
FIELDS = {"address": "https://tide.example/", "policy": "delay", "delay": "30", "option.rss.identity": "guid"}


def test_a_preview_shows_entries_and_notes_and_adds_nothing(house: Installation) -> None:
    page = house.visitor("ana", Role.EDITOR).post(PATH, FIELDS)
    assert page.status == 200
    for words in (
        "The Tide", "https://tide.example/feed", "announces this feed", "3 items would be stored",
        "The newest 2 are shown", "Storm &lt;i&gt;now&lt;/i&gt;", "Ana &amp; &lt;b&gt;Ben&lt;/b&gt;", "a.jpg",
        "Town hall",
        "recognized by its content", "identity&#39;: &#39;guid",
    ):  # fmt: skip
        assert words in page.text, words
    assert "<img" not in page.text.partition("desk-main")[2]
    with house.store.reading() as tx:
        assert [*tx.polling.sources.each()] == []


def test_a_preview_offers_to_add_the_source_with_the_same_fields(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor("ana", Role.EDITOR)
    page = ana.post(PATH, FIELDS)
    for name, value in FIELDS.items():
        assert f'<input type="hidden" name="{name}" value="{value}">' in page.text
    assert "Add this source" in page.text
    known = ana.post(PATH, {**FIELDS, "address": "https://known.example/"})
    assert "Already added" in known.text
    assert "Add this source" not in known.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"address": "https://nowhere.example/"}, "can&#39;t be reached"),
        ({"address": ""}, "address"),
        ({"address": "https://tide.example/", "policy": "delay"}, "Enter the delay"),
    ],
    ids=["unreachable", "empty", "no-delay"],
)
def test_what_has_no_preview_says_why(sqlite_house: Installation, fields: dict[str, str], words: str) -> None:
    page = sqlite_house.visitor("ana", Role.EDITOR).post(PATH, fields)
    assert page.status == 422
    assert words in page.text


def test_a_preview_needs_the_role_that_may_add_sources_and_a_token(sqlite_house: Installation) -> None:
    assert sqlite_house.visitor("rita", Role.REVIEWER).post(PATH, FIELDS).status == 403
    assert sqlite_house.visitor("ana", Role.EDITOR).post(PATH, FIELDS, csrf="0" * 64).status in {400, 403}
    assert sqlite_house.somebody().post(PATH, FIELDS, csrf="x").status in {303, 401, 403}


def test_a_recurring_cost_is_confirmed_before_the_source_is_added(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor("ana", Role.EDITOR)
    costly = {**FIELDS, "address": "https://costly.example/", "option.rss.identity": ""}
    first = ana.post("/review/sources/add", costly)
    assert first.status == 422
    assert "That costs up to $0.30 a day." in first.text
    assert "Add at this cost" in first.text
    hidden = '<input type="hidden" name="confirmed" value="https://costly.example/">'
    assert hidden in first.text
    assert hidden in ana.post(PATH, costly).text
    other = ana.post("/review/sources/add", {**costly, "confirmed": "https://another.example/"})
    assert "Add at this cost" in other.text
    done = ana.post("/review/sources/add", {**costly, "confirmed": "https://costly.example/"})
    assert "reached from a test" in done.text
