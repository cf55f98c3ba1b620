"""Read queue lengths and settings of a Redis or Valkey broker, with limits on every wait."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from redis.retry import Retry

from aggregator.domain.monitoring.system_facts import BrokerFacts
from aggregator.source_api.kind import QueueClass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aggregator.domain.secrets import Secret

CONTROL = "control"  # the queue of all tasks except polls
QUEUES = (CONTROL, *QueueClass)
_PATIENCE = 2.0  # seconds for a connection or a response
_CONFIGURED = ("maxmemory", "maxmemory-policy", "appendonly", "save", "timeout")


class BrokerServer(NamedTuple):
    """The broker's own state; a managed service may refuse to show its configuration."""

    info: Mapping[str, Any]
    config: Mapping[str, str] | None


def key_prefix(installation: str) -> str:
    """Return the prefix of all keys of an installation; other programs may use the same Redis database."""
    return f"aggregator:{installation}:" if installation else ""


def queue_lengths(url: Secret, installation: str, queues: Sequence[str]) -> BrokerFacts:
    """Return the number of waiting messages in each queue."""
    prefix = key_prefix(installation)
    try:
        with _connected(url) as client, client.pipeline(transaction=False) as pipe:
            for queue in queues:
                pipe.llen(prefix + queue)
            pipe.hlen(prefix + "unacked")
            *lengths, unacknowledged = pipe.execute()
    except (RedisError, OSError, ValueError) as problem:
        return BrokerFacts(problem=_reason(problem))
    return BrokerFacts(dict(zip(queues, lengths, strict=True)), unacknowledged)


def read_server(url: Secret) -> BrokerServer:
    """Return the state and configuration of the broker.

    Raises:
        ConnectionError: it doesn't respond or refuses the password; the message has the reason.
    """
    try:
        with _connected(url) as client:
            info = client.info()
            try:
                config = {name: str(client.config_get(name).get(name, "")) for name in _CONFIGURED}
            except (NoPermissionError, ResponseError):
                return BrokerServer(info, None)
            return BrokerServer(info, config)
    except (RedisError, OSError, ValueError) as problem:
        raise ConnectionError(_reason(problem)) from None


@contextmanager
def _connected(url: Secret) -> Iterator[Any]:
    retry = Retry(NoBackoff(), 0)
    client = Redis.from_url(
        url.reveal(),
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
        retry=retry,
        decode_responses=True,
    )
    try:
        yield client
    finally:
        client.close()


def _reason(problem: Exception) -> str:
    """Return the first line of an error, which never contains the password."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")
