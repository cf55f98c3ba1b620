"""Test lists of sources: pages, filters and staleness, which SQL and the domain decide alike."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING

from sqlalchemy import update

from aggregator.domain.source import Place, SourceFilter, SourceState
from aggregator.domain.source_health import LATE_BY, is_stale
from storage.tables.polling import source as table
from tests.building import NOON, add_source

if TYPE_CHECKING:
    from storage.store import Store

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def test_the_stale_sources_of_sql_are_those_of_the_domain(store: Store) -> None:
    overdue = NOON - 2 * HOUR - LATE_BY
    states = [SourceState.ACTIVE, SourceState.STOPPED, SourceState.PAUSED]
    successes = [None, NOON - HOUR]
    dues = [NOON + HOUR, NOON - LATE_BY, overdue - SECOND, overdue, overdue + SECOND]
    for number, (state, failures, success, due) in enumerate(product(states, [0, 1, 2], successes, dues)):
        added = add_source(store, f"s{number:03}")
        values = {"state": state.value, "failures": failures, "last_success": success, "due": due, "interval": 3600}
        with store.engine.begin() as connection:
            connection.execute(update(table).where(table.c.id == added.id).values(values))
    with store.reading() as tx:
        expected = [source.slug for source in tx.polling.sources.each() if is_stale(source.state, source.poll, NOON)]
        assert [source.slug for source in tx.polling.sources.stale(NOON, 1000)] == expected
        assert [source.slug for source in tx.polling.sources.each_stale(NOON)] == expected
        assert len(tx.polling.sources.stale(NOON, 7)) == 7


def test_pages_give_every_source_once(store: Store) -> None:
    for number in range(7):
        add_source(store, f"s{number}")
    with store.writing() as tx:
        tx.polling.sources.set_state(1, SourceState.REMOVED, "", NOON)
        tx.polling.sources.set_state(2, SourceState.PAUSED, "", NOON)
    found, after = [], ""
    with store.reading() as tx:
        while page := tx.polling.sources.page(2, after):
            found += [source.slug for source in page]
            after = page[-1].slug
        assert found == [source.slug for source in tx.polling.sources.each()] == ["s1", "s2", "s3", "s4", "s5", "s6"]
        assert tx.polling.sources.count() == 6
        assert tx.polling.sources.count_by_state() == {SourceState.ACTIVE: 5, SourceState.PAUSED: 1}
        assert [choice.slug for choice in tx.polling.sources.choices(2, ["s6"])] == ["s1", "s2", "s6"]


def test_filters_choose_what_they_name(store: Store) -> None:
    add_source(store, "news", name="Évora News")
    add_source(store, "ana", "twitter", address="@Ana", options={"user_id": "17"}, name="50% Ana_")
    with store.writing() as tx:
        tx.polling.sources.change(1, managed="sources.toml")

    def slugs(which: SourceFilter) -> list[str]:
        with store.reading() as tx:
            assert tx.polling.sources.count(which) == len([*tx.polling.sources.each(which)])
            return [source.slug for source in tx.polling.sources.each(which)]

    assert slugs(SourceFilter(kinds=["twitter"])) == ["ana"]
    assert slugs(SourceFilter(managed="sources.toml")) == ["news"]
    assert slugs(SourceFilter(user_id="17")) == ["ana"]
    assert slugs(SourceFilter(state=SourceState.PAUSED)) == []
    assert slugs(SourceFilter(search="NEWS")) == ["news"]
    assert slugs(SourceFilter(search="évora")) == ["news"]
    assert slugs(SourceFilter(search="50% ana_")) == ["ana"]
    assert slugs(SourceFilter(search="5%a")) == []
    with store.reading() as tx:
        assert [source.slug for source in tx.polling.sources.following("twitter", ["17", "18"])] == ["ana"]
        assert tx.polling.sources.slugs_at(["@ana"]) == {"ana"}
        assert tx.polling.sources.ids(["ana", "nobody"]) == {"ana": 2}
        assert tx.polling.sources.names(["news"]) == {"news": "Évora News"}


def test_former_addresses_follow_the_present_ones(store: Store) -> None:
    source = add_source(store, "news")
    with store.writing() as tx:
        assert tx.polling.sources.move(source, Place("https://b.example/", "b.example:443"), "", NOON, who="ana")
        assert [*tx.polling.sources.each_address()] == [("news", "https://b.example/"), ("news", source.address)]
