"""Test that wrong brokers are found, on a real one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from aggregator.config.broker import key_prefix
from aggregator.services.doctor.broker_checks import check_broker, check_rate_store, check_workers
from tests.building import add_source
from tests.servers import free_port
from tests.services.doctor.subjects import codes, subject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.services.doctor.examination import Subject
    from storage.store import Store

SOUND = {"maxmemory-policy": "noeviction", "appendonly": "yes", "timeout": "0", "maxmemory": "0"}


@pytest.fixture
def redis(redis_url: str) -> Iterator[Any]:
    """Give a server with a sound configuration, which is restored."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        before = {name: client.config_get(name)[name] for name in SOUND}
        for name, value in SOUND.items():
            client.config_set(name, value)
        yield client
        client.replicaof("NO", "ONE")
        for name, value in before.items():
            client.config_set(name, value)


@pytest.fixture
def examined(sqlite_store: Store, redis_url: str, tmp_path: Path) -> Subject:
    url = sqlite_store.engine.url.render_as_string(hide_password=False)
    return subject({"DATA_DIR": str(tmp_path), "DATABASE_URL": url, "BROKER_URL": redis_url})


@pytest.mark.usefixtures("redis")
def test_a_sound_broker_has_no_findings(examined: Subject) -> None:
    assert codes(check_broker, examined) == set()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("maxmemory-policy", "allkeys-lru", "broker-evicts"),
        ("appendonly", "no", "broker-not-persistent"),
        ("timeout", "5", "broker-timeout"),
    ],
)
def test_wrong_policies_are_found(redis: Any, examined: Subject, name: str, value: str, code: str) -> None:
    redis.config_set(name, value)
    assert codes(check_broker, examined) == {code}


def test_a_broker_without_memory_is_found(redis: Any, examined: Subject) -> None:
    redis.config_set("maxmemory", redis.info("memory")["used_memory"])
    assert codes(check_broker, examined) == {"broker-memory-full"}


def test_a_replica_is_found(redis: Any, examined: Subject) -> None:
    redis.replicaof("127.0.0.1", free_port())
    assert "broker-replica" in codes(check_broker, examined)


@pytest.mark.parametrize("check", [check_broker, check_rate_store], ids=["broker", "rate-store"])
def test_servers_that_do_not_answer_are_found(check: Any, tmp_path: Path) -> None:
    url = f"redis://:secretword@127.0.0.1:{free_port()}/0"
    [found] = check(subject({"DATA_DIR": str(tmp_path), "BROKER_URL": url, "RATE_STORE": url}))
    assert found.code in {"broker-unreachable", "rate-store-unreachable"}
    assert "secretword" not in found.problem


def test_a_missing_password_is_found(redis: Any, examined: Subject) -> None:
    redis.config_set("requirepass", "word")
    try:
        assert codes(check_broker, examined) == {"broker-unreachable"}
    finally:
        redis.config_set("requirepass", "")


def test_queues_without_workers_and_long_ones_are_found(redis: Any, examined: Subject, sqlite_store: Store) -> None:
    add_source(sqlite_store, now=datetime.now(UTC))
    assert codes(check_workers, examined) == {"queue-without-worker"}
    served = replace(examined, responding_workers=lambda: {"feeds@a": ["feeds", "control"]})
    assert codes(check_workers, served) == set()
    with sqlite_store.reading() as tx:
        prefix = key_prefix(tx.stream.state.instance())
    redis.lpush(f"{prefix}feeds", *map(str, range(501)))
    assert codes(check_workers, served) == {"queue-long"}
