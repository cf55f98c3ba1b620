"""Test the common parts of all responses: headers, HEAD, validators, static files, and proxies."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update
from starlette.responses import JSONResponse
from starlette.routing import Route

from aggregator.web.proxies import Origin, origin
from storage import schema
from storage.tables.migrations import schema_compatibility
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from starlette.requests import Request

    from storage.store import Store
    from tests.reader.serving import Reader

EVERYWHERE = ["/", "/api/v1/activities", "/api/v1/sources", "/healthz", "/readyz", "/openapi.json", "/docs", "/nothing"]


@pytest.mark.parametrize("path", [*EVERYWHERE, "/api/v1/activities?limit=0"])
def test_every_answer_is_guarded(empty_reader: Reader, path: str) -> None:
    headers = empty_reader.ask(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == "'self'"
    assert policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"


@pytest.mark.parametrize("path", EVERYWHERE)
def test_head_answers_like_get_without_a_body(empty_reader: Reader, path: str) -> None:
    get, head = empty_reader.ask(path), empty_reader.ask(path, method="HEAD")

    assert head.status == get.status
    assert head.body == b""
    volatile = {"date"}
    assert {n: v for n, v in head.headers.items() if n not in volatile} == {
        n: v for n, v in get.headers.items() if n not in volatile
    }
    assert int(head.headers["content-length"]) == len(get.body) > 0


@pytest.mark.parametrize("path", ["/", "/api/v1/activities?limit=1", "/api/v1/sources"])
def test_what_did_not_change_is_not_sent_again(store: Store, reader: Reader, path: str) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("a")])
    first = reader.ask(path)
    tag = first.headers["etag"]

    same = reader.ask(path, headers={"If-None-Match": f'"other", {tag}'})
    ingest_now(store, source, [an_activity("b")])
    add_source(store, "another")
    changed = reader.ask(path, headers={"If-None-Match": tag})

    assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    assert same.headers["cache-control"] == first.headers["cache-control"]
    assert (changed.status, changed.headers["etag"] != tag) == (200, True)


def test_different_questions_have_different_tags(store: Store, reader: Reader) -> None:
    ingest_now(store, add_source(store), [an_activity("a"), an_activity("b")])

    tags = {
        reader.ask(path).headers["etag"] for path in ("/api/v1/activities", "/api/v1/activities?limit=1", "/", "/docs")
    }

    assert len(tags) == 4


def test_static_files_are_kept_for_ever_under_their_version(empty_reader: Reader) -> None:
    page = empty_reader.ask("/").text
    paths = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))

    assert {path.rpartition("/")[2] for path in paths} == {"site.css", "mark.svg", "live.js", "portal.js"}
    for path in paths:
        answer = empty_reader.ask(path)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    other = empty_reader.ask("/static/000000000000/site.css")
    assert (other.status, other.headers["cache-control"]) == (200, "no-cache")
    assert other.headers["content-type"] == "text/css; charset=utf-8"
    assert empty_reader.ask("/static/x/..%2F..%2Fsecurity.py").status == 404


def test_a_public_address_with_a_path_is_in_every_link(sqlite_store: Store) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity()])
    app = app_of(sqlite_store, public_url="https://portal.example/stream")

    with serving(app) as reader:
        kept, stripped = reader.ask("/stream/"), reader.ask("/")
        document = reader.ask("/stream/openapi.json").json
        style = re.findall(r'href="([^"]+site\.css)"', kept.text)[0]
        styled = reader.ask(style)
        problem = reader.ask("/stream/nothing").json

    assert kept.body == stripped.body
    assert re.findall(r'(?:href|src)="(/(?!stream/)[^"]*)"', kept.text) == []
    assert '<link rel="canonical" href="https://portal.example/stream/">' in kept.text
    assert document["servers"] == [{"url": "https://portal.example/stream"}]
    assert styled.status == 200
    assert problem["type"] == "/stream/docs#not-found"


PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", {b"x-forwarded-for": "1.2.3.4", b"x-forwarded-proto": "https"}, Origin()),
        (None, {b"x-forwarded-for": "1.2.3.4"}, Origin()),
        ("10.0.0.1", {}, Origin("10.0.0.1")),
        ("10.0.0.1", {b"x-forwarded-for": "198.51.100.7"}, Origin("198.51.100.7")),
        ("10.0.0.1", {b"x-forwarded-for": "6.6.6.6, 198.51.100.7, 10.0.0.2"}, Origin("198.51.100.7")),
        ("10.0.0.1", {b"x-forwarded-for": "6.6.6.6, rubbish, 10.0.0.2"}, Origin("10.0.0.2")),
        ("::ffff:10.0.0.1", {b"x-forwarded-for": "2001:db8::1"}, Origin("2001:db8::1")),
        (
            "fd00::1",
            {b"x-forwarded-for": "198.51.100.7", b"x-forwarded-proto": "HTTPS", b"x-forwarded-host": "a.example:8443"},
            Origin("198.51.100.7", "https", "a.example:8443"),
        ),
        ("10.0.0.1", {b"x-forwarded-proto": "javascript", b"x-forwarded-host": "a b"}, Origin("10.0.0.1")),
        ("10.0.0.1", {b"x-forwarded-host": "forged.example, real.example"}, Origin("10.0.0.1", None, "real.example")),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str | None, forwarded: dict[bytes, str], expected: Origin) -> None:
    assert origin(peer, forwarded, PROXIES) == expected


@pytest.mark.parametrize(
    ("trusted", "seen"),
    [("127.0.0.0/8", ["198.51.100.7", "https", "a.example"]), ("192.0.2.0/24", ["127.0.0.1", "http", None])],
)
def test_the_app_sees_who_asked(sqlite_store: Store, trusted: str, seen: list[str | None]) -> None:
    app = app_of(sqlite_store, trusted_proxies=(ipaddress.ip_network(trusted),))

    def whoami(request: Request) -> JSONResponse:
        host = request.headers["host"]
        client = request.client.host if request.client else None
        left = [name for name in request.headers if name.startswith("x-forwarded")]
        return JSONResponse([client, request.url.scheme, host if "example" in host else None, left])

    app.router.routes.append(Route("/whoami", whoami))
    headers = {
        "X-Forwarded-For": "198.51.100.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "a.example",
    }
    with serving(app) as reader:
        assert reader.ask("/whoami", headers=headers).json == [*seen, []]


def test_ready_says_how_old_the_last_tick_is(store: Store) -> None:
    with serving(app_of(store)) as reader:
        never = reader.ask("/readyz")
        with store.writing() as tx:
            tx.stream.state.beat(NOON.replace(minute=0, hour=11))
        old = reader.ask("/readyz")
        with store.writing() as tx:
            tx.stream.state.beat(NOON)
        fresh = reader.ask("/readyz")

    assert (never.status, never.json["last_tick_at"]) == (200, None)
    assert "The scheduler has not run" in never.json["worker"]
    assert (old.status, old.json["last_tick_age"]) == (200, 3600.0)
    assert "3600 s ago" in old.json["worker"]
    assert fresh.json == {
        "status": "ready",
        "database": "ok",
        "last_tick_at": "2026-03-02T12:00:00Z",
        "last_tick_age": 0.0,
        "worker": None,
        "reason": None,
        "replica_lag": None,
    }


def test_a_reader_of_the_version_before_stays_ready(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    former = schema._known()[:-1]
    monkeypatch.setattr(schema, "_known", lambda: former)
    with serving(app_of(store)) as reader:
        compatible = reader.ask("/readyz")
        with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
            connection.execute(update(schema_compatibility).values(oldest_code="9999"))
        incompatible = reader.ask("/readyz")

    assert (compatible.status, compatible.json["database"]) == (200, "ok")
    assert (incompatible.status, incompatible.json["database"]) == (503, "schema")
    assert "is newer than this version of the program" in incompatible.json["reason"]
