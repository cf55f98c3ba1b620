"""Test rate limits per client, in memory and in a real Redis."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
import structlog

from aggregator.config.option_values import Rate
from aggregator.domain.secrets import Secret
from aggregator.reader.errors import TooManyRequestsError
from aggregator.reader.rate_limits import RateLimits
from aggregator.reader.visibility import PUBLIC
from tests import servers
from tests.building import add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store
    from tests.reader.serving import Reader

pytestmark = pytest.mark.long

FEW = Rate(3, 60)


@pytest.fixture(params=["memory", "redis"])
def counter(request: pytest.FixtureRequest) -> Secret:
    return Secret("memory://" if request.param == "memory" else request.getfixturevalue("redis_url"))


@pytest.fixture
def rationed(sqlite_store: Store, counter: Secret) -> Iterator[Reader]:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity(str(n)) for n in range(5)])
    with serving(app_of(sqlite_store, audience=PUBLIC, rate=FEW, rate_store=counter)) as reader:
        yield reader


def test_what_is_left_is_told_until_nothing_is(rationed: Reader) -> None:
    _early_in_a_window()
    answers = [rationed.ask(f"/api/v1/activities?q=word{n}") for n in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"search";q=3;w=60'}
    text = [re.fullmatch(r'"search";r=(\d+);t=(\d+)', answer.headers["ratelimit"]) for answer in answers]
    assert [int(item[1]) for item in text if item] == [2, 1, 0, 0, 0]
    assert all(1 <= int(item[2]) <= 61 for item in text if item)  # a window of 60 s and what rounding takes
    refused = answers[-1]
    assert refused.json["code"] == "too-many-requests"
    assert refused.headers["cache-control"] == "no-store"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_searches_and_further_pages_count_together_and_the_rest_not_at_all(rationed: Reader) -> None:
    _early_in_a_window()
    following = rationed.ask("/api/v1/activities?limit=1").json["next"]
    assert rationed.ask(f"/api/v1/activities?limit=1&cursor={following}").status == 200
    assert rationed.ask("/api/v1/activities?q=two").status == 200
    assert rationed.ask(f"/api/v1/activities?limit=2&cursor={following}").status == 200
    assert rationed.ask("/api/v1/activities?q=four").status == 429
    for path in (
        "/api/v1/activities",
        "/api/v1/activities?kind=article",
        "/api/v1/changes",
        "/healthz",
        "/?kind=event",
    ):
        answer = rationed.ask(path)
        assert (answer.status, "ratelimit" in answer.headers) == (200, False), path


COUNTED = ("q=word", "until=2026-01-01", "since=2026-01-01")
EVERYWHERE = (
    *("/", "/embed", "/embed/items", "/api/v1/activities", "/api/v1/facets", "/events.ics"),
    *("/feed.rss", "/feed.atom", "/feed.json", "/feed.as2", "/api/v1/sources"),
)


@pytest.fixture
def spent(sqlite_store: Store) -> Iterator[Reader]:
    """Serve a reader to a client that has used up its limit."""
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity(str(n)) for n in range(5)])
    with serving(app_of(sqlite_store, audience=PUBLIC, rate=Rate(1, 3600))) as reader:
        assert reader.ask("/api/v1/activities?q=first").status == 200
        yield reader


def test_every_room_is_one_that_is_counted(empty_reader: Reader) -> None:
    """A route that takes one of these parameters can't be forgotten below."""
    document = empty_reader.ask("/openapi.json").json
    searchable = {
        path
        for path, item in document["paths"].items()
        if {"q", "cursor", "archive"} & {entry["name"] for entry in item["get"].get("parameters", ())}
    }
    assert searchable - {"/api/v1/live"} <= set(EVERYWHERE)  # which reads nothing for a query


@pytest.mark.parametrize("path", EVERYWHERE, ids=lambda path: path.strip("/").replace("/", "-") or "front")
def test_one_limit_holds_everywhere(spent: Reader, path: str) -> None:
    cursor = spent.ask("/api/v1/activities?limit=1").json["next"]
    places = [f"{name}={cursor}" for name in _places(path)]
    for requests in (*(COUNTED if path != "/api/v1/sources" else ()), *places):
        answer = spent.ask(f"{path}?{requests}", headers={"Accept": "text/html"})
        assert answer.status == 429, requests
        assert int(answer.headers["retry-after"]) > 0
    assert spent.ask(path).status == 200
    assert path == "/api/v1/sources" or spent.ask(f"{path}?kind=article").status == 200


def _places(path: str) -> tuple[str, ...]:
    if path.startswith("/feed."):
        return ("cursor", "archive")
    return ("cursor",) if path in {"/", "/api/v1/activities", "/api/v1/sources"} else ()


