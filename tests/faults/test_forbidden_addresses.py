"""Check that no request connects to a forbidden address, by any route."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.errors import ForbiddenAddressError, RedirectError, SlowConnectError
from tests.faults.wire import ALLOWED, PATIENT, QUICK, answer, client, saying, serving
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from aggregator.fetching.client import Http
    from aggregator.fetching.limits import Limits
    from tests.faults.wire import Play

# As written in an address; a literal, or a spelling that look-ups take for one.
LITERALS = {
    "loopback": "127.0.0.1",
    "loopback, another": "127.255.255.254",
    "loopback in decimal": "2130706433",
    "loopback in hex": "0x7f000001",
    "loopback in hex parts": "0x7f.0x0.0x0.0x1",
    "loopback in octal": "0177.0.0.1",
    "loopback, short": "127.1",
    "loopback in full-width digits": "\uff11\uff12\uff17\uff0e\uff10\uff0e\uff10\uff0e\uff11",
    "loopback in circled digits": "\u2460\u2461\u2466.0.0.1",
    "loopback of version 6": "[::1]",
    "loopback of version 6, long": "[0:0:0:0:0:0:0:1]",
    "loopback, mapped": "[::ffff:127.0.0.1]",
    "loopback, mapped in hex": "[::ffff:7f00:1]",
    "loopback, compatible": "[::127.0.0.1]",
    "loopback, translated": "[::ffff:0:127.0.0.1]",
    "localhost": "localhost",
    "localhost, upper case": "LOCALHOST",
    "this host": "0.0.0.0",
    "this host, short": "0",
    "this network": "0.1.2.3",
    "this host of version 6": "[::]",
    "private 10": "10.0.0.1",
    "private 10 in decimal": "167772161",
    "private 172.16": "172.16.0.1",
    "private 172.31": "172.31.255.254",
    "private 192.168": "192.168.1.1",
    "private, mapped": "[::ffff:192.168.1.1]",
    "carrier": "100.64.0.1",
    "metadata": "169.254.169.254",
    "metadata in decimal": "2852039166",
    "metadata in hex": "0xa9fea9fe",
    "metadata in octal": "0251.0376.0251.0376",
    "metadata, short": "169.254.43518",
    "metadata, mapped": "[::ffff:169.254.169.254]",
    "metadata of Alibaba": "100.100.100.200",
    "metadata of Oracle": "192.0.0.192",
    "metadata of Azure": "168.63.129.16",
    "metadata of AWS by version 6": "[fd00:ec2::254]",
    "NAT64 of loopback": "[64:ff9b::7f00:1]",
    "NAT64 of metadata": "[64:ff9b::a9fe:a9fe]",
    "NAT64, local": "[64:ff9b:1::7f00:1]",
    "6to4 of loopback": "[2002:7f00:1::]",
    "6to4 of metadata": "[2002:a9fe:a9fe::1]",
    "Teredo": "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "unique local": "[fc00::1]",
    "unique local, fd": "[fd12:3456::1]",
    "site local": "[fec0::1]",
    "link local of version 6": "[fe80::1]",
    "documentation": "192.0.2.1",
    "documentation of version 6": "[2001:db8::1]",
    "benchmarks": "198.18.0.1",
    "multicast": "224.0.0.1",
    "multicast of version 6": "[ff02::1]",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "6to4 relay": "192.88.99.1",
}
# Names, and what a resolver answers for them.
NAMES: Mapping[str, Sequence[str]] = {
    "metadata.google.internal": ["169.254.169.254"],
    "metadata.goog": ["169.254.169.254"],
    "instance-data.ec2.internal": ["169.254.169.254", "fd00:ec2::254"],
    "127.0.0.1.any.example": ["127.0.0.1"],
    "alias.example": ["10.0.0.1"],  # resolvers follow a CNAME
    "both.example": ["10.0.0.1", "::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "dotted.example.": ["127.0.0.1"],
}
NOT_THE_WEB = ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "http://a:b@127.0.0.1/", "//127.0.0.1/"]
LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1"]  # where a trap listens; 0.0.0.0 and :: lead to it as well


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


ADDRESSES = [written.strip("[]") for written in LITERALS.values() if _is_address(written.strip("[]"))]


@dataclass
class World:
    """Serve on an allowed address, beside a trap on the same port that no request may reach."""

    http: Http
    port: int
    answers: list[bytes]
    caught: list[str] = field(default_factory=list)


async def _everywhere(stack: AsyncExitStack, play: Play, trap: Play) -> int:
    """Serve on the same port of every address; another test may have taken a port of one of them."""
    while True:
        async with AsyncExitStack() as opened:
            try:
                port = await opened.enter_async_context(serving(play, port=free_port()))
                for address in LOOPBACK:
                    await opened.enter_async_context(serving(trap, address, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            stack.push_async_exit(opened.pop_all())
            return port


def in_world(
    script: Callable[[World], Awaitable[None]],
    *,
    names: Mapping[str, Sequence[Sequence[str]]] | None = None,
    proxy: bool = False,
    allowed: Sequence[str] = (f"{ALLOWED}/32",),
    limits: Limits = PATIENT,
) -> World:
    """Run `script` and return the connections to the trap."""

    async def main() -> World:
        answers = [answer(b"fine")]
        caught: list[str] = []

        async def trap(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            caught.append(str(writer.get_extra_info("sockname")))
            writer.write(answer(b"secret"))

        async with AsyncExitStack() as stack:
            port = await _everywhere(stack, saying(answers), trap)
            through = f"http://{ALLOWED}:{port}" if proxy else None
            http = await stack.enter_async_context(client(names=names, proxy=through, allowed=allowed, limits=limits))
            world = World(http, port, answers, caught)
            await script(world)
            return world

    return asyncio.run(main())


async def straight(world: World, host: str) -> None:
    await world.http.get(f"http://{host}:{world.port}/")


async def redirected(world: World, host: str) -> None:
    world.answers[:] = [answer(status="302 Found", Location=f"http://{host}:{world.port}/")]
    await world.http.get(f"http://{ALLOWED}:{world.port}/")


def _refused(way: Callable[[World, str], Awaitable[None]], host: str) -> Callable[[World], Awaitable[None]]:
    async def script(world: World) -> None:
        with pytest.raises(ForbiddenAddressError):
            await way(world, host)

    return script


@pytest.mark.parametrize(
    ("way", "proxy"),
    [(straight, False), (redirected, False), (straight, True)],
    ids=["straight", "redirected", "by proxy"],
)
@pytest.mark.parametrize("host", LITERALS.values(), ids=LITERALS)
def test_it_is_refused_as_it_is_written(
    host: str, way: Callable[[World, str], Awaitable[None]], *, proxy: bool
) -> None:
    assert in_world(_refused(way, host), proxy=proxy).caught == []


@pytest.mark.parametrize("way", [straight, redirected])
@pytest.mark.parametrize("address", ADDRESSES)
def test_it_is_refused_by_name(address: str, way: Callable[[World, str], Awaitable[None]]) -> None:
    script = _refused(way, "feed.example")
    assert in_world(script, names={"feed.example": [[address]]}).caught == []
    assert in_world(script, names={"feed.example": [[address, address]]}).caught == []


@pytest.mark.parametrize("proxy", [False, True], ids=["", "proxy"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_inside_is_refused(name: str, *, proxy: bool) -> None:
    assert in_world(_refused(straight, name), names={name: [NAMES[name]]}, proxy=proxy).caught == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_name_that_changes_its_answer_is_refused_from_then_on(address: str) -> None:
    async def script(world: World) -> None:
        url = f"http://feed.example:{world.port}/"
        for _ in range(2):
            assert (await world.http.get(url)).body == b"fine"
            world.http._names.forget()  # which would keep the answer for ten seconds
        with pytest.raises(ForbiddenAddressError):
            await world.http.get(url)

    assert in_world(script, names={"feed.example": [[ALLOWED], [ALLOWED], [address]]}).caught == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_of_several_addresses_only_the_public_one_is_connected_to(address: str) -> None:
    async def script(world: World) -> None:
        assert (await world.http.get(f"http://feed.example:{world.port}/")).body == b"fine"
        assert (await world.http.get(f"http://turned.example:{world.port}/")).body == b"fine"

    names = {"feed.example": [[address, ALLOWED]], "turned.example": [[ALLOWED, address]]}
    assert in_world(script, names=names).caught == []


@pytest.mark.parametrize("private", LOOPBACK)
def test_a_public_address_that_is_dead_is_no_way_to_the_private_one_beside_it(private: str) -> None:
    async def refusing(world: World) -> None:
        with pytest.raises(ForbiddenAddressError):
            await world.http.get(f"http://feed.example:{world.port}/")

    async def silent(world: World) -> None:
        with blackhole("127.0.0.8", world.port), pytest.raises(SlowConnectError):
            await world.http.get(f"http://feed.example:{world.port}/")

    for script, limits in ((refusing, PATIENT), (silent, QUICK)):
        names = {"feed.example": [["127.0.0.8", private]]}
        assert in_world(script, names=names, allowed=["127.0.0.8/32"], limits=limits).caught == []


@pytest.mark.parametrize("url", NOT_THE_WEB)
def test_what_is_not_the_web_is_not_asked_for(url: str) -> None:
    async def script(world: World) -> None:
        with pytest.raises(ForbiddenAddressError):
            await world.http.get(url)
        world.answers[:] = [answer(status="302 Found", Location=url)]
        expected = ForbiddenAddressError if url.startswith("//") else RedirectError
        with pytest.raises(expected):
            await world.http.get(f"http://{ALLOWED}:{world.port}/")

    assert in_world(script).caught == []


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f000001", "[::ffff:7f00:1]", "localhost", "feed.example"])
@pytest.mark.parametrize("way", [straight, redirected])
def test_the_same_ways_lead_to_the_trap_where_the_operator_opens_it(
    host: str, way: Callable[[World, str], Awaitable[None]]
) -> None:
    async def script(world: World) -> None:
        await way(world, host)

    assert in_world(script, names={"feed.example": [["127.0.0.1"]]}, allowed=["127.0.0.0/8", "::1/128"]).caught


@contextmanager
def blackhole(address: str, port: int) -> Iterator[None]:
    """Give an address that never accepts: its queue of connections is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield
