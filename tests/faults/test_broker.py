"""Test worker and scheduler with a Redis that hangs, drops connections, refuses or fails over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests import servers
from tests.faults.tcp_proxy import TcpProxy
from tests.processes import Processes, eventually
from tests.upstream import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

OUTAGE = 15.0  # seconds of each fault: longer than any timeout of the connection
RESUMED = 30.0  # seconds in which polling must go on: two ticks and what a connection may take to notice
STOP = 45.0  # seconds that the units and the compose file allow
SCHEDULER_STOP = 10.0
AWAY, BACK = "broker is away", "broker is back"
FIRST, SECOND = "/good/1.xml", "/good/2.xml"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(feeds=2, entries=2) as publisher:
        yield publisher


@pytest.fixture
def proxy(redis_url: str) -> Iterator[TcpProxy]:
    at = urlsplit(redis_url)
    with TcpProxy.before(at.hostname or "", at.port or 6379) as proxy:
        yield proxy


@pytest.fixture
def stack(
    tmp_path: Path, postgresql_url: str, redis_url: str, proxy: TcpProxy, publisher: Publisher
) -> Iterator[Processes]:
    environ = {
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": f"redis://127.0.0.1:{proxy.port}{urlsplit(redis_url).path}",
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_HOST_CONCURRENCY": "4",
    }
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        stack.aggregator("source", "add", "--every", "1", publisher.url(FIRST), publisher.url(SECOND))
        stack.worker()
        stack.scheduler()
        _polling(publisher)
        yield stack


def _polling(publisher: Publisher, patience: float = 60.0) -> float:
    """Wait until every feed was requested twice; return the seconds that it took."""
    began, before = time.monotonic(), {path: publisher.hits[path] for path in (FIRST, SECOND)}
    eventually("polling goes on", lambda: all(publisher.hits[path] >= n + 2 for path, n in before.items()), patience)
    return time.monotonic() - began


def _break(stack: Processes, proxy: TcpProxy, fault: str, other: str) -> None:
    """Inject a fault for the time of the block, then let Redis respond again."""
    if fault in {"hung", "failed over"}:
        proxy.hang()
    elif fault == "refused":
        proxy.refuse()
    if fault != "half-open":
        time.sleep(OUTAGE)
        assert "Traceback" not in stack.aggregator("status", code=None).stderr
    if fault == "failed over":
        proxy.target = ("127.0.0.1", urlsplit(other).port or 0)
    if fault in {"half-open", "failed over"}:
        proxy.forget()
    proxy.restore()


@pytest.mark.parametrize("fault", ["hung", "half-open", "refused", "failed over"])
def test_polling_goes_on_after_every_trouble_of_redis(
    stack: Processes, proxy: TcpProxy, publisher: Publisher, fault: str
) -> None:
    with servers.redis() as (other, _):
        _break(stack, proxy, fault, other)
        print(f"{fault}: polling goes on after {_polling(publisher, RESUMED):.1f} s")
        for name in ("worker", "scheduler"):
            eventually(f"{name} knows", lambda: stack.log(name).count(AWAY) == stack.log(name).count(BACK))  # noqa: B023
            assert stack.log(name).count(AWAY) <= 2, name  # a stale connection may be noticed after the outage
            assert "Traceback" not in stack.log(name), name
            if fault == "refused":
                assert stack.log(name).count(AWAY) == 1, name


def test_a_poll_under_way_when_redis_goes_away_costs_no_lease(
    stack: Processes, proxy: TcpProxy, publisher: Publisher
) -> None:
    publisher.hang.add(SECOND)
    before = publisher.hits[SECOND]
    eventually("a poll is under way", lambda: publisher.hits[SECOND] > before)
    proxy.forget()
    eventually("the worker notices", lambda: BACK in stack.log("worker"))
    publisher.hang.discard(SECOND)
    print(f"polling goes on after {_polling(publisher, RESUMED):.1f} s")


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("remapped", ["", "SIGQUIT"], ids=["warm", "soft"])
def test_worker_and_scheduler_stop_while_redis_hangs(
    stack: Processes, proxy: TcpProxy, publisher: Publisher, remapped: str, busy: bool
) -> None:
    stack.terminate("worker")
    stack.environ = {**stack.environ, "REMAP_SIGTERM": remapped}
    stack.worker()
    _polling(publisher)
    if busy:
        publisher.hang.update((FIRST, SECOND))
        before = publisher.hits[FIRST]
        eventually("a poll is under way", lambda: publisher.hits[FIRST] > before)
    proxy.hang()
    time.sleep(1.0 if busy else OUTAGE)  # while it is noticed, and once it is
    for name, limit in (("scheduler", SCHEDULER_STOP), ("worker", STOP)):
        began = time.monotonic()
        stack.terminate(name, patience=limit)
        print(f"{name} ended after {time.monotonic() - began:.1f} s")
