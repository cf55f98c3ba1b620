"""Read queue lengths and settings of the broker. Its client library is imported only where a broker is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aggregator.config.broker import key_prefix, queue_prefix
from aggregator.config.broker_address import BrokerAddress, BrokerKind
from aggregator.domain.monitoring.system_facts import BrokerFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.secrets import Secret


class BrokerServer(NamedTuple):
    """The state of a Redis or Valkey; a managed service may refuse to show its configuration."""

    info: Mapping[str, Any]
    config: Mapping[str, str] | None


def queue_lengths(url: Secret, installation: str, queues: Sequence[str]) -> BrokerFacts:
    """Return the number of waiting messages in each queue."""
    broker = BrokerAddress.parse(url.reveal())
    if broker.kind is BrokerKind.AMQP:
        return _rabbitmq(broker, queue_prefix(broker, installation), queues)
    from aggregator.services import redis_probe

    try:
        lengths, unacknowledged = redis_probe.queue_lengths(broker, key_prefix(installation), queues)
    except redis_probe.FAILURES as problem:
        return BrokerFacts(problem=_reason(problem))
    return BrokerFacts(dict(zip(queues, lengths, strict=True)), unacknowledged)


def _rabbitmq(broker: BrokerAddress, prefix: str, queues: Sequence[str]) -> BrokerFacts:
    from aggregator.services import rabbitmq_probe

    try:
        lengths = rabbitmq_probe.queue_lengths(broker, [prefix + queue for queue in queues])
    except rabbitmq_probe.FAILURES as problem:
        return BrokerFacts(problem=_reason(problem))
    return BrokerFacts(dict(zip(queues, lengths, strict=True)), None)


def read_rabbitmq_version(url: Secret) -> str:
    """Return the version of RabbitMQ; empty for another product.

    Raises:
        ConnectionError: it doesn't respond or refuses the password; the message has the reason.
    """
    from aggregator.services import rabbitmq_probe

    try:
        return rabbitmq_probe.server_version(BrokerAddress.parse(url.reveal()))
    except rabbitmq_probe.FAILURES as problem:
        raise ConnectionError(_reason(problem)) from None


def read_server(url: Secret) -> BrokerServer:
    """Return the state and configuration of a Redis or Valkey.

    Raises:
        ConnectionError: it doesn't respond or refuses the password; the message has the reason.
    """
    from aggregator.services import redis_probe

    try:
        return BrokerServer(*redis_probe.server_state(BrokerAddress.parse(url.reveal())))
    except redis_probe.FAILURES as problem:
        raise ConnectionError(_reason(problem)) from None


def _reason(problem: Exception) -> str:
    """Return the first line of an error, which never contains the password."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")
