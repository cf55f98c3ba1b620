"""Test the limits of one connection: the size of request heads, and the time to send a request."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from aggregator.web import http_protocol as server
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.reader.wire import answered, connected, sent

if TYPE_CHECKING:
    from storage.store import Store
    from tests.reader.serving import Reader

ALIVE = b'{"status":"alive"}'
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"


def test_a_head_that_is_too_large_is_refused(empty_reader: Reader) -> None:
    for size, status in ((30_000, 200), (33_000, 431)):
        assert sent(empty_reader, "/healthz", "Host: a", f"X: {'y' * size}").status == status
    with suppress(ConnectionError):  # the answer may be lost where more comes than was read
        assert sent(empty_reader, "/healthz", "Host: a", f"X: {'y' * 500_000}").status == 431


def test_a_head_without_end_is_cut(empty_reader: Reader) -> None:
    with connected(empty_reader) as line:
        line.sendall(GET)
        taken = 0
        with suppress(ConnectionError):
            while taken < 10_000_000:
                line.sendall(b"X: " + b"y" * 8000 + b"\r\n")
                taken += 8000
        assert taken < 10_000_000


def test_a_connection_may_carry_many_requests(empty_reader: Reader) -> None:
    """Each has a bound of its own."""
    with connected(empty_reader) as line:
        for _ in range(20):
            line.sendall(GET + b"X: " + b"y" * 8000 + b"\r\n\r\n")
            answer = line.recv(65_536)
            while not answer.endswith(ALIVE):  # it may come in parts
                answer += line.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOK_EVERY", 0.1)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("first", "drip"),
    [(b"", b"\r\n"), (b"", b"G"), (GET, b"X-A: b\r\n"), (GET + b"X: ", b"y")],
    ids=["line-ends", "method", "headers", "header-value"],
)
def test_whoever_sends_a_head_drop_by_drop_is_cut(sqlite_store: Store, first: bytes, drip: bytes) -> None:
    with serving(app_of(sqlite_store)) as reader, connected(reader) as line:
        line.sendall(first)
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 5:
                line.sendall(drip)
                time.sleep(0.05)
        assert time.monotonic() - began < 5


@pytest.mark.usefixtures("hurried")
def test_silence_is_cut(sqlite_store: Store) -> None:
    with serving(app_of(sqlite_store)) as reader, connected(reader) as line:
        assert answered(line).status == 408


@pytest.mark.usefixtures("hurried")
def test_a_body_that_does_not_come_is_not_waited_for(sqlite_store: Store) -> None:
    with serving(app_of(sqlite_store)) as reader, connected(reader) as line:
        line.sendall(b"POST /docs HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx")
        with suppress(ConnectionError):
            while line.recv(65_536):
                pass


@pytest.mark.usefixtures("hurried")
def test_listeners_stay_for_longer_than_a_request_may_take_to_be_sent(sqlite_store: Store) -> None:
    with serving(app_of(sqlite_store), watching=True) as reader, connected(reader) as line:
        line.sendall(b"GET /api/v1/live HTTP/1.1\r\nHost: a\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 200")
        line.settimeout(1)  # three times as long
        with suppress(TimeoutError):
            while True:
                assert line.recv(65_536)
