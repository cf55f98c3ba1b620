"""Check that credentials stay with their origin, and that https and proxies keep their guarantees."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, closing
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.errors import ForbiddenAddressError, RedirectError, UnreachableError
from tests.faults.certificates import NAME, trusted, untrusted
from tests.faults.wire import ALLOWED, QUICK, answer, client, request, saying, serving

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.faults.wire import Play

SECRET = {"Authorization": "Bearer s3cret", "X-Key": "s3cret"}
NAMES = {NAME: [[ALLOWED]]}
PROXY = "127.0.0.7"  # where a proxy lives; no client may reach it as a target


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return trusted(tmp_path_factory.mktemp("tls"))


def moved(url: str) -> bytes:
    return answer(status="302 Found", Location=url)


def test_own_headers_go_to_their_origin_alone_and_there_again() -> None:
    async def script() -> tuple[list[str], list[str]]:
        at_home: list[str] = []
        abroad: list[str] = []
        home_says, abroad_says = [b"", answer(b"home")], [b""]
        async with (
            serving(saying(home_says, at_home)) as home,
            serving(saying(abroad_says, abroad)) as other,
            client() as http,
        ):
            home_says[0] = moved(f"http://{ALLOWED}:{other}/b?c=d")
            abroad_says[0] = moved(f"http://{ALLOWED}:{home}/again")
            await http.get(f"http://{ALLOWED}:{home}/", headers=SECRET, etag='"x"')
        return at_home, abroad

    at_home, abroad = asyncio.run(script())
    assert [head.count("s3cret") for head in (*at_home, *abroad)] == [2, 2, 0]
    assert abroad[0].startswith("GET /b?c=d HTTP/1.1\r\n")
    for head in (*at_home, *abroad):
        assert "\r\nReferer:" not in head
        assert "\r\nCookie:" not in head


def test_own_headers_do_not_follow_from_https_to_http_on_the_same_host(tls: ssl.SSLContext) -> None:
    async def script(*, downgrade: bool) -> list[str]:
        seen: list[str] = []
        secure_says = [b""]
        async with (
            serving(saying([answer(b"plain")], seen)) as plain,
            serving(saying(secure_says), tls=tls) as secure,
            client(names=NAMES) as http,
        ):
            secure_says[0] = moved(f"http://{NAME}:{plain}/")
            await http.get(f"https://{NAME}:{secure}/", headers=SECRET, downgrade=downgrade)
        return seen

    with pytest.raises(RedirectError, match="from https to http"):
        asyncio.run(script(downgrade=False))
    [head] = asyncio.run(script(downgrade=True))
    assert "s3cret" not in head


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async def script() -> None:
        async with serving(saying([answer(b"x")]), tls=untrusted(tmp_path)) as port, client(names=NAMES) as http:
            await http.get(f"https://{NAME}:{port}/")

    with pytest.raises(UnreachableError, match="certificate"):
        asyncio.run(script())


def test_a_certificate_for_another_name_is_refused(tls: ssl.SSLContext) -> None:
    async def script() -> None:
        names = {"other.example": [[ALLOWED]]}
        async with serving(saying([answer(b"x")]), tls=tls) as port, client(names=names) as http:
            await http.get(f"https://other.example:{port}/")

    with pytest.raises(UnreachableError, match="certificate"):
        asyncio.run(script())


def tunnelling(seen: list[str]) -> Play:
    """Return a proxy for https that connects to the requested port on `ALLOWED`."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request(reader)
        seen.append(head)
        port = int(head.split(" ")[1].rpartition(":")[2])
        far_reader, far_writer = await asyncio.open_connection(ALLOWED, port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with closing(far_writer):
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))

    return play


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(9999):
        writer.write(data)
    writer.close()


