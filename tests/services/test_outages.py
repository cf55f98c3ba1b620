"""Test outages of host groups with a moved clock and a real HTTP server: one message, few requests, quick recovery."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.monitoring.incidents import Finding, IncidentKind
from aggregator.domain.source import SourceState
from aggregator.services.alert_rounds import AlertNotifier
from storage.tables.polling import fetch_log, source
from tests.building import NOON, add_source
from tests.upstream import Publisher, sample_feed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from aggregator.domain.monitoring.incidents import Incident
    from storage.store import Store

TICK = timedelta(seconds=15)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CHANNELS = 200


class Installation:
    """An installation whose scheduler, worker and alerts run when the test moves the clock."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.now = NOON
        environ = {
            "AGGREGATOR_DATA_DIR": str(folder),
            "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
            "AGGREGATOR_WEBHOOK_URL": "https://hooks.example/",
            "AGGREGATOR_WEBHOOK_SECRET": "a-secret-of-sixteen-and-more",
        }
        settings = Settings.from_environment(environ)
        self.container = Container(settings, lambda: self.now)
        self.messages: list[bytes] = []
        self.notifier = AlertNotifier(
            store, settings, lambda: self.now, lambda _url, body, _headers: self.messages.append(body)
        )
        self.store = store

    def run(self, span: timedelta, step: timedelta = TICK) -> None:
        """Let ticks run, with their polls, and alerts at every minute."""
        end = self.now + span
        while self.now < end:
            self.now += step
            for batch in self.container.dispatcher.claim():
                self.container.polling.poll(batch.ids, batch.token)
            if (self.now - NOON) % MINUTE == timedelta():
                self.notifier.attend()

    def incidents(self) -> list[Incident]:
        with self.store.reading() as tx:
            return tx.monitoring.incidents.page(100)

    def column(self, name: str) -> list[Any]:
        with self.store.engine.connect() as connection:
            return list(connection.execute(select(source.c[name]).order_by(source.c.id)).scalars())

    def polls_since(self, since: datetime) -> int:
        with self.store.engine.connect() as connection:
            counted = select(func.count()).where(fetch_log.c.started > since)
            return connection.execute(counted).scalar_one()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(feeds=12, entries=1) as publisher:
        yield publisher


