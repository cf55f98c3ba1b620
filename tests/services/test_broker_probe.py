"""Test queue lengths and the broker's configuration on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.secrets import Secret
from aggregator.services.broker_probe import queue_lengths, read_server
from aggregator.services.queues import QUEUES
from tests.servers import free_port
from worker import create_app

if TYPE_CHECKING:
    from pathlib import Path


def test_messages_that_celery_sends_are_counted(redis_url: str, tmp_path: Path) -> None:
    environ = {"AGGREGATOR_BROKER_URL": redis_url, "AGGREGATOR_DATA_DIR": str(tmp_path)}
    app = create_app(Container(Settings.from_environment(environ)), "here")
    for _ in range(3):
        app.send_task("poll", ([1], "token"), queue="feeds")
    app.send_task("dispatch", queue="control")
    found = queue_lengths(Secret(redis_url), "here", QUEUES)
    assert (found.problem, found.queues, found.unacknowledged) == (None, {"control": 1, "feeds": 3, "api": 0}, 0)
    assert queue_lengths(Secret(redis_url), "elsewhere", QUEUES).queues["feeds"] == 0
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        message = channel.basic_get("feeds")
        assert message is not None
        assert queue_lengths(Secret(redis_url), "here", QUEUES).unacknowledged == 1
    app.close()


def test_a_dead_broker_is_a_problem_without_its_password() -> None:
    found = queue_lengths(Secret(f"redis://:secretword@127.0.0.1:{free_port()}/0"), "here", QUEUES)
    assert found.problem is not None
    assert "secretword" not in found.problem


def test_the_configuration_is_read(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        policy = client.config_get("maxmemory-policy")["maxmemory-policy"]
    server = read_server(Secret(redis_url))
    assert server.config is not None
    assert server.config["maxmemory-policy"] == policy
    assert server.info["role"] == "master"


def test_a_server_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(ConnectionError):
        read_server(Secret(f"redis://127.0.0.1:{free_port()}/0"))
