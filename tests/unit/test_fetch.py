"""The HTTP client against a scripted server on loopback that speaks raw HTTP, so that it can misbehave at will."""

import asyncio
import gzip
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TypeVar

import brotli
import pytest

from aggregator.domain.errors import (
    ForbiddenAddressError,
    GoneError,
    HeadersTooLargeError,
    PausedError,
    RedirectError,
    SlowError,
    SourceError,
    StatusError,
    TooLargeError,
    UnreachableError,
    UnreadableError,
)
from aggregator.domain.polling.rate_limit import HostTurn
from aggregator.fetching.client import (
    Http,
    Limits,
    Response,
    TransferStats,
    host_key,
    parse_retry_after,
    validators,
)

if sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

FIRST_PAUSE = timedelta(hours=1)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.1/32"),)
QUICK = Limits(connect=1, first_byte=0.4, total=0.8, wire=100_000, decoded=200_000, page=0.1)
_T = TypeVar("_T")


@dataclass
class Turns:
    """Grants every turn and remembers what was asked."""

    turns: list[str] = field(default_factory=list)
    pauses: list[tuple[str, datetime | None]] = field(default_factory=list)
    closed: str | None = None
    granted: HostTurn = field(default_factory=HostTurn)  # the last one

    @asynccontextmanager
    async def turn(self, host: str, endpoint: str = "") -> AsyncIterator[HostTurn]:
        assert not endpoint  # feeds have none
        if host == self.closed:
            raise PausedError("not now")
        self.turns.append(host)
        self.granted = HostTurn()
        yield self.granted

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        assert not endpoint
        assert reason
        self.pauses.append((host, until))
        return until or NOW + FIRST_PAUSE


@dataclass
class Server:
    """Answers by path with raw bytes, in pieces with a pause before each."""

    answers: dict[str, list[bytes]] = field(default_factory=dict)
    gap: float = 0.0
    requests: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(request)
                for piece in self.answers[request.split(" ")[1]]:
                    await asyncio.sleep(self.gap)
                    writer.write(piece)
                    await writer.drain()
                if b"Content-Length" not in b"".join(self.answers[request.split(" ")[1]])[:2000]:
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> list[bytes]:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body]


def moved(status: str, location: str) -> list[bytes]:
    return answer(status=status, Location=location)


def with_server(
    script: Callable[[Http, Server], Awaitable[_T]], *, limits: Limits = QUICK, turns: Turns | None = None
) -> tuple[_T, Server]:
    """Run `script` with a client that may reach 127.0.0.1 alone."""

    async def main() -> tuple[_T, Server]:
        server = Server()
        listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
        server.port = listener.sockets[0].getsockname()[1]
        http = Http(
            user_agent="ActivityStreamAggregator/1 (+https://example.org/contact)",
            private_networks=LOOPBACK,
            quiet=turns or Turns(),
            clock=lambda: NOW,
            limits=limits,
        )
        async with listener, http:
            return await script(http, server), server

    return asyncio.run(main())


def failing(
    answers: dict[str, list[bytes]], expected: type[SourceError], *, gap: float = 0.0, turns: Turns | None = None
) -> SourceError:
    async def script(http: Http, server: Server) -> SourceError:
        server.answers, server.gap = answers, gap
        with pytest.raises(expected) as caught:
            await http.get(f"{server.base}/")
        return caught.value

    return with_server(script, turns=turns)[0]


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


def test_validators_are_sent_back_byte_for_byte_and_304_has_no_body() -> None:
    async def script(http: Http, server: Server) -> Response:
        server.answers["/"] = answer(status="304 Not Modified", ETag='"new"')
        return await http.get(f"{server.base}/", etag='W/"a, b"', modified="some time")

    response, server = with_server(script)
    assert (response.status, response.body) == (304, b"")
    assert 'If-None-Match: W/"a, b"\r\n' in server.requests[0]
    assert "If-Modified-Since: some time\r\n" in server.requests[0]
    assert validators(response) == {"etag": '"new"'}


def test_a_304_that_nobody_asked_for_is_an_error() -> None:
    assert failing({"/": answer(status="304 Not Modified")}, StatusError).status == 304