@pytest.fixture
def installation(store: Store, tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(store, tmp_path)
    yield installation
    installation.container.close()


def follow(store: Store, publisher: Publisher, count: int) -> None:
    for number in range(1, count + 1):
        publisher.feeds.setdefault(str(number), sample_feed(str(number), 1))
        add_source(store, f"s{number}", address=publisher.url(f"/good/{number}.xml"), host=publisher.host)


@pytest.mark.parametrize(
    "length", [pytest.param(5 * DAY, marks=pytest.mark.slow, id="5-days"), pytest.param(HOUR, id="an-hour")]
)
def test_a_long_outage_is_one_message_with_few_requests(
    installation: Installation, store: Store, publisher: Publisher, length: timedelta
) -> None:
    follow(store, publisher, CHANNELS)
    installation.run(timedelta(minutes=40))
    assert set(installation.column("failures")) == {0}
    assert installation.incidents() == []

    publisher.status = 500
    before = publisher.hits.total()
    installation.run(timedelta(minutes=10))
    assert publisher.hits.total() - before <= 40  # requests until it is recognized
    failures = installation.column("failures")
    began = installation.now
    (incident,) = installation.incidents()
    assert (incident.kind, incident.subject) == (IncidentKind.OUTAGE, f"host:{publisher.host}")
    assert f"of {CHANNELS} sources in all" in incident.sentence
    assert incident.evidence["failing"] >= 10

    before = publisher.hits.total()
    closely = min(length - timedelta(minutes=10), 2 * HOUR)
    installation.run(closely)
    installation.run(length - timedelta(minutes=10) - closely, 5 * MINUTE)
    assert publisher.hits.total() - before <= (installation.now - began) / QUARTER + 1  # probes
    assert installation.column("failures") == failures  # they stand still
    assert set(installation.column("state")) == {SourceState.ACTIVE.value}
    assert len(installation.messages) == 1

    publisher.status = None
    recovered = installation.now
    while min(installation.column("last_success")) < recovered and installation.now < recovered + 2 * HOUR:
        installation.run(MINUTE)
    fresh = installation.now
    last_probe = first_success(store, recovered)
    assert last_probe - recovered <= HOUR + MINUTE
    assert fresh - last_probe <= timedelta(minutes=10)
    installation.run(timedelta(minutes=15))
    assert set(installation.column("failures")) == {0}
    assert set(installation.column("state")) == {SourceState.ACTIVE.value}
    assert len(installation.messages) == 2
    assert b'"outage.began"' in installation.messages[0]
    assert b'"outage.ended"' in installation.messages[1]


def first_success(store: Store, since: datetime) -> datetime:
    with store.engine.connect() as connection:
        first = select(func.min(fetch_log.c.started)).where(
            fetch_log.c.started > since, fetch_log.c.outcome != "failed"
        )
        moment: datetime = connection.execute(first).scalar_one()
        return moment


def test_sources_that_fail_for_themselves_are_no_outage(
    installation: Installation, store: Store, publisher: Publisher
) -> None:
    follow(store, publisher, 12)
    for number in range(5):
        add_source(store, f"dead{number}", address=publisher.url(f"/none/{number}.xml"), host=publisher.host)
    installation.run(timedelta(hours=3), 5 * MINUTE)
    assert installation.incidents() == []


def test_a_relapse_belongs_to_the_same_incident(installation: Installation, store: Store, publisher: Publisher) -> None:
    follow(store, publisher, 12)
    installation.run(timedelta(minutes=20))
    publisher.status = 502
    installation.run(timedelta(minutes=30), MINUTE)
    publisher.status = None
    while installation.incidents()[0].ended is None and not _released(store):
        installation.run(MINUTE)
    publisher.status = 502
    installation.run(timedelta(minutes=30), MINUTE)
    assert _released(store) == []
    publisher.status = None
    installation.run(timedelta(hours=1), MINUTE)
    (incident,) = installation.incidents()
    assert incident.ended is not None
    assert len(installation.messages) == 2


def _released(store: Store) -> list[str]:
    with store.reading() as tx:
        return [outage.host for outage in tx.polling.outages.all() if outage.released is not None]


def test_a_410_during_an_outage_stops_no_source(installation: Installation, store: Store, publisher: Publisher) -> None:
    follow(store, publisher, 12)
    installation.run(timedelta(minutes=20))
    publisher.status = 500
    installation.run(timedelta(minutes=20))
    assert installation.incidents()
    publisher.status = 410
    installation.run(timedelta(hours=2), MINUTE)
    assert set(installation.column("state")) == {SourceState.ACTIVE.value}


def test_a_request_by_a_person_is_sent_during_an_outage(
    installation: Installation, store: Store, publisher: Publisher
) -> None:
    follow(store, publisher, 12)
    installation.run(timedelta(minutes=20))
    publisher.status = 500
    installation.run(timedelta(minutes=20))
    since = installation.now
    with store.writing() as tx:
        tx.polling.schedule.ask([1], installation.now)
    installation.run(MINUTE)
    assert installation.polls_since(since) >= 1


def test_sources_of_an_outage_are_stale_but_send_no_alerts(store: Store) -> None:
    host, later = "youtube.com:443", NOON + 30 * HOUR
    for slug in ("one", "two"):
        add_source(store, slug, host=host)
    add_source(store, "other", host="paper.example:443")
    with store.writing() as tx:
        finding = Finding(IncidentKind.OUTAGE, f"host:{host}", "It does not answer.", {})
        tx.polling.outages.hold(host, tx.monitoring.incidents.begin([finding], NOON)[finding.subject], NOON, NOON)
    with store.reading() as tx:
        assert [source.slug for source in tx.polling.sources.each_stale(later)] == ["one", "other", "two"]
        assert [source.slug for source in tx.polling.sources.each_stale(later, excusing_outages=True)] == ["other"]


def test_an_outage_without_sources_ends(installation: Installation, store: Store) -> None:
    source = add_source(store, host="youtube.com:443", every=DAY, now=NOON + DAY)
    with store.writing() as tx:
        finding = Finding(IncidentKind.OUTAGE, "host:youtube.com:443", "It does not answer.", {})
        number = tx.monitoring.incidents.begin([finding], NOON)[finding.subject]
        tx.polling.outages.hold("youtube.com:443", number, NOON, NOON + DAY)
    installation.run(HOUR, MINUTE)
    assert installation.incidents()[0].ended is None
    with store.writing() as tx:
        tx.polling.sources.set_state(source.id, SourceState.PAUSED, "by hand", NOON)
    installation.run(HOUR, MINUTE)
    assert installation.incidents()[0].ended is not None
