"""Test which URLs and redirects are followed, and how hosts are named."""

import asyncio

import pytest

from aggregator.domain.errors import (
    ForbiddenAddressError,
    RedirectError,
)
from aggregator.fetching.client import Http
from aggregator.fetching.request_target import host_key
from aggregator.fetching.response import Response
from tests.fetching.server import Server, Turns, answer, failing, moved, with_server


def test_a_redirect_does_not_lead_inside() -> None:
    async def script(http: Http, server: Server) -> None:
        server.answers["/"] = moved("302 Found", f"http://127.0.0.2:{server.port}/secret")
        with pytest.raises(ForbiddenAddressError):
            await http.get(f"{server.base}/")

    assert len(with_server(script)[1].requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/a b",
        "//127.0.0.1/",
        "http://[::1/",
    ],
)
def test_what_is_no_plain_web_address_is_refused_before_anything_is_sent(url: str) -> None:
    turns = Turns()

    async def script(http: Http, server: Server) -> str:
        assert not server.requests
        with pytest.raises(ForbiddenAddressError) as caught:
            await http.get(url)
        return str(caught.value)

    sentence = with_server(script, turns=turns)[0]
    assert "secret" not in sentence
    assert turns.turns == []


def test_redirects_are_followed_with_a_turn_for_each_hop() -> None:
    turns = Turns()

    async def script(http: Http, server: Server) -> Response:
        server.answers = {
            "/": moved("301 Moved Permanently", "/a"),
            "/a": moved("308 Permanent Redirect", f"{server.base}/b c#part"),
            "/b%20c": moved("302 Found", "d"),
            "/d": moved("301 Moved Permanently", "/e"),
            "/e": answer(b"here"),
        }
        return await http.get(f"{server.base}/", etag='"1"')

    response, server = with_server(script, turns=turns)
    assert response.body == b"here"
    assert response.url == f"{server.base}/e"
    assert response.permanent_url == f"{server.base}/b%20c"
    assert response.requests == 5
    assert turns.turns == [f"127.0.0.1:{server.port}"] * 5


def test_own_headers_stay_at_the_origin() -> None:
    async def script(http: Http, server: Server) -> None:
        other = await asyncio.start_server(server.handle, "127.0.0.1", 0)
        port = other.sockets[0].getsockname()[1]
        server.answers = {"/": moved("302 Found", f"http://127.0.0.1:{port}/x"), "/x": answer(b"x")}
        async with other:
            await http.get(f"{server.base}/", headers={"Authorization": "Bearer s3cret"})

    server = with_server(script)[1]
    assert "s3cret" in server.requests[0]
    assert "s3cret" not in server.requests[1]


def test_a_loop_a_long_way_and_a_blind_redirect_are_refused() -> None:
    assert "loop" in str(failing({"/": moved("302 Found", "/a"), "/a": moved("302 Found", "/")}, RedirectError))
    long_way = {"/": moved("302 Found", "/1")} | {f"/{n}": moved("302 Found", f"/{n + 1}") for n in range(1, 9)}
    assert "more than 5" in str(failing(long_way, RedirectError))
    assert "Location" in str(failing({"/": answer(status="302 Found")}, RedirectError))
    assert "not an http" in str(failing({"/": moved("302 Found", "file:///etc/passwd")}, RedirectError))
    assert "user name" in str(failing({"/": moved("302 Found", "http://u:p@127.0.0.1/")}, RedirectError))


def test_five_hops_are_still_fine() -> None:
    async def script(http: Http, server: Server) -> Response:
        server.answers = {f"/{n}": moved("307 Temporary Redirect", f"/{n + 1}") for n in range(5)}
        server.answers["/5"] = answer(b"x")
        return await http.get(f"{server.base}/0")

    assert with_server(script)[0].requests == 6


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://Example.ORG/feed", "example.org:443"),
        ("http://example.org./", "example.org:80"),
        ("http://example.org:8080/x", "example.org:8080"),
        ("https://bücher.example/", "xn--bcher-kva.example:443"),
    ],
)
def test_the_host_key_is_one_spelling_of_group_and_port(url: str, key: str) -> None:
    assert host_key(url) == key
