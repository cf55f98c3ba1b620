"""Test X's errors for posts that can't be seen, and how its job files are sent and fetched."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.compliance.takedowns import Fate, IdType, Takedown
from aggregator.domain.errors import (
    ForbiddenAddressError,
    SlowError,
    SourceError,
    StatusError,
    TooLargeError,
)
from aggregator.sources.twitter import jobs
from aggregator.sources.twitter.compliance import verdicts_in
from aggregator.sources.twitter.jobs import verdict_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "let-me-in-77"


@pytest.mark.parametrize(
    ("reason", "fate"),
    [
        ("deleted", Fate.DELETED),
        ("bounced", Fate.DELETED),
        ("protected", Fate.PROTECTED),
        ("suspended", Fate.SUSPENDED),
        ("deactivated", Fate.DEACTIVATED),
        ("scrub_geo", Fate.SCRUB_GEO),
        ("something_new", Fate.DELETED),
    ],
)
def test_each_reason_of_a_job_is_a_fate(reason: str, fate: Fate) -> None:
    line = json.dumps({"id": "7", "action": "delete", "redacted_at": "2026-05-04T12:00:00.000Z", "reason": reason})
    takedown = verdict_in(line.encode(), IdType.POSTS)
    assert takedown is not None
    assert (takedown.key, takedown.fate, takedown.at) == ("x:7", fate, datetime(2026, 5, 4, 12, tzinfo=UTC))


def test_people_have_keys_of_their_own() -> None:
    takedown = verdict_in(b'{"id": "9", "reason": "suspended"}', IdType.PEOPLE)
    assert takedown == Takedown("x:@9", Fate.SUSPENDED, "its account on X is suspended", None)


@pytest.mark.parametrize(
    "line", [b"", b"<html>", b"[]", b"{}", b'{"id": "x"}', b'{"id": null}', b"\xff", b"[" * 100_000]
)
def test_a_line_that_is_none_of_xs_is_passed_over(line: bytes) -> None:
    assert verdict_in(line, IdType.POSTS) is None


def _error(kind: str, title: str = "", **more: str) -> dict[str, str]:
    return {
        "resource_id": "7",
        "resource_type": "tweet",
        "type": f"https://api.x.com/2/problems/{kind}",
        "title": title,
        **more,
    }


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (_error("resource-not-found"), Fate.DELETED),
        (_error("not-authorized-for-resource"), Fate.PROTECTED),
        (_error("not-authorized-for-resource", detail="User has been suspended: [7]."), Fate.SUSPENDED),
        (_error("not-authorized-for-resource", detail="The account is deactivated."), Fate.DEACTIVATED),
    ],
)
def test_an_error_about_a_post_is_a_verdict(error: dict[str, str], fate: Fate) -> None:
    [takedown] = verdicts_in({"errors": [error]}, {"7": "x:5"})
    assert (takedown.key, takedown.fate) == ("x:5", fate)


@pytest.mark.parametrize(
    "error",
    [
        _error("client-disconnected"),
        _error("resource-not-found", resource_type="media"),
        _error("resource-not-found", resource_id="none"),
        {"title": "Something"},
        "odd",
    ],
)
def test_other_errors_say_nothing_of_a_post(error: object) -> None:
    assert list(verdicts_in({"errors": [error]}, {})) == []


@pytest.mark.parametrize("url", ["http://files.example/1", "ftp://127.0.0.1/1", "", "http://127.0.0.1:1/", "//x"])
def test_files_travel_by_https_alone(url: str) -> None:
    with pytest.raises((ForbiddenAddressError, SourceError)) as refused:
        jobs.upload(url, ["1"], on_loopback=False)
    assert "files.example" not in str(refused.value)


def test_another_host_needs_https_even_beside_a_local_x() -> None:
    with pytest.raises(ForbiddenAddressError):
        jobs.download("http://files.example/1", IdType.POSTS, on_loopback=True)


@pytest.fixture
def store() -> Iterator[Callable[[Any], str]]:
    """Give a function that starts a file store with a handler and returns a file's address."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Any) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(OSError):  # the client hung up
                    answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's own name
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        servers[-1].daemon_threads = True
        servers[-1].block_on_close = False
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/file?key={SECRET}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _refused(url: str) -> SourceError:
    with pytest.raises(SourceError) as refused:
        jobs.download(url, IdType.POSTS, on_loopback=True)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    return refused.value


def test_a_file_is_read_line_by_line(store: Callable[[Any], str]) -> None:
    def many(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for number in range(20_000):
            handler.wfile.write(b'{"id": "%d", "reason": "deleted"}\n' % number)
        handler.wfile.write(b'{"id": "77777", "reason": "deleted"}')  # without a line's end

    verdicts = jobs.download(store(many), IdType.POSTS, on_loopback=True)
    assert (len(verdicts), verdicts[0].key, verdicts[-1].key) == (20_001, "x:0", "x:77777")


def test_a_line_without_end_is_not_read_on(store: Callable[[Any], str]) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65_536)

    assert isinstance(_refused(store(endless)), TooLargeError)


def test_a_file_that_drips_is_given_up(store: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "TOTAL", 0.5)

    def drips(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"{}\n")
            threading.Event().wait(0.05)

    assert isinstance(_refused(store(drips)), SlowError)


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_file_store_that_refuses_is_told_by_its_status(store: Callable[[Any], str], status: int) -> None:
    def refuses(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", "http://127.0.0.1:1/")
        handler.end_headers()

    message = _refused(store(refuses))
    assert isinstance(message, StatusError)
    assert str(status) in str(message)


def test_a_file_store_that_is_away_is_told() -> None:
    assert "file store can't be reached" in str(_refused(f"http://127.0.0.1:1/?key={SECRET}"))
