"""Test the HTTP client against a scripted server that misbehaves."""

import asyncio
from datetime import timedelta

import pytest

from aggregator.domain.errors import (
    ForbiddenAddressError,
    GoneError,
    HeadersTooLargeError,
    PausedError,
    SlowError,
    StatusError,
    TooLargeError,
    UnreachableError,
)
from aggregator.fetching.client import Http
from aggregator.fetching.limits import Limits
from aggregator.fetching.response import Response, TransferStats, validators
from tests.fetching.server import FIRST_PAUSE, NOW, QUICK, Server, Turns, answer, failing, moved, with_server


def test_an_ordinary_answer_comes_whole_with_its_facts() -> None:
    turns = Turns()

    async def script(http: Http, server: Server) -> Response:
        server.answers["/feed?a=1&a=2"] = answer(b"hello", ETag='W/"x"', Last_Modified="yesterday, roughly")
        return await http.get(f"{server.base}/feed?a=1&a=2", accept="text/xml")

    response, server = with_server(script, turns=turns)
    assert (response.status, response.body, response.wire_bytes, response.requests) == (200, b"hello", 5, 1)
    assert response.url.endswith("/feed?a=1&a=2")
    assert response.permanent_url is None
    assert response.started == NOW
    assert response.private
    assert response.headers["etag"] == 'W/"x"'
    assert validators(response) == {"etag": 'W/"x"', "modified": "yesterday, roughly"}
    assert turns.turns == [f"127.0.0.1:{server.port}"]
    sent = server.requests[0]
    assert "User-Agent: ActivityStreamAggregator/1 (+https://example.org/contact)\r\n" in sent
    assert "Accept: text/xml\r\n" in sent
    assert "Accept-Encoding: gzip, deflate, br, zstd\r\n" in sent
    assert "Cookie" not in sent
    assert "Referer" not in sent


def test_cookies_are_not_kept() -> None:
    async def script(http: Http, server: Server) -> None:
        server.answers["/"] = answer(b"x", Set_Cookie="a=b; Path=/")
        await http.get(f"{server.base}/")
        await http.get(f"{server.base}/")

    server = with_server(script)[1]
    assert len(server.requests) == 2
    assert "Cookie" not in server.requests[1]


def test_too_many_bytes_are_refused_when_announced_and_when_sent() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n"
    assert "announces" in str(failing({"/": [head]}, TooLargeError))
    endless = [b"HTTP/1.1 200 OK\r\n\r\n", *([b"x" * 20_000] * 50)]
    assert "sends" in str(failing({"/": endless}, TooLargeError))


def test_a_header_without_end_is_refused() -> None:
    failing({"/": [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000]}, HeadersTooLargeError)