def test_a_validator_that_is_no_utf8_is_not_kept() -> None:
    async def script(http: Http, server: Server) -> Response:
        server.answers["/"] = answer(ETag='"\udce9"')
        return await http.get(f"{server.base}/")

    assert validators(with_server(script)[0]) == {}


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"plain text")),
        ("x-gzip", gzip.compress(b"plain text")),
        ("gzip", gzip.compress(b"plain ") + gzip.compress(b"text") + b"\0\0padding"),
        ("br", brotli.compress(b"plain text")),
        ("zstd", zstd.compress(b"plain text")),
        ("zstd", zstd.compress(b"plain ") + zstd.compress(b"text")),
        ("deflate", zlib.compress(b"plain text")),
        ("deflate", zlib.compress(b"plain text")[2:-4]),
        ("identity", b"plain text"),
    ],
)
def test_packed_bodies_are_unpacked(encoding: str, packed: bytes) -> None:
    async def script(http: Http, server: Server) -> Response:
        head, body = answer(packed, Content_Encoding=encoding)[0].split(b"\r\n\r\n", 1)
        server.answers["/"] = [head + b"\r\n\r\n", *(body[i : i + 1] for i in range(len(body)))]
        return await http.get(f"{server.base}/")

    response = with_server(script)[0]
    assert response.body == b"plain text"
    assert response.wire_bytes == len(packed)


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (b"not packed", "gzip", UnreadableError),
        (gzip.compress(b"x" * 999)[:-9], "gzip", UnreachableError),
        (b"\xff not packed", "br", UnreadableError),
        (brotli.compress(b"x" * 999)[:-3], "br", UnreachableError),
        (b"not packed", "zstd", UnreadableError),
        (zstd.compress(b"x" * 999)[:-3], "zstd", UnreachableError),
        (b"whatever", "compress", UnreadableError),
        (b"whatever", "gzip, br", UnreadableError),
    ],
)
def test_a_body_that_is_not_packed_as_it_says(body: bytes, encoding: str, error: type[SourceError]) -> None:
    failing({"/": answer(body, Content_Encoding=encoding)}, error)


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
    error = failing({"/": [b"H", b"TTP/1.1 200 OK\r\n\r\n"]}, SlowError, gap=0.3)
    assert "headers" in str(error)
    drip = [b"HTTP/1.1 200 OK\r\n\r\n", *([b"x"] * 40)]
    assert "in full" in str(failing({"/": drip}, SlowError, gap=0.1))


def test_the_total_time_counts_all_hops_together() -> None:
    answers = {"/": moved("302 Found", "/1"), "/1": moved("302 Found", "/2"), "/2": answer(b"x")}
    failing(answers, SlowError, gap=0.3)


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
    assert "where" in str(failing({"/": answer(status="302 Found")}, RedirectError))
    assert "neither" in str(failing({"/": moved("302 Found", "file:///etc/passwd")}, RedirectError))
    assert "user name" in str(failing({"/": moved("302 Found", "http://u:p@127.0.0.1/")}, RedirectError))


def test_five_hops_are_still_fine() -> None:
    async def script(http: Http, server: Server) -> Response:
        server.answers = {f"/{n}": moved("307 Temporary Redirect", f"/{n + 1}") for n in range(5)}
        server.answers["/5"] = answer(b"x")
        return await http.get(f"{server.base}/0")

    assert with_server(script)[0].requests == 6


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
        ("429 Too Many Requests", "", FIRST_PAUSE),  # for how long it does not say: whoever keeps pauses decides
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


@pytest.mark.parametrize(
    ("value", "date", "expected"),
    [
        ("0", None, timedelta()),
        ("90", None, timedelta(seconds=90)),
        ("1000000000", None, timedelta(hours=24)),
        ("99999999999999999999999999", None, timedelta(hours=24)),
        ("-1", None, None),
        ("1.5", None, None),
        ("soon", None, None),
        ("", None, None),
        (None, None, None),
        ("Sun, 01 Mar 2026 12:10:00 GMT", None, timedelta(minutes=10)),
        ("Sunday, 01-Mar-26 12:10:00 GMT", None, timedelta(minutes=10)),
        ("Sun Mar  1 12:10:00 2026", None, timedelta(minutes=10)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None, timedelta()),
        ("Sun, 01 Mar 2026 11:00:00 GMT", "Sun, 01 Mar 2026 10:55:00 GMT", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 12:10:00 GMT", "nonsense", timedelta(minutes=10)),
        ("Sun, 01 Mar 2099 12:10:00 GMT", None, timedelta(hours=24)),
    ],
)
def test_retry_after_has_an_outcome_for_everything(
    value: str | None, date: str | None, expected: timedelta | None
) -> None:
    assert parse_retry_after(value, date, NOW) == (None if expected is None else NOW + expected)


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


def test_a_client_is_used_within_its_block() -> None:
    http = Http(user_agent="x", private_networks=(), quiet=Turns())
    with pytest.raises(RuntimeError):
        asyncio.run(http.get("http://example.org/"))
