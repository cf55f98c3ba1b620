"""Test HEAD on every route: the headers of GET, no body, and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import Reader, serving, until
from tests.reader.wire import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Store

VARYING = {"date"}
KEPT = ("/", "/api/v1/activities", "/feed.rss", "/embed", "/activities/1")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from storage.store import Store

    store: Store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('head') / 'db.sqlite3'}")
    store.migrate(authority="test.invalid", today=NOON.date())
    ingest_now(store, add_source(store), [an_activity(str(n)) for n in range(30)])
    yield app_of(store)
    store.close()


@pytest.fixture(scope="module")
def reader(app: Any) -> Iterator[Reader]:
    with serving(app, watching=True) as reader:
        until(lambda: "last-modified" in reader.ask("/feed.rss").headers)
        yield reader


def _paths(app: Any) -> list[str]:
    paths = [route.path.replace("{activity_id}", "1") for route in app.routes if hasattr(route, "path")]
    return [path for path in paths if "{" not in path]


def test_every_route_answers_head_with_the_headers_of_get(app: Any, reader: Reader) -> None:
    paths = _paths(app)
    assert {"/", "/api/v1/live", "/healthz", "/readyz", "/docs", "/events.ics"} <= set(paths)
    for path in paths:
        if path == "/api/v1/live":
            continue
        for headers in ({}, {"Accept-Encoding": "gzip"}):
            got = reader.ask(path, headers=headers)
            head = reader.ask(path, method="HEAD", headers=headers)
            assert (head.status, head.body) == (got.status, b""), path
            assert {**head.headers, "date": ""} == {**got.headers, "date": ""}, path


def test_head_has_the_same_validators_as_get(reader: Reader) -> None:
    for path in KEPT:
        until(lambda path=path: "last-modified" in reader.ask(path).headers)  # type: ignore[misc]  # bound now
        got, head = reader.ask(path), reader.ask(path, method="HEAD")
        assert head.headers["last-modified"] == got.headers["last-modified"]
        assert reader.ask(path, method="HEAD", headers={"If-None-Match": got.headers["etag"]}).status == 304


def test_head_on_the_live_stream_ends(reader: Reader) -> None:
    with connected(reader) as line:
        line.sendall(b"HEAD /api/v1/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: line.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"text/event-stream" in answer
    assert answer.endswith(b"\r\n\r\n")
