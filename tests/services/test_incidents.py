"""Test incidents of sources on both databases: each begins, alerts and ends once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.monitoring.incidents import IncidentKind
from aggregator.domain.polling.results import FetchResult
from aggregator.domain.source import SourceState
from aggregator.services.incidents import attend_incidents, incident_conditions, note_alerts
from aggregator.services.screen_entries import screened_all
from aggregator.services.store_result import store_result
from tests.building import NOON, add_source, an_activity

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.monitoring.incidents import Incident
    from storage.store import Store

DAY = timedelta(days=1)


def poll(store: Store, now: datetime, *published: datetime, slug: str = "news") -> None:
    """Store the result of a poll that finds items of these times."""
    items = [an_activity(f"{slug}-{moment:%Y%m%d%H%M}", published=moment) for moment in published]
    with store.writing() as tx:
        source = tx.polling.sources.get(slug)
        assert source is not None
        tx.polling.schedule.claim_these([source.id], now, lease=DAY, token="t")
        result = FetchResult(activities=items)
        screening = screened_all(source, result, now)
        store_result(tx, source, result, screening, now=now, token="t", pace=None)


def attended(store: Store, now: datetime) -> list[str]:
    """Attend to the incidents; return the sentences of the alerts that are open."""
    with store.writing(lock_stream=False) as tx:
        attend_incidents(tx, now)
        conditions = list(incident_conditions(tx, now))
        note_alerts(tx, now)
    return [condition.sentence for condition in conditions]


def incidents(store: Store) -> list[Incident]:
    with store.reading() as tx:
        return tx.monitoring.incidents.page(100)


@pytest.fixture
def silent(store: Store) -> datetime:
    """Add a source that posted every two days until now, and return the time of its newest item."""
    add_source(store, "news", name="News")
    posts = [NOON + day * DAY for day in range(0, 40, 2)]
    poll(store, posts[-1], *posts)
    return posts[-1]


def test_a_silence_begins_once_and_ends_with_the_next_item(store: Store, silent: datetime) -> None:
    poll(store, silent + 4 * DAY)
    assert attended(store, silent + 4 * DAY) == []
    for days in (19, 20):
        poll(store, silent + days * DAY)
        assert attended(store, silent + days * DAY) == [
            "News went silent: it posts every 2 d on average, and pauses of up to 2 d are usual; nothing for 19 d."
        ]
    (incident,) = incidents(store)
    assert (incident.kind, incident.subject) == (IncidentKind.SILENCE, "source:news")
    assert incident.evidence["usual_gap_hours"] == 48
    assert incident.notified == silent + 19 * DAY

    poll(store, silent + 21 * DAY, silent + 21 * DAY)
    assert attended(store, silent + 21 * DAY) == []
    assert [incident.ended for incident in incidents(store)] == [silent + 21 * DAY]


def test_a_source_that_is_not_polled_is_not_silent(store: Store, silent: datetime) -> None:
    assert attended(store, silent + 19 * DAY) == []


def test_a_stopped_source_is_no_longer_silent(store: Store, silent: datetime) -> None:
    poll(store, silent + 19 * DAY)
    assert attended(store, silent + 19 * DAY)
    with store.writing() as tx:
        (source,) = tx.polling.sources.each()
        tx.polling.sources.set_state(source.id, SourceState.PAUSED, "by hand", silent + 19 * DAY)
    assert attended(store, silent + 20 * DAY) == []


def test_a_snoozed_incident_alerts_later_and_a_muted_one_never(store: Store, silent: datetime) -> None:
    now = silent + 19 * DAY
    poll(store, now)
    with store.writing(lock_stream=False) as tx:
        attend_incidents(tx, now)
        (incident,) = tx.monitoring.incidents.open()
        tx.monitoring.incidents.snooze(incident.id, now + DAY)
    assert attended(store, now) == []
    assert attended(store, now + 2 * DAY) != []
    with store.writing(lock_stream=False) as tx:
        tx.monitoring.incidents.snooze(incident.id, now + 9 * DAY)
    assert attended(store, now + 2 * DAY) != []  # the open alert would be reported as ended

    with store.writing(lock_stream=False) as tx:
        tx.monitoring.incidents.mute(incident.id, muted=True)
    poll(store, now + 3 * DAY, now + 3 * DAY)
    attended(store, now + 3 * DAY)
    poll(store, now + 40 * DAY)
    assert attended(store, now + 40 * DAY) == []
    assert [incident.muted for incident in incidents(store)] == [True, True]
