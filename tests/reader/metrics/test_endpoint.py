"""Test `/metrics`: who may read it, and what it gives while the database is away."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aggregator.domain.access.api_tokens import PortalToken, Scope, make_token
from aggregator.domain.errors import StoreUnavailableError
from aggregator.domain.monitoring.system_facts import BrokerFacts
from aggregator.reader.app import MetricsOptions
from aggregator.reader.metrics import snapshot
from aggregator.reader.metrics.snapshot import FactReaders
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.config.settings import Network
    from aggregator.domain.monitoring.system_facts import SystemFacts
    from storage.store import Store
    from tests.reader.serving import Answer, Reader

LOCAL: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"),)
SECRET = "secret-in-an-address"


@dataclass
class Facts:
    """Reads the facts of a store, unless it is away."""

    store: Store
    is_away: bool = False
    reads: int = 0
    broker: BrokerFacts | None = field(default_factory=lambda: BrokerFacts({"feeds": 7}, 2))

    def system(self) -> SystemFacts:
        self.reads += 1
        if self.is_away:
            raise StoreUnavailableError("away")
        with self.store.reading() as tx:
            return tx.monitoring.facts.read(NOON)

    def options(self, networks: tuple[Network, ...] = LOCAL) -> MetricsOptions:
        return MetricsOptions(FactReaders(self.system, lambda: self.broker), networks)


@pytest.fixture
def facts(store: Store) -> Facts:
    return Facts(store)


@pytest.fixture
def reader(facts: Facts) -> Iterator[Reader]:
    with serving(app_of(facts.store, metrics=facts.options())) as reader:
        yield reader


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use no snapshot twice."""
    monkeypatch.setattr(snapshot, "FRESH", 0.0)
    monkeypatch.setattr(snapshot, "_SHARE", 0)


def values(answer: Answer) -> dict[tuple[str, ...], float]:
    """Return the values by name and sorted labels."""
    assert answer.status == 200, answer.text
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _token(store: Store, scope: Scope) -> dict[str, str]:
    made = make_token()
    with store.writing() as tx:
        tx.access.tokens.create(PortalToken(made.id, scope.value, scope, made.digest, NOON))
    return {"Authorization": f"Bearer {made.text}"}


def test_the_facts_of_the_database_and_the_broker_are_there(reader: Reader, store: Store) -> None:
    made = add_source(store, address=f"https://user:{SECRET}@news.example/feed")
    ingest_now(store, made, [an_activity("1")])
    answer = reader.ask("/metrics")
    found = values(answer)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    assert found["aggregator_database_up",] == 1
    assert found["aggregator_sources", "kind=rss", "state=active"] == 1
    assert found["aggregator_revision",] > 0
    assert found["aggregator_queue_messages", "queue=feeds"] == 7
    assert found["aggregator_broker_up",] == 1
    # Neither addresses nor names of sources, nor secrets.
    assert SECRET not in answer.text
    assert "news" not in answer.text


