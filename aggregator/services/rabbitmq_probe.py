"""Read queue lengths and the version of a RabbitMQ broker, with limits on every wait.

AMQP counts the messages that wait in a queue. How many workers have received is known to the management plugin alone.
"""

from __future__ import annotations

import ssl
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import amqp
from amqp.exceptions import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aggregator.config.broker_address import BrokerAddress

FAILURES = (amqp.AMQPError, OSError, ValueError)  # of all functions here
_PATIENCE = 2.0  # seconds for a connection or a response


def queue_lengths(broker: BrokerAddress, names: Sequence[str]) -> list[int]:
    """Return the number of waiting messages in each queue; one that no worker has declared yet is empty."""
    with connected(broker) as connection:
        return [_length(connection, name) for name in names]


def server_version(broker: BrokerAddress) -> str:
    """Return the version of RabbitMQ, or an empty text for another product."""
    with connected(broker) as connection:
        properties = connection.server_properties
        return str(properties.get("version", "")) if properties.get("product") == "RabbitMQ" else ""


@contextmanager
def connected(broker: BrokerAddress) -> Iterator[Any]:
    """Connect to RabbitMQ."""
    parts = urlsplit(broker.url)
    host, port = parts.hostname or "127.0.0.1", parts.port or (5671 if broker.encrypted else 5672)
    connection = amqp.Connection(
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        userid=broker.username or "guest",
        password=broker.password or "guest",
        login_method="PLAIN",
        virtual_host=unquote(parts.path[1:]) or "/",
        ssl={"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": host} if broker.encrypted else False,
        connect_timeout=_PATIENCE,
        read_timeout=_PATIENCE,
        write_timeout=_PATIENCE,
    )
    with closing(connection):
        connection.connect()
        yield connection


def _length(connection: Any, name: str) -> int:  # noqa: ANN401  # the library has no types
    with closing(connection.channel()) as channel:  # the server closes one that names a missing queue
        try:
            return int(channel.queue_declare(name, passive=True).message_count)
        except NotFound:
            return 0
