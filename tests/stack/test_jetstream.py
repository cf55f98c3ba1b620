"""Test pushed posts of Bluesky with worker, scheduler, reader and listeners as processes, on PostgreSQL and Redis."""

from __future__ import annotations

import sys
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.processes import Processes, eventually
from tests.sources.bluesky.jetstream_server import Jetstream, jetstream
from tests.sources.bluesky.server import BOB, AppView, app_view

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]

PAGES = ("/?collapse=none", "/feed.atom", "/feed.rss", "/feed.json", "/api/v1/activities", "/embed")


@pytest.fixture
def view() -> Iterator[AppView]:
    with app_view() as view:
        yield view


@pytest.fixture
def stream() -> Iterator[Jetstream]:
    with jetstream() as stream:
        yield stream


@pytest.fixture
def stack(tmp_path: Path, postgresql_url: str, redis_url: str, view: AppView, stream: Jetstream) -> Iterator[Processes]:
    environ = {
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_HOST_CONCURRENCY": "4",
        "AGGREGATOR_BLUESKY_API": view.address,
        "AGGREGATOR_BLUESKY_JETSTREAM": stream.address,
    }
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        # Without a push, both would be polled after an hour.
        stack.aggregator("source", "add", "--every", "1h", "@ada.example", "@bob.example")
        stack.worker()
        stack.scheduler()
        stack.reader()
        yield stack


def _listen(stack: Processes, name: str) -> None:
    stack.start(name, sys.executable, "-m", "aggregator", "listen")


def _publish(view: AppView, stream: Jetstream, words: str, **author: str) -> dict[str, Any]:
    post = view.post(words, **author)
    stream.commit("create", post["uri"], post["record"])
    return post


def _texts(stack: Processes) -> list[str]:
    return sorted(item["text"] for item in stack.items())


def _body(stack: Processes, path: str) -> str:
    with urlopen(f"http://127.0.0.1:{stack.port}{path}", timeout=10) as response:
        body: str = response.read().decode()
        return body


def _status(stack: Processes, path: str) -> int:
    try:
        with urlopen(f"http://127.0.0.1:{stack.port}{path}", timeout=10) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code


def _shows(stack: Processes, words: str) -> list[str]:
    """Return the pages that have some words."""
    return [path for path in PAGES if words in _body(stack, path)]


def test_a_post_is_shown_within_seconds_and_a_deleted_one_nowhere(
    stack: Processes, view: AppView, stream: Jetstream
) -> None:
    _listen(stack, "listener")
    eventually("it listens", lambda: stream.connections == 1)
    began = time.monotonic()
    post = _publish(view, stream, "Breaking news")
    eventually("the post is in the API", lambda: _texts(stack) == ["Breaking news"], patience=20)
    assert time.monotonic() - began < 15
    [item] = stack.items()
    assert (item["network"], item["native_id"]) == ("bluesky", post["uri"])
    eventually("it is on all pages", lambda: _shows(stack, "Breaking news") == list(PAGES), patience=20)
    view.delete(post["uri"])
    stream.delete(post["uri"])
    eventually("it is on none", lambda: _shows(stack, "Breaking news") == [], patience=20)
    assert stack.items() == []
    gone = (f"/activities/{item['id']}", f"/api/v1/activities/{item['id']}")
    assert {_status(stack, path) for path in gone} == {HTTPStatus.GONE}
    _publish(view, stream, "Another's", did=BOB)
    eventually("the next one arrives", lambda: _texts(stack) == ["Another's"], patience=20)


@pytest.mark.slow
def test_another_listener_takes_over_after_a_kill(stack: Processes, view: AppView, stream: Jetstream) -> None:
    _listen(stack, "one")
    eventually("one listens", lambda: stream.connections == 1)
    _listen(stack, "two")
    before = _publish(view, stream, "Before")
    eventually("it stores", lambda: _texts(stack) == ["Before"])
    stack.aggregator("listen", "--check")
    assert len(stream.queries) == 1
    stack.kill("one")
    eventually("the connection broke", lambda: stream.connections == 0)
    _publish(view, stream, "Meanwhile", did=BOB)
    view.delete(before["uri"])
    stream.delete(before["uri"])
    eventually("two takes over", lambda: stream.connections == 1)
    eventually("nothing was lost", lambda: _texts(stack) == ["Meanwhile"])
    _publish(view, stream, "After")
    eventually("two goes on", lambda: _texts(stack) == ["After", "Meanwhile"], patience=20)
    assert stack.pid("two") is not None
    assert len(stream.queries) == 2
    assert "cursor" in stream.queries[1]