def test_a_page_counts_by_address_whatever_stands_in_authorization(spent: Reader) -> None:
    for password in ("YTpi", "YTpj"):
        assert spent.ask("/?q=word", headers={"Authorization": f"Basic {password}"}).status == 429


def test_a_request_that_can_not_be_answered_costs_nothing(rationed: Reader) -> None:
    for _ in range(5):
        assert rationed.ask("/api/v1/activities?q=word&limit=nonsense").status == 400


def test_whoever_waits_as_long_as_told_may_ask_again(counter: Secret) -> None:
    rationing = RateLimits(Rate(4, 1), counter)
    for _ in range(2):
        while True:
            try:
                rationing.check("a", "search")
            except TooManyRequestsError as refused:
                time.sleep(int(refused.headers["Retry-After"]))
                break
        assert rationing.check("a", "search")


def test_callers_and_policies_are_counted_apart(counter: Secret) -> None:
    rationing = RateLimits(Rate(1, 3600), counter)
    assert rationing.check("a", "search")
    assert rationing.check("b", "search")
    assert rationing.check("a", "other")["RateLimit"].startswith('"other";r=0;')
    with pytest.raises(TooManyRequestsError):
        rationing.check("a", "search")


def test_of_many_at_once_no_more_pass_than_may(counter: Secret) -> None:
    rationing, passed, barrier = RateLimits(Rate(50, 3600), counter), [], threading.Barrier(10)

    def ask() -> None:
        barrier.wait()
        for _ in range(10):
            try:
                passed.append(rationing.check("a", "search"))
            except TooManyRequestsError:
                continue

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 45 <= len(passed) <= 50  # the one in memory may refuse a few too many in a crowd, never too few


def test_readers_share_what_redis_counts(redis_url: str) -> None:
    readers = [RateLimits(Rate(4, 3600), Secret(redis_url)) for _ in range(2)]
    for number in range(4):
        readers[number % 2].check("a", "search")
    for reader in readers:
        with pytest.raises(TooManyRequestsError):
            reader.check("a", "search")


def test_nothing_is_counted_where_the_limit_is_off(sqlite_store: Store) -> None:
    assert RateLimits(None, Secret("memory://")).check("a", "search") == {}
    with serving(app_of(sqlite_store, rate=None)) as reader:
        assert "ratelimit" not in reader.ask("/api/v1/activities?q=word").headers


def test_when_redis_ends_everybody_passes_and_it_is_said_once(own_redis: subprocess.Popen[bytes], port: int) -> None:
    rationing = RateLimits(Rate(1, 3600), Secret(f"redis://127.0.0.1:{port}/0"))
    rationing.check("a", "search")
    with pytest.raises(TooManyRequestsError):
        rationing.check("a", "search")
    own_redis.kill()
    own_redis.wait()
    with structlog.testing.capture_logs() as logs:
        began = time.monotonic()
        for _ in range(200):
            assert rationing.check("a", "search") == {}
        assert time.monotonic() - began < 1
        rationing._resting_until = 0  # as if it had rested
        assert rationing.check("a", "search") == {}
    assert [(item["event"], item["log_level"]) for item in logs] == [("requests are not counted", "warning")]


def test_a_redis_that_hangs_holds_nobody_up(own_redis: subprocess.Popen[bytes], port: int) -> None:
    rationing = RateLimits(Rate(1, 3600), Secret(f"redis://127.0.0.1:{port}/0"))
    rationing.check("a", "search")
    own_redis.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    for _ in range(200):
        assert rationing.check("a", "search") == {}
    assert time.monotonic() - began < 1
    own_redis.send_signal(signal.SIGCONT)
    rationing._resting_until = 0
    with pytest.raises(TooManyRequestsError):
        rationing.check("a", "search")


def test_a_redis_that_was_never_there_holds_nobody_up(port: int) -> None:
    rationing = RateLimits(Rate(1, 3600), Secret(f"redis://:secret-word@127.0.0.1:{port}/0"))
    with structlog.testing.capture_logs() as logs:
        assert rationing.check("a", "search") == {}
    assert "secret-word" not in str(logs)


@pytest.fixture
def port() -> int:
    return servers.free_port()


@pytest.fixture
def own_redis(port: int, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Give a Redis that can be killed."""
    program, _ = servers.redis_program()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        servers.await_server(lambda: servers.listens(port), server, tmp_path)
        yield server
    finally:
        server.kill()
        server.wait()


def _early_in_a_window() -> None:
    """Wait until the current window of a minute won't end during the test."""
    left = 60 - time.time() % 60
    if left < 5:
        time.sleep(left + 0.1)
