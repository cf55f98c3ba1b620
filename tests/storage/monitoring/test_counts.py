"""Test counts on both databases: added in the poll's transaction, and merged without changing the totals."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from aggregator.domain.activity import ActivityKind
from aggregator.domain.monitoring.counts import DELAY, ITEMS, POLLS, CountKey
from aggregator.domain.polling.results import FetchResult
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened_all
from aggregator.services.store_result import store_result
from storage.tables.monitoring import daily_count
from tests.building import NOON, add_source, an_activity, token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.source import Source
    from storage.store import Store

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def _poll(store: Store, source: Source, activities: Sequence[NewActivity], *, broken: bool = False) -> None:
    """Store a poll at noon; a broken one fails after it was counted."""
    result, under = FetchResult(activities=activities), token()
    with store.writing() as tx:
        tx.polling.schedule.claim_these([source.id], NOON, lease=HOUR, token=under)
        current = tx.polling.schedule.lock_leased(source.id, under)
        assert current is not None
        screening = screened_all(current, result, NOON, None)
        store_result(tx, current, result, screening, now=NOON, token=under, pace=None)
        if broken:
            raise ZeroDivisionError


def _rows(store: Store) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(daily_count)).scalar_one()


def test_a_poll_is_counted_in_its_own_transaction(store: Store) -> None:
    source = add_source(store)
    with pytest.raises(ZeroDivisionError):
        _poll(store, source, [an_activity("1")], broken=True)
    with store.reading() as tx:
        assert tx.monitoring.counts.totals() == {}
    _poll(store, source, [an_activity("1"), an_activity("2")])
    _poll(store, source, [an_activity("3", published=NOON - 2 * HOUR)])
    with store.reading() as tx:
        totals = tx.monitoring.counts.totals()
    assert totals[CountKey(POLLS, "rss", "new")] == 2
    assert totals[CountKey(ITEMS, "rss", "new")] == 3
    # The first entries of a source are old: their age is no delay.
    assert {key: count for key, count in totals.items() if key.measure == DELAY} == {CountKey(DELAY, "web", "7200"): 1}


def test_only_what_is_visible_at_once_has_a_delay(store: Store) -> None:
    open_, reviewed = add_source(store), add_source(store, "reviewed", policy=Policy.HOLD)
    for source in (open_, reviewed):
        _poll(store, source, [an_activity("1")])
    _poll(store, reviewed, [an_activity("2")])
    _poll(store, open_, [an_activity("3", published=None), an_activity("4", kind=ActivityKind.EVENT)])
    with store.reading() as tx:
        assert [key for key in tx.monitoring.counts.totals() if key.measure == DELAY] == []


def test_merged_days_keep_the_totals(store: Store) -> None:
    keys = {CountKey(POLLS, "rss", "new"): 3, CountKey(POLLS, "x", "failed:too-slow"): 1}
    for back in range(5):
        with store.writing() as tx:
            tx.monitoring.counts.add(keys, NOON - back * DAY)
    for _ in range(2):
        with store.writing() as tx:
            tx.monitoring.counts.merge((NOON - DAY).date().isoformat())
    assert _rows(store) == 3 * len(keys)
    with store.reading() as tx:
        assert tx.monitoring.counts.totals() == {key: 5 * count for key, count in keys.items()}
        today = tx.monitoring.counts.totals(NOON.date().isoformat())
    assert today == keys


def test_the_table_grows_with_days_alone(store: Store) -> None:
    for number in range(3):
        source = add_source(store, f"s{number}")
        for round_ in range(3):
            _poll(store, source, [an_activity(f"{number}-{round_}")])
    before = _rows(store)
    _poll(store, add_source(store, "more"), [an_activity("more")])
    assert _rows(store) == before