def through_proxy(proxy_plays: Play, script: Callable[[str], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving(proxy_plays, PROXY) as port:
            await script(f"http://{PROXY}:{port}")

    asyncio.run(main())


def test_a_proxy_is_asked_for_the_address_and_may_itself_be_private() -> None:
    seen: list[str] = []

    async def script(proxy: str) -> None:
        async with client(names=NAMES, proxy=proxy.replace("//", "//user:pass@")) as http:
            response = await http.get(f"http://{NAME}/feed", headers={"X-Key": "s3cret"})
        assert response.body == b"fine"
        assert response.private  # the target is in an allowed network; the proxy does not matter

    through_proxy(saying([answer(b"fine")], seen), script)
    assert seen[0].startswith(f"GET http://{NAME}/feed HTTP/1.1\r\n")
    assert "\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n" in seen[0]


def test_https_goes_through_the_proxy_unread(tls: ssl.SSLContext) -> None:
    seen: list[str] = []

    async def script(proxy: str) -> None:
        async with serving(saying([answer(b"secure")]), tls=tls) as port, client(names=NAMES, proxy=proxy) as http:
            response = await http.get(f"https://{NAME}:{port}/feed", headers=SECRET)
        assert response.body == b"secure"

    through_proxy(tunnelling(seen), script)
    assert seen[0].startswith(f"CONNECT {NAME}:")
    assert "s3cret" not in seen[0]


def test_a_proxy_is_not_asked_for_what_we_would_not_ask_ourselves() -> None:
    seen: list[str] = []

    async def script(proxy: str) -> None:
        names = {"feed.example": [[ALLOWED, "10.0.0.1"]], "inside.example": [["169.254.169.254"]]}
        async with client(names=names, proxy=proxy) as http:
            for host in ("feed.example", "inside.example", "127.0.0.1", "[64:ff9b::7f00:1]", PROXY):
                for scheme in ("http", "https"):
                    with pytest.raises(ForbiddenAddressError):
                        await http.get(f"{scheme}://{host}/")
            with pytest.raises(UnreachableError, match="not found"):
                await http.get("http://nowhere.invalid/")

    through_proxy(saying([answer(b"fine")], seen), script)
    assert seen == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_sign_in_is_named(scheme: str) -> None:
    async def script(proxy: str) -> None:
        async with client(names=NAMES, proxy=proxy.replace("//", "//user:pass@")) as http:
            with pytest.raises(UnreachableError, match="AGGREGATOR_PROXY") as caught:
                await http.get(f"{scheme}://{NAME}/")
        assert caught.value.status == 407
        assert f"The proxy {proxy}" in str(caught.value)
        assert "pass@" not in str(caught.value)

    through_proxy(saying([answer(status="407 Proxy Authentication Required")]), script)


def test_a_proxy_that_does_not_connect_or_is_not_there_is_told() -> None:
    async def script(proxy: str) -> None:
        async with client(names=NAMES, proxy=proxy) as http:
            with pytest.raises(UnreachableError, match=r"The proxy .* answered 502"):
                await http.get(f"https://{NAME}/")

    through_proxy(saying([answer(status="502 Bad Gateway")]), script)

    async def gone() -> None:
        async with serving(saying([b""]), PROXY) as port:
            pass
        async with client(names=NAMES, proxy=f"http://{PROXY}:{port}") as http:
            with pytest.raises(UnreachableError, match=r"The proxy .* can't be reached"):
                await http.get(f"http://{NAME}/")

    asyncio.run(gone())


def test_proxies_of_the_environment_are_not_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        async with AsyncExitStack() as stack:
            trap = await stack.enter_async_context(serving(saying([answer(b"trap")], seen), PROXY))
            port = await stack.enter_async_context(serving(saying([answer(b"fine")])))
            for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://{PROXY}:{trap}")
            http = await stack.enter_async_context(client(limits=QUICK))
            assert (await http.get(f"http://{ALLOWED}:{port}/")).body == b"fine"
        return seen

    assert asyncio.run(main()) == []
