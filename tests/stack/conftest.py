"""Provide each kind of broker to the tests of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis

from tests import servers
from tests.rabbitmq import HOW, RabbitNode, is_installed, rabbitmq

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """Give the URL of a real Valkey."""
    with servers.valkey() as (url, _):
        yield url


@pytest.fixture(scope="session")
def rabbit_node() -> Iterator[RabbitNode]:
    """Give a real RabbitMQ."""
    if not is_installed():
        pytest.skip(HOW)
    with rabbitmq() as node:
        yield node


@pytest.fixture(
    params=[
        pytest.param("redis"),
        pytest.param("valkey", marks=pytest.mark.slow),
        pytest.param("rabbitmq", marks=pytest.mark.slow),
    ]
)
def broker_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a broker, of each kind in turn. On RabbitMQ each installation has queues of its own."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    if request.param == "rabbitmq":
        node: RabbitNode = request.getfixturevalue("rabbit_node")
        return node.url
    url: str = request.getfixturevalue("valkey_server")
    with Redis.from_url(url.replace("valkey://", "redis://")) as client:
        client.flushdb()
    return url
