"""Test the X source with servers that are slow, endless, or gone in the middle of a response."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import requests

from aggregator.domain.errors import SlowError, SourceError, TooLargeError, UnreachableError
from aggregator.sources.twitter import api
from aggregator.sources.twitter.plugin import KIND
from aggregator.sources.twitter.transport import BoundedAdapter
from tests.sources.twitter.fake_x import (
    TOKEN,
    FakeX,
    context,
    failure,
    source,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX() as fake:
        yield fake


# Slow and large


SMALL = partial(BoundedAdapter, largest=200_000)
HASTY = partial(SMALL, read=0.4, total=0.8)
PATIENCE = 30.0  # seconds: the limits are those of HASTY, but the machine may be busy


def _endless(handler: BaseHTTPRequestHandler) -> None:
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65536)


def _dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def _dripping_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.flush_headers()
    for number in range(1000):
        handler.wfile.write(b"X-%d: y\r\n" % (number % 90))
        time.sleep(0.1)


def _cut_short(handler: BaseHTTPRequestHandler) -> None:
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')


def _silent(handler: BaseHTTPRequestHandler) -> None:
    with contextlib.suppress(OSError):
        handler.connection.recv(1)  # until the client hangs up


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (_endless, TooLargeError),
        (_dripping, SlowError),
        (_dripping_headers, SlowError),
        (_silent, SlowError),
        (_cut_short, UnreachableError),
    ],
)
def test_bad_manners_end_in_bounded_time(
    x: FakeX,
    body: Callable[[BaseHTTPRequestHandler], None],
    kind: type[SourceError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "BoundedAdapter", HASTY if kind is SlowError else SMALL)
    x.body = body
    began = time.monotonic()
    assert type(failure(source(), context(x.url))) is kind
    assert time.monotonic() - began < PATIENCE  # the server would go on for much longer


def test_packed_bomb_is_too_large(x: FakeX, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "BoundedAdapter", SMALL)
    x.body, x.headers = gzip.compress(b" " * 30_000_000), {"Content-Encoding": "gzip"}
    assert isinstance(failure(source(), context(x.url)), TooLargeError)


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(failure(source(), context(f"http://127.0.0.1:{port}")), UnreachableError)


@contextmanager
def hanging_up() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            server.settimeout(0.05)
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    server.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        thread.join()


def test_connection_that_is_hung_up() -> None:
    with hanging_up() as base:
        assert isinstance(failure(source(), context(base)), UnreachableError)


def test_cancelled_poll_hangs_up(x: FakeX) -> None:
    x.body = _dripping

    async def cancelled() -> float:
        task = asyncio.ensure_future(anext(aiter(KIND.poll([source()], context(x.url)))))
        await asyncio.to_thread(x.was_asked.wait, 5)
        began = time.monotonic()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return began

    began = asyncio.run(cancelled())  # the loop's end waits for its threads
    assert time.monotonic() - began < PATIENCE


def test_adapter_alone_reports_what_it_saw(x: FakeX) -> None:
    x.says(headers={"X-Rate-Limit-Remaining": "3"}, meta={})
    adapter = BoundedAdapter(x.url, TOKEN)
    with requests.Session() as session:
        session.mount("https://api.twitter.com/", adapter)
        assert session.get("https://api.twitter.com/2/users").json() == {"meta": {}}
    assert adapter.exchange.headers["x-rate-limit-remaining"] == "3"
    assert (adapter.exchange.status, adapter.exchange.requests, adapter.exchange.wire_bytes) == (200, 1, 12)
