"""Test that an unknown source or topic is an error everywhere, and that topics of items are known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened
from tests.building import NOON, add_source, an_activity

if TYPE_CHECKING:
    from storage.store import Store
    from tests.reader.serving import Reader

PATHS = (
    *("/", "/embed", "/embed/items", "/events.ics", "/api/v1/activities", "/api/v1/facets", "/api/v1/live"),
    *("/feed.rss", "/feed.atom", "/feed.json", "/feed.as2?page=first"),
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("name", "code"), [("topic", "unknown-topic"), ("source", "unknown-source")])
def test_an_unknown_value_is_refused_everywhere(empty_reader: Reader, path: str, name: str, code: str) -> None:
    answer = empty_reader.ask(f"{path}{'&' if '?' in path else '?'}{name}=nothing")
    assert answer.status == 400
    if path != "/embed":  # it names its mistake within the frame
        assert answer.json["code"] == code
        assert "'nothing'" in answer.json["detail"]


def test_topics_of_visible_items_are_known_without_a_vocabulary(store: Store, reader: Reader) -> None:
    source = add_source(store)
    tagged = replace(screened(an_activity("1"), Policy.AUTO, NOON), topics=("water",))
    with store.writing() as tx:
        tx.stream.activities.store(source.id, [tagged], NOON)
    assert [item["native_id"] for item in reader.items("?topic=water")] == ["1"]
    assert reader.ask("/api/v1/activities?topic=water,fire").json["code"] == "unknown-topic"
