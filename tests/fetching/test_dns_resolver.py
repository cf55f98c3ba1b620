"""Test the DNS resolver: slow name servers delay no other lookups."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.errors import SlowConnectError, UnreachableError
from aggregator.fetching.client import Http
from aggregator.fetching.dns_resolver import ResolvedNames, SystemResolver
from aggregator.fetching.limits import Limits
from aggregator.system.thread_pools import in_database_thread
from tests.faults.wire import ALLOWED, Turns, answer, saying, serving

if TYPE_CHECKING:
    from aggregator.fetching.ip_policy import Network

ROOT = Path(__file__).parents[2]
NETWORKS: list[Network] = [ip_network(f"{ALLOWED}/32")]


class NameServers:
    """Replaces `getaddrinfo`: names that begin with "slow" wait until they are released."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.let_go = threading.Event()

    def __call__(self, host: str, port: int, **options: Any) -> list[Any]:
        self.requests.append(host)
        if host.startswith("slow"):
            self.let_go.wait(60)
        if host.startswith("no"):
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        del options
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ALLOWED, port))]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> NameServers:
    servers = NameServers()
    monkeypatch.setattr("aggregator.fetching.dns_resolver.socket.getaddrinfo", servers)
    return servers


def http(limits: Limits) -> Http:
    return Http(
        user_agent="test",
        private_networks=NETWORKS,
        rate_limiter=Turns(),
        limits=limits,
        resolver=SystemResolver(),
    )


def test_slow_name_servers_of_some_fail_no_other_source(servers: NameServers) -> None:
    async def work() -> None:
        async with serving(saying([answer(b"fine")])) as port, http(Limits(look_up=0.5)) as client:
            names = [f"slow{number}.example" for number in range(8)] + [f"good{number}.example" for number in range(10)]
            polls = (client.get(f"http://{name}:{port}/") for name in names)
            got = await asyncio.gather(*polls, return_exceptions=True)
            servers.let_go.set()
        assert [type(result) for result in got[:8]] == [SlowConnectError] * 8
        assert "name 'slow0.example' was not resolved within 0.5 s" in str(got[0])
        assert [getattr(result, "body", result) for result in got[8:]] == [b"fine"] * 10

    asyncio.run(work())


def test_waiting_for_a_slot_is_not_charged_to_the_source(servers: NameServers) -> None:
    async def work() -> None:
        async with serving(saying([answer(b"fine")])) as port, http(Limits(look_up=0.3)) as client:
            client._names = ResolvedNames(SystemResolver(), most=2)
            slow = [asyncio.create_task(client.get(f"http://slow{number}.example:{port}/")) for number in range(2)]
            assert [type(result) for result in await asyncio.gather(*slow, return_exceptions=True)] == [
                SlowConnectError
            ] * 2
            good = asyncio.create_task(client.get(f"http://good.example:{port}/"))
            await asyncio.wait([good], timeout=0.9)
            assert not good.done()  # three times the limit, and it has not failed
            servers.let_go.set()
            assert (await good).body == b"fine"

    asyncio.run(work())


def test_a_name_is_resolved_once_however_many_want_it(servers: NameServers) -> None:
    async def work() -> None:
        names = ResolvedNames(SystemResolver())
        lookups = [asyncio.create_task(names.look_up("slow.example", 60)) for _ in range(20)]
        with pytest.raises(TimeoutError):
            await names.look_up("slow.example", 0.05)
        servers.let_go.set()
        assert {addresses[0]["host"] for addresses in await asyncio.gather(*lookups)} == {ALLOWED}
        assert servers.requests == ["slow.example"]
        await names.close()

    asyncio.run(work())


def test_a_name_that_is_not_found_is_said_so(servers: NameServers) -> None:
    async def work() -> None:
        async with http(Limits()) as client:
            with pytest.raises(UnreachableError, match=r"the name 'no\.example' was not found"):
                await client.get("http://no.example/")
        assert servers.requests == ["no.example"]

    asyncio.run(work())


def test_names_of_the_hosts_file_are_found() -> None:
    async def work() -> list[str]:
        resolver = SystemResolver()
        try:
            return [address["host"] for address in await resolver.resolve("localhost", family=socket.AF_UNSPEC)]
        finally:
            await resolver.close()

    assert "127.0.0.1" in asyncio.run(work())


def test_the_database_has_threads_that_nothing_else_can_fill() -> None:
    async def work() -> None:
        done = threading.Event()
        filling = [asyncio.create_task(asyncio.to_thread(done.wait, 60)) for _ in range(64)]
        await asyncio.sleep(0)
        assert await in_database_thread(lambda: "an answer") == "an answer"
        assert not any(task.done() for task in filling)
        done.set()
        await asyncio.gather(*filling)

    asyncio.run(work())


def test_only_the_executors_of_their_own_are_used() -> None:
    """The default executor is shared; polling must not depend on it."""
    shared = re.compile(r"to_thread\(|run_in_executor\(None")
    rooms = (ROOT / "aggregator").rglob("*.py")
    found = {path.relative_to(ROOT).as_posix() for path in rooms if shared.search(path.read_text("utf-8"))}
    assert {path for path in found if not path.startswith(("aggregator/reader/", "aggregator/review/"))} == set()
