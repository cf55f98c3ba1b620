"""Test requests for polls after pushed events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from storage.tables.polling import source as source_table
from tests.building import NOON, add_source, token

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.source import Source
    from storage.store import Store

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def _announce(store: Store, source: Source, now: datetime) -> None:
    with store.writing() as tx:
        tx.polling.pushes.announce([source.id], now, timedelta(), timedelta())


def test_an_event_during_a_requested_poll_requests_another(store: Store) -> None:
    """The poll may have read the network before the event; one that has not begun will read what it announces."""
    source = add_source(store, now=NOON - HOUR)
    _announce(store, source, NOON)
    _announce(store, source, NOON + SECOND)
    assert _requested_at(store) == NOON  # nothing to write
    with store.writing() as tx:
        tx.polling.schedule.claim_these([source.id], NOON + 2 * SECOND, lease=HOUR, token=token())
    _announce(store, source, NOON + 3 * SECOND)
    assert _requested_at(store) == NOON + 3 * SECOND


def _requested_at(store: Store) -> datetime | None:
    with store.engine.connect() as connection:
        requested: datetime | None = connection.execute(select(source_table.c.asked)).scalar_one()
    return requested
