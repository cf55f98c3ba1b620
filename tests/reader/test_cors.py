"""Test requests from pages of other origins, as browsers send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.reader.visibility import PUBLIC
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Store
    from tests.reader.serving import Answer, Reader

PORTAL, OTHER = "https://portal.example", "https://other.example"
PATH = "/api/v1/activities"


@pytest.fixture
def open_to_portal(sqlite_store: Store) -> Iterator[Reader]:
    with serving(app_of(sqlite_store, audience=PUBLIC, cors_origins=(PORTAL,))) as reader:
        yield reader


def _preflight(reader: Reader, origin: str, *, method: str = "GET", headers: str = "authorization") -> Answer:
    requests = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return reader.ask(PATH, method="OPTIONS", headers=requests)


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


def test_a_named_origin_may_read_and_sees_what_it_needs(open_to_portal: Reader) -> None:
    answer = open_to_portal.ask(PATH, headers={"Origin": PORTAL})
    assert answer.headers["access-control-allow-origin"] == PORTAL
    assert "access-control-allow-credentials" not in answer.headers
    assert _words(answer.headers["access-control-expose-headers"]) == {
        "cache-status", "etag", "link", "ratelimit", "ratelimit-policy", "retry-after", "last-modified"
    }  # fmt: skip


def test_others_may_not(open_to_portal: Reader) -> None:
    for origin in (OTHER, "null", "https://portal.example.evil", "http://portal.example", PORTAL + ":8443"):
        answer = open_to_portal.ask(PATH, headers={"Origin": origin})
        assert answer.status == 200  # it is the browser that keeps it from the page
        assert "access-control-allow-origin" not in answer.headers


def test_every_answer_varies_by_origin_also_to_those_who_send_none(open_to_portal: Reader) -> None:
    for headers in ({}, {"Origin": PORTAL}, {"Origin": OTHER}):
        for path in (PATH, "/healthz", "/api/v1/nothing"):
            assert "origin" in _words(open_to_portal.ask(path, headers=headers).headers["vary"])
    assert {"origin", "authorization"} <= _words(open_to_portal.ask(PATH).headers["vary"])


def test_the_browser_s_question_is_answered(open_to_portal: Reader) -> None:
    answer = _preflight(open_to_portal, PORTAL, headers="authorization,if-none-match,last-event-id")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PORTAL
    assert _words(answer.headers["access-control-allow-methods"]) == {"get", "head", "options"}
    assert {"authorization", "last-event-id", "if-none-match"} <= _words(answer.headers["access-control-allow-headers"])


def test_the_browser_s_question_for_more_is_refused(open_to_portal: Reader) -> None:
    assert _preflight(open_to_portal, OTHER).status == 400
    assert _preflight(open_to_portal, PORTAL, method="POST").status == 400
    assert _preflight(open_to_portal, PORTAL, headers="x-other").status == 400


def test_a_page_can_read_why_it_was_refused(open_to_portal: Reader) -> None:
    headers = {"Origin": PORTAL, "Authorization": "Bearer nonsense"}
    answer = open_to_portal.ask(PATH, headers=headers)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, PORTAL)


def test_what_is_kept_ready_says_nothing_of_another_origin(sqlite_store: Store) -> None:
    app = app_of(sqlite_store, audience=PUBLIC, cors_origins=(PORTAL, OTHER))
    with serving(app, watching=True) as reader:
        for origin in (PORTAL, OTHER, PORTAL):
            answer = reader.ask(PATH, headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
        for _ in range(3):
            answer = reader.ask(PATH)
            assert "access-control-allow-origin" not in answer.headers
            assert "origin" in _words(answer.headers["vary"])


def test_a_star_lets_everybody_read(sqlite_store: Store) -> None:
    with serving(app_of(sqlite_store, audience=PUBLIC, cors_origins=("*",))) as reader:
        assert reader.ask(PATH, headers={"Origin": OTHER}).headers["access-control-allow-origin"] == "*"
        assert _preflight(reader, OTHER).headers["access-control-allow-origin"] == "*"


def test_without_the_setting_nothing_is_said(empty_reader: Reader) -> None:
    answer = empty_reader.ask(PATH, headers={"Origin": PORTAL})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "origin" not in _words(answer.headers["vary"])
    assert _preflight(empty_reader, PORTAL).status == 405
