"""Check the broker, its policy and its consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.config.broker_address import BrokerAddress, BrokerKind
from aggregator.domain.monitoring.findings import error, warning
from aggregator.services.broker_probe import queue_lengths, read_rabbitmq_version, read_server
from aggregator.services.queues import QUEUES
from aggregator.services.system_facts import read_system_facts
from aggregator.services.system_status import needed_queues

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aggregator.domain.monitoring.findings import Finding
    from aggregator.services.broker_probe import BrokerServer
    from aggregator.services.doctor.examination import Subject

_OLDEST = (6, 2)
_OLDEST_RABBITMQ = (3, 10)
_LONG_QUEUE = 500  # messages of up to 50 sources each
_SHORTEST_TIMEOUT = 60  # seconds
_CROWDED = 0.9  # of the allowed memory


def check_broker(subject: Subject) -> Iterator[Finding]:
    """Check that the broker answers and keeps what it is given."""
    if subject.settings.embedded_broker:
        return
    url, is_rabbitmq = subject.settings.broker_url, subject.settings.broker.kind is BrokerKind.AMQP
    try:
        if is_rabbitmq:
            yield from _check_rabbitmq(read_rabbitmq_version(url))
            return
        server = read_server(url)
    except ConnectionError as problem:
        yield error(
            "broker-unreachable",
            f"The broker does not respond: {problem}.",
            f"Start {'RabbitMQ' if is_rabbitmq else 'Redis'}, and check address and password in AGGREGATOR_BROKER_URL.",
        )
        return
    yield from _check_state(server)
    if server.config is not None:
        yield from _check_policy(server.config)


def check_rate_store(subject: Subject) -> Iterator[Finding]:
    """Check the server that counts requests."""
    url = subject.settings.rate_store
    if BrokerAddress.parse(url.reveal()).kind is BrokerKind.MEMORY:
        return
    try:
        read_server(url)
    except ConnectionError as problem:
        yield error(
            "rate-store-unreachable",
            f"The store of rate limits does not respond, so requests are not limited: {problem}.",
            "Check AGGREGATOR_RATE_STORE.",
        )


def check_workers(subject: Subject) -> Iterator[Finding]:
    """Check that each queue has a worker and is not too long."""
    if subject.settings.embedded_broker:
        return
    with subject.store.reading() as tx:
        needed = needed_queues(read_system_facts(tx, subject.settings, subject.now))
        installation = tx.stream.state.instance()
    broker = queue_lengths(subject.settings.broker_url, installation, QUEUES)
    if broker.problem is not None:
        return
    workers = subject.responding_workers()
    served = {queue for queues in workers.values() for queue in queues}
    for queue in sorted(needed - served):
        yield error(
            "queue-without-worker",
            f"No worker serves the queue '{queue}'.",
            f"Start one: celery -A worker worker -Q {queue}",
        )
    for queue, length in broker.queues.items():
        if length > _LONG_QUEUE:
            yield warning("queue-long", f"{length:,} messages wait in the queue '{queue}'.", "Start more workers.")


def _check_rabbitmq(version: str) -> Iterator[Finding]:
    """Check that the server has quorum queues that keep every property of a message."""
    if not version:
        yield warning("broker-unknown", "The broker speaks AMQP, but is not RabbitMQ.", "Use RabbitMQ 3.10 or newer.")
    elif tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_RABBITMQ:
        yield error("broker-old", f"RabbitMQ {version} is older than 3.10.", "Upgrade it.")


def _check_state(server: BrokerServer) -> Iterator[Finding]:
    info = server.info
    version = tuple(int(part) for part in str(info.get("redis_version", "0.0")).split(".")[:2])
    if version < _OLDEST:
        yield error("broker-old", f"Redis {info.get('redis_version')} is older than 6.2.", "Upgrade it.")
    if info.get("role") not in {"master", None}:
        yield error("broker-replica", "The broker is a replica and can't be written.", "Use the primary's address.")
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if most and used > _CROWDED * most:
        yield error(
            "broker-memory-full",
            f"The broker uses {used // 1_000_000} MB of {most // 1_000_000} MB, and will refuse messages.",
            "Raise maxmemory, or look for other data on this server.",
        )
    if str(info.get("aof_last_write_status", "ok")) != "ok" or str(info.get("rdb_last_bgsave_status", "ok")) != "ok":
        yield error(
            "broker-save-failed", "The broker could not write its data to disk.", "Check the space and modes there."
        )


def _check_policy(config: Mapping[str, str]) -> Iterator[Finding]:
    if config["maxmemory-policy"] != "noeviction":
        yield error(
            "broker-evicts",
            f"The broker's maxmemory-policy is {config['maxmemory-policy']!r}, so it may drop messages.",
            "Set maxmemory-policy to noeviction.",
        )
    if config["appendonly"] != "yes":
        yield warning(
            "broker-not-persistent",
            "The broker's appendonly is off, so a restart loses queued polls until their leases expire.",
            "Set appendonly to yes.",
        )
    if 0 < int(config["timeout"] or 0) < _SHORTEST_TIMEOUT:
        yield warning(
            "broker-timeout",
            f"The broker closes connections that are idle for {config['timeout']} s, also those of waiting workers.",
            "Set timeout to 0.",
        )
