"""Test tagging stored items: in batches, under readers' load, without an error or a stale page."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import BY_RULE, Review
from aggregator.domain.moderation.conditions import Condition, Field
from aggregator.domain.moderation.rules import Action, Rule
from aggregator.domain.source import Policy
from aggregator.domain.stream import Query
from aggregator.domain.tagging.vocabulary import Vocabulary
from aggregator.services.screen_entries import screened
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from aggregator.domain.tagging.tagger import Tagger
    from storage.store import Store

TOML = "[topics.water]\nlabel = 'Water'\nkeywords = {en = ['water']}\n"
SECOND = timedelta(seconds=1)


def tagger() -> Tagger:
    made = Vocabulary.of(TOML).tagger
    assert made is not None
    return made


def apply(store: Store, size: int = 250) -> int:
    after = changed = 0
    while True:
        with store.writing() as tx:
            batch = tx.stream.tags.batch(tagger(), after, size)
            if batch is None:
                return changed
            tx.stream.tags.write(batch.retagged)
        after = batch.last
        changed += len(batch.retagged)


def test_tags_and_their_words_change_and_nothing_else(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("1", text="Water in Ghana"), an_activity("2", text="Fire")])
    with store.reading() as tx:
        before = {item.native_id: item for item in tx.stream.activities.page(Query()).items}

    assert apply(store) == 1

    with store.reading() as tx:
        after = {item.native_id: item for item in tx.stream.activities.page(Query()).items}
        found = tx.stream.activities.page(Query(topics=frozenset({"water"}), countries=frozenset({"GH"}))).items
        assert tx.stream.versions.of(before["1"].id) == []
    assert [item.native_id for item in found] == ["1"]
    assert dict(found[0].reasons) == {"water": "Water", "GH": "Ghana"}
    assert after["2"] == before["2"]
    bare = replace(after["1"], topics=(), countries=(), reasons={}, revision=before["1"].revision)
    assert bare == before["1"]
    assert apply(store) == 0


def test_what_rules_tagged_stays_also_when_an_item_is_edited(store: Store) -> None:
    source = add_source(store)
    with store.writing() as tx:
        rule = Rule(0, "r", Action.TAG, (Condition(Field.TITLE, value="Title"),), value="ours", author="ana")
        tx.moderation.rules.add(rule, NOON)
    from aggregator.domain.polling.results import FetchResult
    from aggregator.services.store_result import store_result

    with store.writing() as tx:
        screening = [screened(an_activity("1", text="Water"), Policy.AUTO, NOON, tagger())]
        tx.polling.schedule.claim_these([source.id], NOON, lease=SECOND, token="t")
        store_result(tx, source, FetchResult(), screening, now=NOON, token="t", pace=None)
    with store.writing() as tx:
        edited = an_activity("1", text="Other water", digest="2")
        tx.stream.activities.store(source.id, [screened(edited, Policy.AUTO, NOON, tagger())], NOON)
    apply(store)

    with store.reading() as tx:
        (item,) = tx.stream.activities.page(Query()).items
    assert set(item.topics) == {"water", "ours"}
    assert item.reasons["ours"] == BY_RULE
    assert item.review is Review.PUBLISHED


@pytest.mark.slow
def test_ten_thousand_items_are_tagged_while_readers_read(store: Store) -> None:
    source = add_source(store)
    count = 10_000
    for begin in range(0, count, 1000):
        screening = [
            an_activity(f"n{n}", text="Water here" if n % 2 else "Fire", published=NOON - n * SECOND)
            for n in range(begin, begin + 1000)
        ]
        ingest_now(store, source, screening)
    wrong: list[str] = []
    reads = 0
    ended = threading.Event()
    with serving(app_of(store), watching=True) as reader:

        def read() -> None:
            nonlocal reads
            while not ended.is_set():
                for path in ("/api/v1/activities?limit=100", "/", "/api/v1/activities?topic=water&limit=100"):
                    answer = reader.ask(path)
                    reads += 1
                    if answer.status != 200:
                        wrong.append(f"{path}: {answer.status}")
                    elif "topic=water" in path and any("water" not in item["topics"] for item in answer.json["items"]):
                        wrong.append("a page shows what does not fit its filter")

        readers = [threading.Thread(target=read) for _ in range(2)]
        for thread in readers:
            thread.start()
        changed = apply(store)
        time.sleep(1.5)  # the limit within which every page must be current
        ended.set()
        for thread in readers:
            thread.join()
        shown = reader.ask("/api/v1/activities?topic=water&limit=100").json["items"]
        facets = reader.ask("/api/v1/facets").json["topic"]

    assert changed == count // 2
    assert wrong == []
    assert reads > 20
    assert len(shown) == 100
    assert [(facet["value"], facet["count"]) for facet in facets] == [("water", count // 2)]
