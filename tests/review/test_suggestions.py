"""Test suggestions for the fields of forms over HTTP, on both databases."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import Actor
from storage.tables.stream import activity
from tests.building import add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from tests.review.conftest import Installation


@pytest.mark.parametrize(
    ("field", "words", "values"),
    [
        ("source", "min", ["finance", "health"]),
        ("source", "HEALTH", ["health"]),
        ("source", "%", []),
        ("author", "ana", ["@ana_b"]),
        ("author", "@ana", ["@ana_b"]),
        ("author", "desk", ["News Desk"]),
        ("topic", "open", ["open-contracting", "open-data"]),
        ("topic", "", ["budgets", "open-contracting", "open-data"]),
        ("topic", "zzz", []),
    ],
)
def test_values_are_found_by_a_part_of_their_names(
    house: Installation, field: str, words: str, values: list[str]
) -> None:
    source = add_source(house.store, "finance", name="Ministry of Finance")
    add_source(house.store, "health", name="Ministry of Health")
    ana = an_activity("2", actor=Actor("x", "7", "Ana Bee", "ana_b"))
    ingest_now(house.store, source, [an_activity("1", actor=Actor("web", "d", "News Desk")), replace(ana, key="x:2")])
    with house.store.engine.begin() as connection:
        topics = ["open-data", "budgets", "open-contracting"]
        connection.execute(activity.update().where(activity.c.native_id == "1").values(topics=topics))
    answer = house.visitor().get(f"/review/suggest?field={field}&q={words.replace('%', '%25')}")
    assert [found["value"] for found in json.loads(answer.text)] == values


def test_suggestions_need_a_known_field_and_a_session(sqlite_house: Installation) -> None:
    assert sqlite_house.visitor().get("/review/suggest?field=password&q=a").status == 422
    assert sqlite_house.somebody().get("/review/suggest?field=source&q=a").status == 303
