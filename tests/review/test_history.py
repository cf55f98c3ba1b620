"""Test the page of the audit log over HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from tests.building import NOON
from tests.counting import counted_statements
from tests.review.test_queue import marks, waiting

if TYPE_CHECKING:
    from tests.review.conftest import Installation


def test_entries_are_sentences_with_titles_and_changes_in_words(house: Installation) -> None:
    (id_,) = waiting(house.store, 1)
    ana = house.visitor(role=Role.EDITOR)
    ana.post("/review/decide", {"one": f"hide {marks(ana.get('/review').text)[id_]} 3"})
    ana.post("/review/sources/news/policy", {"policy": "auto", "on_edit": "stay", "trusted": "Ben\n@cleo"})

    page = ana.get("/review/history").text
    text = " ".join(re.sub(r"<details>.*?</details>|<[^>]+>", " ", page, flags=re.DOTALL).split())

    assert f'<a href="/review/items/{id_}" dir="auto">“Title news0”</a>' in page
    assert "ana hid “Title news0” . Reason: advertising or spam" in text
    assert "Status: waiting → hidden" in text
    assert "New items: hold for review → publish immediately" in text
    assert "Trusted authors: Ben, cleo" in text
    for machine in ("{", "[", "activity:", "hash", "Hash"):
        assert machine not in text
    assert re.search(r"<details>.*?Hash</dt><dd><code>[0-9a-f]{64}", page, re.DOTALL)


def test_removed_subjects_have_no_link(sqlite_house: Installation) -> None:
    with sqlite_house.store.writing() as tx:
        tx.moderation.audit.note(NOON, "ana", "hid", "activity:99", {})
        tx.moderation.audit.note(NOON, "ana", "deleted a rule", "rule:9", {"before": {"name": "No <b>casinos</b>"}})
    page = sqlite_house.visitor().get("/review/history").text
    assert "an item that was removed (99)" in page
    assert "“No &lt;b&gt;casinos&lt;/b&gt;”" in page
    assert "/review/items/99" not in page


def test_the_history_of_any_length_takes_the_same_number_of_queries(sqlite_house: Installation) -> None:
    ids = waiting(sqlite_house.store, 40)
    ana = sqlite_house.visitor()
    seen = marks(ana.get("/review").text)

    def statements() -> int:
        with counted_statements(sqlite_house.store) as seen_statements:
            ana.get("/review/history")
        return len(seen_statements)

    ana.post("/review/decide", {"action": "hide", "item": seen[ids[0]]})
    few = statements()
    ana.post("/review/decide", {"action": "hide", "item": [seen[id_] for id_ in ids[1:]]})
    assert statements() == few
