"""Test the stack on a Redis that Sentinels watch, through a failover."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from aggregator.domain.secrets import Secret
from aggregator.services.broker_probe import queue_lengths, read_server
from aggregator.services.queues import QUEUES
from tests import servers
from tests.processes import Processes, eventually
from tests.upstream import Publisher

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]

FEED = "/good/1.xml"


def test_polling_goes_on_after_a_failover(tmp_path: Path, postgresql_url: str) -> None:
    program, _ = servers.redis_program()
    with ExitStack() as stack, Publisher(feeds=1, entries=2) as publisher:
        first = stack.enter_context(servers.serving(program))
        second = stack.enter_context(servers.serving(program, "--replicaof", "127.0.0.1", str(first)))
        watcher = stack.enter_context(servers.serving(program, _configuration(tmp_path, first), "--sentinel"))
        url = f"sentinel://127.0.0.1:{watcher}/portal/0"
        with Redis(port=watcher, decode_responses=True) as sentinel:
            eventually("it knows the replica", lambda: sentinel.sentinel_slaves("portal"))
            assert read_server(Secret(url)).info["tcp_port"] == first
            environ = {
                "AGGREGATOR_DATABASE_URL": postgresql_url,
                "AGGREGATOR_BROKER_URL": url,
                "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
                "AGGREGATOR_HOST_SPACING": "0",
                "AGGREGATOR_RATE_STORE": url,
            }
            processes = stack.enter_context(Processes(tmp_path, environ))
            processes.aggregator("migrate")
            processes.aggregator("source", "add", "--every", "1", publisher.url(FEED))
            processes.worker()
            processes.scheduler()
            processes.reader()
            _poll_on(publisher)
            sentinel.execute_command("SENTINEL FAILOVER portal")
            eventually("the other is the primary", lambda: read_server(Secret(url)).info["tcp_port"] == second)
            _poll_on(publisher)
            assert processes.get("/api/v1/activities?q=news")["items"] is not None
        assert queue_lengths(Secret(url), "", QUEUES).problem is None
        assert "requests are not counted" not in processes.log("reader")


def _configuration(folder: Path, port: int) -> str:
    path = folder / "sentinel.conf"
    path.write_text(f"sentinel monitor portal 127.0.0.1 {port} 1\nsentinel down-after-milliseconds portal 2000\n")
    return str(path)


def _poll_on(publisher: Publisher) -> None:
    before = publisher.hits[FEED]
    eventually("polling goes on", lambda: publisher.hits[FEED] >= before + 3)