def test_very_many_headers_are_refused() -> None:
    failing({"/": [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n"]}, HeadersTooLargeError)


def test_slow_headers_and_a_dripping_body_are_cut() -> None:
    error = failing({"/": [b"H", b"TTP/1.1 200 OK\r\n\r\n"]}, SlowError, gap=0.3, limits=QUICK)
    assert "headers" in str(error)
    drip = [b"HTTP/1.1 200 OK\r\n\r\n", *([b"x"] * 40)]
    assert "in full" in str(failing({"/": drip}, SlowError, gap=0.1, limits=QUICK))


def test_the_total_time_counts_all_hops_together() -> None:
    answers = {"/": moved("302 Found", "/1"), "/1": moved("302 Found", "/2"), "/2": answer(b"x")}
    failing(answers, SlowError, gap=0.3, limits=QUICK)


def test_an_answer_that_breaks_off_is_an_error() -> None:
    failing({"/": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"]}, UnreachableError)
    failing({"/": []}, UnreachableError)
    failing({"/": [b"220 ftp.example.org ready\r\n\r\n"]}, UnreachableError)


def test_refused_connections_and_unknown_names_are_told_apart() -> None:
    async def script(http: Http, server: Server) -> list[str]:
        listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        listener.close()
        await listener.wait_closed()
        sentences = []
        for url in (f"http://127.0.0.1:{port}/", "http://nowhere.invalid/"):
            with pytest.raises(UnreachableError) as caught:
                await http.get(url)
            sentences.append(str(caught.value))
        return sentences

    refused, unknown = with_server(script, limits=Limits())[0]
    assert "refused" in refused
    assert "nowhere.invalid" in unknown


def test_plain_http_behind_https_is_a_tls_failure() -> None:
    async def script(http: Http, server: Server) -> str:
        async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        listener = await asyncio.start_server(plain, "127.0.0.1", 0)
        async with listener:
            with pytest.raises(UnreachableError) as caught:
                await http.get(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
        assert not server.requests
        return str(caught.value)

    assert "TLS" in with_server(script)[0]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.2", "localhost", "0x7f000002", "[::1]", "[::ffff:127.0.0.2]", "0.0.0.0", "\uff11\uff12\uff17.0.0.2"],
)
def test_private_addresses_are_refused_at_connection_time(host: str) -> None:
    tally = TransferStats()

    async def script(http: Http, server: Server) -> str:
        url = f"http://{host}:{server.port}/"
        if host == "localhost":
            http._private_networks = ()
        with pytest.raises(ForbiddenAddressError) as caught:
            await http.get(url, tally=tally)
        return str(caught.value)

    sentence, server = with_server(script)
    assert "AGGREGATOR_PRIVATE_NETWORKS" in sentence
    assert server.requests == []
    assert tally == TransferStats(requests=1)


@pytest.mark.parametrize("host", ["2130706434", "127.2", "0177.0.0.2"])
def test_a_number_in_the_place_of_a_name_is_refused(host: str) -> None:
    async def script(http: Http, server: Server) -> None:
        with pytest.raises(ForbiddenAddressError):
            await http.get(f"http://{host}:{server.port}/")

    assert with_server(script)[1].requests == []


def test_a_status_that_is_no_success_is_said_with_advice() -> None:
    error = failing({"/": answer(b"secret page", status="410 Whatever")}, StatusError)
    assert error.status == 410
    assert "410 Gone" in str(error)
    assert "remove" in str(error)
    assert isinstance(error, GoneError)
    assert failing({"/": answer(status="500 Oops", Retry_After="60")}, StatusError).until == NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("status", "retry_after", "wait"),
    [
        ("429 Too Many Requests", "120", timedelta(seconds=120)),
        ("429 Too Many Requests", "", FIRST_PAUSE),  # without a duration: the caller's default applies
        ("429 Too Many Requests", "0", FIRST_PAUSE),
        ("503 Service Unavailable", "120", timedelta(seconds=120)),
        ("503 Service Unavailable", "", None),
        ("503 Service Unavailable", "-5", None),
        ("500 Internal Server Error", "120", None),
    ],
)
def test_a_host_that_asks_for_quiet_is_paused(status: str, retry_after: str, wait: timedelta | None) -> None:
    turns = Turns()
    page = answer(status=status, Retry_After=retry_after) if retry_after else answer(status=status)
    failing({"/": page}, StatusError, turns=turns)
    assert [(until or NOW + FIRST_PAUSE) - NOW for _, until in turns.pauses] == ([wait] if wait else [])


@pytest.mark.parametrize(
    ("status", "answered"),
    [("404 Not Found", True), ("500 Oops", True), ("429 Too Many Requests", False), ("503 No", False)],
)
def test_whoever_grants_turns_is_told_whether_the_host_answered(status: str, *, answered: bool) -> None:
    turns = Turns()
    failing({"/": answer(status=status)}, StatusError, turns=turns)
    assert turns.granted.answered is answered
    failing({"/": []}, UnreachableError, turns=turns)
    assert not turns.granted.answered


def test_a_page_that_never_ends_does_not_hide_for_how_long_to_stay_away() -> None:
    head = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 99\r\n\r\n"
    turns = Turns()
    assert failing({"/": [head]}, StatusError, turns=turns).until == NOW + timedelta(minutes=2)
    assert [until for _, until in turns.pauses] == [NOW + timedelta(minutes=2)]


def test_a_paused_host_is_not_asked() -> None:
    turns = Turns()

    async def script(http: Http, server: Server) -> None:
        turns.closed = f"127.0.0.1:{server.port}"
        with pytest.raises(PausedError):
            await http.get(f"{server.base}/")

    assert with_server(script, turns=turns)[1].requests == []


def test_a_client_is_used_within_its_block() -> None:
    http = Http(user_agent="x", private_networks=(), rate_limiter=Turns())
    with pytest.raises(RuntimeError):
        asyncio.run(http.get("http://example.org/"))
