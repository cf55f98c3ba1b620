"""Empty a broker, of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis import Redis

from aggregator.config.broker import queue_prefix
from aggregator.config.broker_address import BrokerAddress, BrokerKind
from aggregator.services.queues import QUEUES
from aggregator.services.rabbitmq_probe import connected
from storage.store import Store

if TYPE_CHECKING:
    import amqp

    from tests.processes import Processes


def empty(url: str, stack: Processes) -> None:
    """Delete all that the broker keeps: on RabbitMQ also the queues themselves, as a new server has none."""
    broker = BrokerAddress.parse(url)
    if broker.kind is BrokerKind.REDIS:
        with Redis.from_url(broker.url) as client:
            client.flushdb()
        return
    store = Store.open(stack.environ["AGGREGATOR_DATABASE_URL"])
    with store.reading() as tx:
        prefix = queue_prefix(broker, tx.stream.state.instance())
    store.close()
    with connected(broker) as connection:
        for name in QUEUES:
            channel: amqp.Channel = connection.channel()
            channel.queue_delete(prefix + name)