def test_openmetrics_is_given_where_it_is_accepted(reader: Reader) -> None:
    answer = reader.ask("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_requests_are_counted_by_route_and_status(reader: Reader) -> None:
    for path in ("/api/v1/activities", "/api/v1/activities/12345", "/api/v1/activities/999", "/no/such/path", "/a/b"):
        reader.ask(path)
    found = values(reader.ask("/metrics"))
    requests = {key: value for key, value in found.items() if key[0] == "aggregator_reader_requests_total"}
    assert requests == {
        ("aggregator_reader_requests_total", "route=/api/v1/activities", "status=200"): 1,
        ("aggregator_reader_requests_total", "route=/api/v1/activities/{activity_id}", "status=404"): 2,
        ("aggregator_reader_requests_total", "route=other", "status=404"): 2,
    }
    latency = ("aggregator_reader_response_seconds_count", "route=/api/v1/activities")
    assert found[latency] == 1


def test_cached_responses_are_counted(sqlite_store: Store) -> None:
    facts = Facts(sqlite_store)
    with serving(app_of(sqlite_store, metrics=facts.options()), watching=True) as reader:
        for _ in range(3):
            reader.ask("/api/v1/activities")
        found = values(reader.ask("/metrics"))
    assert found["aggregator_reader_cached_responses_total",] >= 1
    assert found["aggregator_reader_requests_total", "route=/api/v1/activities", "status=200"] == 3


def test_a_snapshot_is_used_for_some_seconds(reader: Reader, facts: Facts) -> None:
    for _ in range(5):
        reader.ask("/metrics")
    assert facts.reads == 1


@pytest.mark.usefixtures("at_once")
def test_without_the_database_the_last_snapshot_is_given_with_its_age(reader: Reader, facts: Facts) -> None:
    add_source(facts.store)
    assert values(reader.ask("/metrics"))["aggregator_database_up",] == 1
    facts.is_away = True
    facts.broker = BrokerFacts(problem="refused")
    found = values(reader.ask("/metrics"))
    assert found["aggregator_database_up",] == 0
    assert found["aggregator_broker_up",] == 0
    assert found["aggregator_sources", "kind=rss", "state=active"] == 1
    assert found["aggregator_snapshot_age_seconds",] > 0


@pytest.mark.usefixtures("at_once")
def test_without_any_snapshot_the_readers_own_metrics_are_given(reader: Reader, facts: Facts) -> None:
    facts.is_away = True
    found = values(reader.ask("/metrics"))
    assert found["aggregator_database_up",] == 0
    assert not [key for key in found if key[0] == "aggregator_revision"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"X-Forwarded-Port": "443"},
        {"X-Client-IP": "127.0.0.1"},
    ],
    ids=["forwarded-public", "forwarded-local", "forwarded-rfc", "real-ip", "via", "port", "client-ip"],
)
def test_visitors_behind_an_unknown_proxy_may_not_read_it(reader: Reader, headers: dict[str, str]) -> None:
    answer = reader.ask("/metrics", headers=headers)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert b"aggregator_" not in answer.body


@pytest.mark.parametrize(("client", "status"), [("203.0.113.9", 401), ("127.0.0.9", 200)], ids=["public", "local"])
def test_a_trusted_proxy_names_the_client(facts: Facts, client: str, status: int) -> None:
    app = app_of(facts.store, metrics=facts.options(), trusted_proxies=(ipaddress.ip_network("127.0.0.1/32"),))
    with serving(app) as reader:
        answer = reader.ask("/metrics", headers={"X-Forwarded-For": client, "X-Forwarded-Host": "stream.example"})
    assert answer.status == status


@pytest.mark.parametrize(
    "hops",
    [
        pytest.param("203.0.113.9:4711", id="with a port"),
        pytest.param("[2001:db8::9]:4711", id="with a port, version 6"),
        pytest.param("unknown", id="unknown"),
        pytest.param("203.0.113.9, _hidden", id="hidden"),
        pytest.param("", id="empty"),
    ],
)
def test_a_trusted_proxy_that_names_no_address_is_not_the_client(facts: Facts, hops: str) -> None:
    app = app_of(facts.store, metrics=facts.options(), trusted_proxies=(ipaddress.ip_network("127.0.0.1/32"),))
    with serving(app) as reader:
        assert reader.ask("/metrics", headers={"X-Forwarded-For": hops}).status == 401


def test_other_networks_need_a_token_of_the_scope(facts: Facts) -> None:
    metrics, portal = (_token(facts.store, scope) for scope in (Scope.METRICS, Scope.READ))
    with serving(app_of(facts.store, metrics=facts.options(()))) as reader:
        assert reader.ask("/metrics").status == 401
        assert reader.ask("/metrics", headers=portal).status == 401
        assert reader.ask("/metrics", headers={"Authorization": "Basic abc"}).status == 401
        proxied = {**metrics, "X-Forwarded-For": "203.0.113.9"}
        assert [reader.ask("/metrics", headers=headers).status for headers in (metrics, proxied)] == [200, 200]


def test_a_token_for_metrics_reads_no_items(facts: Facts) -> None:
    token = _token(facts.store, Scope.METRICS)
    with serving(app_of(facts.store)) as reader:
        assert reader.ask("/api/v1/activities", headers=token).status == 401


def test_other_methods_are_refused(reader: Reader) -> None:
    assert reader.ask("/metrics", method="POST").status == 405
    answer = reader.ask("/metrics", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 1000


def test_without_the_setting_there_is_no_such_route(empty_reader: Reader) -> None:
    assert empty_reader.ask("/metrics").status == 404
