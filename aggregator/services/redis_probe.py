"""Read queue lengths and the configuration of Redis or Valkey, with limits on every wait."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redis import Redis, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from redis.retry import Retry

from aggregator.config.broker_address import BrokerAddress, BrokerKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FAILURES = (RedisError, OSError, ValueError)  # of all functions here
_PATIENCE = 2.0  # seconds for a connection or a response
_CONFIGURED = ("maxmemory", "maxmemory-policy", "appendonly", "save", "timeout")


def queue_lengths(broker: BrokerAddress, prefix: str, queues: Sequence[str]) -> tuple[list[int], int]:
    """Return the number of waiting messages in each queue, and that of messages which workers have received."""
    with connected(broker) as client, client.pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.llen(prefix + queue)
        pipe.hlen(prefix + "unacked")
        *lengths, unacknowledged = pipe.execute()
    return lengths, unacknowledged


def server_state(broker: BrokerAddress) -> tuple[Mapping[str, Any], Mapping[str, str] | None]:
    """Return the state and the configuration of the server; no configuration where it refuses to show it."""
    with connected(broker) as client:
        info = client.info()
        try:
            return info, {name: str(client.config_get(name).get(name, "")) for name in _CONFIGURED}
        except (NoPermissionError, ResponseError):
            return info, None


@contextmanager
def connected(broker: BrokerAddress) -> Iterator[Any]:
    """Connect to Redis, or to the current master that Sentinel names."""
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
