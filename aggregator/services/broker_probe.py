"""Read queue lengths and settings of a broker, with limits on every wait."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from redis import Redis, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from redis.retry import Retry

from aggregator.config.broker import key_prefix, queue_prefix
from aggregator.config.broker_address import BrokerAddress, BrokerKind
from aggregator.domain.monitoring.system_facts import BrokerFacts
from aggregator.services import rabbitmq_probe
from aggregator.source_api.kind import QueueClass
from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aggregator.domain.secrets import Secret

CONTROL = "control"  # the queue of all tasks except polls
QUEUES = (CONTROL, *QueueClass)
_PATIENCE = 2.0  # seconds for a connection or a response
_CONFIGURED = ("maxmemory", "maxmemory-policy", "appendonly", "save", "timeout")


def former_queues() -> Mapping[str, QueueClass]:
    """Return the queues of the last release, which are consumed for one more release, and their new names."""
    return {kind.former_queue: kind.queue for kind in kinds().values() if kind.former_queue}


class BrokerServer(NamedTuple):
    """The state of a Redis or Valkey; a managed service may refuse to show its configuration."""

    info: Mapping[str, Any]
    config: Mapping[str, str] | None


def queue_lengths(url: Secret, installation: str, queues: Sequence[str]) -> BrokerFacts:
    """Return the number of waiting messages in each queue."""
    broker, prefix = BrokerAddress.parse(url.reveal()), key_prefix(installation)
    if broker.kind is BrokerKind.AMQP:
        return _rabbitmq(broker, queue_prefix(broker, installation), queues)
    try:
        with _connected(broker) as client, client.pipeline(transaction=False) as pipe:
            for queue in queues:
                pipe.llen(prefix + queue)
            pipe.hlen(prefix + "unacked")
            *lengths, unacknowledged = pipe.execute()
    except (RedisError, OSError, ValueError) as problem:
        return BrokerFacts(problem=_reason(problem))
    return BrokerFacts(dict(zip(queues, lengths, strict=True)), unacknowledged)


def _rabbitmq(broker: BrokerAddress, prefix: str, queues: Sequence[str]) -> BrokerFacts:
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
    try:
        return rabbitmq_probe.server_version(BrokerAddress.parse(url.reveal()))
    except rabbitmq_probe.FAILURES as problem:
        raise ConnectionError(_reason(problem)) from None


def read_server(url: Secret) -> BrokerServer:
    """Return the state and configuration of a Redis or Valkey.

    Raises:
        ConnectionError: it doesn't respond or refuses the password; the message has the reason.
    """
    try:
        with _connected(BrokerAddress.parse(url.reveal())) as client:
            info = client.info()
            try:
                config = {name: str(client.config_get(name).get(name, "")) for name in _CONFIGURED}
            except (NoPermissionError, ResponseError):
                return BrokerServer(info, None)
            return BrokerServer(info, config)
    except (RedisError, OSError, ValueError) as problem:
        raise ConnectionError(_reason(problem)) from None


@contextmanager
def _connected(broker: BrokerAddress) -> Iterator[Any]:
    bounds: dict[str, Any] = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
    options = {**bounds, "retry": Retry(NoBackoff(), 0), "decode_responses": True}
    if broker.kind is BrokerKind.SENTINEL:
        login = {"username": broker.username, "password": broker.password, "db": broker.number}
        sentinels: Any = Sentinel(  # type: ignore[no-untyped-call]
            broker.hosts, sentinel_kwargs={**bounds, **broker.sentinel_options}, **options, **login
        )
        client = sentinels.master_for(broker.service)
    else:
        client = Redis.from_url(broker.url, **options)
    try:
        yield client
    finally:
        client.close()


def _reason(problem: Exception) -> str:
    """Return the first line of an error, which never contains the password."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")
