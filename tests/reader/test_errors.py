"""Test error responses of the reader: stable codes, messages, and HTML pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.store import Store
from tests.building import add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reader.serving import Answer, Reader

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FOREIGN_CURSOR = "OS4xLjE"  # well-formed, of another version


def assert_problem(answer: Answer, status: int, code: str, path: str) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json
    assert set(problem) == {"type", "title", "status", "detail", "code", "instance"}
    assert (problem["status"], problem["code"], problem["instance"]) == (status, code, path)
    assert problem["type"] == f"/docs#{code}"
    assert problem["detail"].endswith(".")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?sorted=up", "unknown-parameter"),
        ("?Limit=5", "unknown-parameter"),
        ("?limit=0", "bad-limit"),
        ("?limit=101", "bad-limit"),
        ("?limit=-1", "bad-limit"),
        ("?limit=", "bad-limit"),
        ("?limit=ten", "bad-limit"),
        ("?limit=1.5", "bad-limit"),
        ("?limit=%D9%A1", "bad-limit"),  # an Arabic digit, which int() would take
        ("?limit=5&limit=5", "repeated-parameter"),
        ("?cursor=", "bad-cursor"),
        ("?cursor=nonsense", "bad-cursor"),
        ("?cursor=%F0%9F%8E%89", "bad-cursor"),
        (f"?cursor={FOREIGN_CURSOR}", "bad-cursor"),
        ("?kind=tweet", "unknown-kind"),
        ("?kind=", "unknown-kind"),
        ("?kind=post,", "unknown-kind"),
        ("?kind=post&kind=Post", "unknown-kind"),
        ("?source=", "unknown-source"),
        ("?source=nobody", "unknown-source"),
        ("?source=%00", "unknown-source"),
        ("?source=%ff", "bad-request"),
        ("?" + "kind=post&" * 150, "bad-request"),
    ],
)
def test_what_can_not_be_asked_is_refused(empty_reader: Reader, query: str, code: str) -> None:
    assert_problem(empty_reader.ask(f"/api/v1/activities{query}"), 400, code, "/api/v1/activities")


@pytest.mark.parametrize("slug", ["nobody", "news,nobody", "%00", "%F0%9F%8E%89", "x" * 3000])
def test_a_source_that_no_database_knows_is_refused(store: Store, reader: Reader, slug: str) -> None:
    add_source(store, "news")

    assert_problem(reader.ask(f"/api/v1/activities?source={slug}"), 400, "unknown-source", "/api/v1/activities")


def test_the_sentence_names_the_value_and_what_is_allowed(empty_reader: Reader) -> None:
    problem = empty_reader.ask("/api/v1/activities?limit=500").json

    assert problem["title"] == "Bad limit"
    assert problem["detail"] == "limit is '500', but it must be a whole number from 1 to 100."


def test_a_parameter_that_only_another_address_has_is_unknown(empty_reader: Reader) -> None:
    assert_problem(empty_reader.ask("/api/v1/sources?kind=post"), 400, "unknown-parameter", "/api/v1/sources")


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/api/v1/activities/", "/static/abc/nothing.css"])
def test_there_is_nothing_elsewhere(empty_reader: Reader, path: str) -> None:
    assert_problem(empty_reader.ask(path), 404, "not-found", path)


@pytest.mark.parametrize("path", ["/", "/api/v1/activities", "/healthz", "/docs"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(empty_reader: Reader, path: str, method: str) -> None:
    answer = empty_reader.ask(path, method=method)

    assert_problem(answer, 405, "method-not-allowed", path)
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_browser_gets_a_page(empty_reader: Reader) -> None:
    answer = empty_reader.ask("/nothing<script>", headers=BROWSER)

    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Not found</h1>" in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text


def test_a_browser_gets_json_from_the_api_all_the_same(empty_reader: Reader) -> None:
    assert_problem(
        empty_reader.ask("/api/v1/activities?limit=0", headers=BROWSER), 400, "bad-limit", "/api/v1/activities"
    )


def test_a_page_refuses_what_it_can_not_show_but_not_what_others_hang_on(
    sqlite_store: Store, sqlite_reader: Reader
) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity()])

    assert sqlite_reader.ask("/?cursor=old", headers=BROWSER).status == 400
    assert sqlite_reader.ask("/?kind=tweet", headers=BROWSER).status == 400
    assert sqlite_reader.ask("/?utm_source=letter&fbclid=1", headers=BROWSER).status == 200


def test_the_page_of_an_unknown_activity_is_not_found(empty_reader: Reader) -> None:
    assert empty_reader.ask("/activities/1", headers=BROWSER).status == 404


def test_without_a_database_readers_are_told_and_nothing_leaks(tmp_path: Path) -> None:
    file = tmp_path / "a-folder-in-its-place"
    file.mkdir()
    store = Store.open(f"sqlite:///{file}")
    with serving(app_of(store)) as reader:
        api = reader.ask("/api/v1/activities")
        page = reader.ask("/", headers=BROWSER)
        ready = reader.ask("/readyz")
        alive = reader.ask("/healthz")
    store.close()

    assert_problem(api, 503, "store-unavailable", "/api/v1/activities")
    assert api.headers["retry-after"] == "10"
    assert api.headers["cache-control"] == "no-store"
    assert page.status == 503
    assert "<h1>Database unavailable</h1>" in page.text
    assert (ready.status, ready.json["status"], ready.json["database"]) == (503, "unavailable", "store-unavailable")
    assert (alive.status, alive.json) == (200, {"status": "alive"})
    for answer in (api, page, ready):
        assert b"a-folder-in-its-place" not in answer.body


def test_a_database_file_that_is_missing_is_not_ready_and_not_made(tmp_path: Path) -> None:
    file = tmp_path / "no-such-folder" / "db.sqlite3"
    store = Store.open(f"sqlite:///{file}")
    with serving(app_of(store)) as reader:
        ready = reader.ask("/readyz")
    store.close()

    assert (ready.status, ready.json["database"]) == (503, "schema")
    assert b"no-such-folder" not in ready.body
    assert not file.parent.exists()


def test_a_database_that_was_never_migrated_is_not_ready(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    with serving(app_of(store)) as reader:
        ready = reader.ask("/readyz")
    store.close()

    assert (ready.status, ready.json["database"]) == (503, "schema")


def test_a_fault_of_ours_is_a_problem_too(sqlite_store: Store) -> None:
    def broken_clock() -> None:
        raise ZeroDivisionError

    with serving(app_of(sqlite_store, clock=broken_clock)) as reader:
        api = reader.ask("/api/v1/sources")
        page = reader.ask("/", headers=BROWSER)

    assert_problem(api, 500, "internal-error", "/api/v1/sources")
    assert b"ZeroDivision" not in api.body
    assert "content-security-policy" in api.headers
    assert page.status == 500
    assert "<h1>Internal error</h1>" in page.text
