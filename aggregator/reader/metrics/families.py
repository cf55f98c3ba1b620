"""Build metric families from the state of the system. Labels have few values, and none is a secret or an address."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from aggregator.domain.billing.budget import DOLLAR
from aggregator.domain.monitoring import counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from prometheus_client.core import Metric

    from aggregator.domain.monitoring.counts import CountKey
    from aggregator.domain.monitoring.system_facts import BrokerFacts, BudgetFacts, ReplicaFacts, SystemFacts

Labels = tuple[str, ...]


def system_families(facts: SystemFacts) -> Iterator[Metric]:
    """Yield the metrics that are computed from the database."""
    yield from _polling(facts)
    yield from _sources(facts)
    yield from _review(facts)
    yield from _services(facts)
    yield from _database(facts)
    yield from _retention(facts)


def broker_families(broker: BrokerFacts) -> Iterator[Metric]:
    """Yield the metrics of the broker."""
    yield _gauge("broker_up", "Whether the broker responds.", float(broker.problem is None))
    if broker.problem is None:
        lengths: dict[Labels, float] = {(queue,): float(length) for queue, length in broker.queues.items()}
        yield _gauges("queue_messages", "Messages that wait for a worker.", ["queue"], lengths)
        if broker.unacknowledged is not None:
            text = "Messages that workers have received and not finished; not with RabbitMQ."
            yield _gauge("queue_unacknowledged", text, broker.unacknowledged)


def replica_families(replica: ReplicaFacts) -> Iterator[Metric]:
    """Yield the metrics of the replica that this reader uses."""
    yield _gauge("replica_up", "Whether the replica responds.", float(replica.problem is None))
    if replica.lag is not None:
        yield _gauge("replica_lag_seconds", "How far the replica is behind the primary.", replica.lag)
    if replica.behind is not None:
        yield _gauge("replica_lag_revisions", "Changes of the stream that the replica lacks.", replica.behind)
    reads = CounterMetricFamily("aggregator_replica_reads", "Read transactions of this reader.", labels=["database"])
    for database, count in replica.reads.items():
        reads.add_metric([database], count)
    yield reads


def _polling(facts: SystemFacts) -> Iterator[Metric]:
    polls = CounterMetricFamily(
        "aggregator_polls", "Polls by kind of source, outcome and error code.", labels=["kind", "outcome", "error"]
    )
    for key, value in _of(facts.counts, counts.POLLS):
        outcome, _, error = key.label.partition(":")
        polls.add_metric([key.subject, outcome, error], value)
    yield polls
    items = CounterMetricFamily("aggregator_items", "Items that polls stored.", labels=["kind", "change"])
    for key, value in _of(facts.counts, counts.ITEMS):
        items.add_metric([key.subject, key.label], value)
    yield items
    for measure, text in ((counts.REQUESTS, "Requests of polls."), (counts.BYTES, "Bytes that polls received.")):
        family = CounterMetricFamily(f"aggregator_fetch_{measure}", text, labels=["kind"])
        for key, value in _of(facts.counts, measure):
            family.add_metric([key.subject], value)
        yield family
    yield _delays(facts.counts)
    yield from _moment("last_tick", "When the scheduler's dispatch last ran.", facts.last_tick)
    yield _gauge("paused_hosts", "Hosts that asked for a pause.", facts.paused_hosts)
    yield from _pushes(facts)


def _pushes(facts: SystemFacts) -> Iterator[Metric]:
    connected: dict[Labels, float] = {(found.network,): float(found.opened is not None) for found in facts.pushes}
    yield _gauges("push_connected", "Whether a stream of pushed events is connected.", ["network"], connected)
    newest: dict[Labels, float] = {
        (found.network,): found.position.timestamp() for found in facts.pushes if found.position is not None
    }
    yield _gauges("push_event_timestamp_seconds", "When the newest pushed event happened.", ["network"], newest)


def _delays(totals: Mapping[CountKey, int]) -> Metric:
    """Return the histogram of delays from publication until new items are visible, by network."""
    family = HistogramMetricFamily(
        "aggregator_publication_delay_seconds",
        "Delay from publication until an item is visible, without items that wait for review.",
        labels=["network"],
    )
    sums = {key.subject: value for key, value in _of(totals, counts.DELAY_SECONDS)}
    buckets: dict[str, dict[str, int]] = {}
    for key, value in _of(totals, counts.DELAY):
        buckets.setdefault(key.subject, {})[key.label] = value
    for network, found in sorted(buckets.items()):
        total, cumulative = 0, []
        for bound in (*map(str, counts.DELAY_BOUNDS), counts.INFINITE):
            total += found.get(bound, 0)
            cumulative.append(("+Inf" if bound == counts.INFINITE else f"{bound}.0", float(total)))
        family.add_metric([network], cumulative, sums.get(network, 0))
    return family


def _sources(facts: SystemFacts) -> Iterator[Metric]:
    states: dict[Labels, float] = {(found.kind, found.state): float(found.sources) for found in facts.sources}
    yield _gauges("sources", "Sources by kind and state.", ["kind", "state"], states)
    for name, text in (
        ("due", "Sources that are due and not leased."),
        ("overdue", "Active sources that are late by more than two intervals."),
        ("failing", "Active sources whose last poll failed."),
        ("leased", "Sources that a worker owns."),
        ("unfinished", "Active sources whose last poll started and never ended."),
    ):
        sums: Counter[Labels] = Counter()
        for found in facts.sources:
            sums[found.kind,] += getattr(found, name)
        yield _gauges(f"sources_{name}", text, ["kind"], sums)
    waited = (facts.at - facts.oldest_due).total_seconds() if facts.oldest_due else 0.0
    yield _gauge("oldest_due_seconds", "How long the source that has waited longest is due.", waited)
    polled: dict[Labels, float] = {}
    for found in facts.sources:
        if found.last_polled is not None:
            polled[found.kind,] = max(polled.get((found.kind,), 0.0), found.last_polled.timestamp())
    yield _gauges("last_poll_timestamp_seconds", "When a poll of this kind last ended.", ["kind"], polled)


def _review(facts: SystemFacts) -> Iterator[Metric]:
    queue = facts.queue
    yield _gauge("review_waiting", "Items that wait for review, counted up to 10,000.", queue.waiting)
    yield _gauge("review_quarantined", "Quarantined items, counted up to 10,000.", queue.quarantined)
    age = (facts.at - queue.oldest_waiting).total_seconds() if queue.oldest_waiting else 0.0
    yield _gauge("review_oldest_waiting_seconds", "Age of the oldest item that waits for review.", age)
    yield _gauge("unread_entries", "Entries that this version can't read, counted up to 10,000.", facts.unread_entries)
    alerts: dict[Labels, float] = {(kind,): float(number) for kind, number in facts.alerts.items()}
    yield _gauges("open_alerts", "Open alerts by kind.", ["kind"], alerts)


def _services(facts: SystemFacts) -> Iterator[Metric]:
    refusals: dict[Labels, float] = {key: float(number) for key, number in facts.refusals.items()}
    yield _gauges("refusals", "Calls that a service refuses at present.", ["service", "code"], refusals)
    for name, text, value in _BUDGETS:
        family = GaugeMetricFamily(f"aggregator_{name}", text, labels=["service"])
        for budget in facts.budgets:
            if (found := value(budget)) is not None:
                family.add_metric([budget.service], found)
        yield family


def _dollars(micros: int | None) -> float | None:
    return None if micros is None else micros / DOLLAR


def _spent(budget: BudgetFacts) -> float | None:
    return _dollars(budget.spent)


def _reserved(budget: BudgetFacts) -> float | None:
    return _dollars(budget.reserved)


def _limit(budget: BudgetFacts) -> float | None:
    return _dollars(budget.budget)


def _credits(budget: BudgetFacts) -> float | None:
    return _dollars(budget.balance)


def _credit_days(budget: BudgetFacts) -> float | None:
    return budget.balance_days


def _blocked(budget: BudgetFacts) -> float | None:
    return float(budget.blocked_until is not None)


_BUDGETS = (
    ("budget_spent_dollars", "Cost of this cycle.", _spent),
    ("budget_reserved_dollars", "Money that running requests may cost.", _reserved),
    ("budget_limit_dollars", "Budget of a cycle, if one is set.", _limit),
    ("budget_blocked", "Whether calls stop because the service reported a cap.", _blocked),
    ("credits_dollars", "Prepaid credits, if the service reports them.", _credits),
    ("credits_days", "Days that the prepaid credits last at the present cost.", _credit_days),
)


def _database(facts: SystemFacts) -> Iterator[Metric]:
    yield _gauge("revision", "The stream's newest revision.", facts.revision)
    yield from _moment("last_change", "When the stream last changed.", facts.changed)
    database = facts.database
    yield _gauge("database_bytes", "Size of the database.", database.bytes)
    sizes: dict[Labels, float] = {(table.name,): table.bytes for table in database.tables}
    rows: dict[Labels, float] = {(table.name,): table.rows for table in database.tables}
    yield _gauges("table_bytes", "Size of a table with its indexes.", ["table"], sizes)
    yield _gauges("table_rows", "Rows of a table, as the database estimates them.", ["table"], rows)
    if database.connections is not None and database.most_connections is not None:
        yield _gauge("database_connections", "Connections to the database.", database.connections)
        yield _gauge("database_max_connections", "Connections that the server allows.", database.most_connections)


def _retention(facts: SystemFacts) -> Iterator[Metric]:
    family = CounterMetricFamily(
        "aggregator_pruned_records", "Records deleted since their retention time ended.", labels=["records"]
    )
    for key, value in _of(facts.counts, counts.PRUNED):
        family.add_metric([key.subject], value)
    yield family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"aggregator_{name}", text, value=value)


def _gauges(name: str, text: str, labels: list[str], values: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(f"aggregator_{name}", text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _moment(name: str, text: str, at: datetime | None) -> Iterator[Metric]:
    """Yield a time as Unix seconds, 0 if it never came."""
    yield _gauge(f"{name}_timestamp_seconds", text, at.timestamp() if at else 0.0)


def _of(totals: Mapping[CountKey, int], measure: str) -> Iterable[tuple[CountKey, int]]:
    return sorted((key, value) for key, value in totals.items() if key.measure == measure)
