"""Test access to the API over real HTTP: public callers, portals with tokens, and invalid tokens."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from starlette.requests import Request

from aggregator.domain.access.api_tokens import PortalToken, Scope, make_token
from aggregator.domain.errors import StoreUnavailableError
from aggregator.reader.authentication import Authenticator
from aggregator.reader.errors import BadTokenError
from aggregator.reader.visibility import EVERYTHING, PUBLIC
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from storage.store import Store
    from tests.reader.serving import Reader

    MakeCallers = Callable[..., Authenticator]

WORDS = "Only a portal reads this"


def a_token(store: Store, name: str = "portal") -> str:
    made = make_token()
    with store.writing() as tx:
        assert tx.access.tokens.create(PortalToken(made.id, name, Scope.READ, made.digest, NOON))
    return made.text


def revoke(store: Store, name: str = "portal") -> None:
    with store.writing() as tx:
        assert tx.access.tokens.revoke(name, NOON)


def by(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def posted(store: Store) -> Store:
    """Give a store with one post on X."""
    source = add_source(store, "desk", "twitter")
    ingest_now(store, source, [an_activity("100", network="x", text=WORDS, url="https://x.com/i/status/100")])
    return store


@pytest.fixture
def make() -> Iterator[MakeCallers]:
    """Give a way to make callers of a store, and let them finish what they write."""
    made: list[Authenticator] = []

    def make(store: Any, **options: Any) -> Authenticator:
        made.append(Authenticator(store, lambda: NOON, PUBLIC, **options))
        return made[-1]

    yield make
    for callers in made:
        callers.settle(10)


@pytest.fixture
def public(posted: Store) -> Iterator[Reader]:
    with serving(app_of(posted, audience=PUBLIC)) as reader:
        yield reader


def test_everybody_gets_the_address_and_a_token_the_words(posted: Store, public: Reader) -> None:
    token = a_token(posted)
    for path in ("/api/v1/activities", "/api/v1/changes", f"/api/v1/activities/{public.items()[0]['id']}"):
        everybody, portal = public.ask(path), public.ask(path, headers=by(token))
        assert (everybody.status, portal.status) == (200, 200)
        assert WORDS not in everybody.text
        assert WORDS in portal.text
        assert "Authorization" in everybody.headers["vary"]
        assert "Authorization" in portal.headers["vary"]
        assert portal.headers["cache-control"].startswith("private, ")
        assert "private" not in everybody.headers["cache-control"]
        assert everybody.headers["etag"] != portal.headers["etag"]
    assert public.ask("/api/v1/activities", headers=by(token)).headers["cache-control"] == "private, max-age=1"


def test_answers_to_a_token_are_validated_like_others(posted: Store, public: Reader) -> None:
    token = a_token(posted)
    tag = public.ask("/api/v1/activities", headers=by(token)).headers["etag"]
    again = public.ask("/api/v1/activities", headers={**by(token), "If-None-Match": tag})
    assert (again.status, again.headers["cache-control"]) == (304, "private, max-age=1")
    assert "Authorization" in again.headers["vary"]
    assert public.ask("/api/v1/activities", headers={"If-None-Match": tag}).status == 200


def test_the_scheme_s_spelling_does_not_matter(posted: Store, public: Reader) -> None:
    token = a_token(posted)
    for given in (f"bearer {token}", f"BEARER  {token} "):
        assert WORDS in public.ask("/api/v1/activities", headers={"Authorization": given}).text


def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(posted: Store, public: Reader) -> None:
    good, revoked, unknown = a_token(posted), a_token(posted, "old"), make_token().text
    revoke(posted, "old")
    wrong = [
        "", "Bearer", "Bearer ", f"Bearer {good[:-1]}", f"Bearer {good[:-2]}AA", f"Bearer {revoked}",
        f"Bearer {unknown}", f"Basic {good}", good, f"Bearer {good}, Bearer {good}", "Bearer \xe9", f"Token {good}",
    ]  # fmt: skip
    answers = [public.ask("/api/v1/activities", headers={"Authorization": item}) for item in wrong]
    assert {answer.status for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].json["code"] == "bad-token"
    assert WORDS not in answers[0].text


def test_two_authorization_headers_are_none(posted: Store, public: Reader) -> None:
    token = a_token(posted)
    with socket.create_connection(("127.0.0.1", public.port)) as line:
        line.sendall(
            b"GET /api/v1/activities HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            + f"Authorization: Bearer {token}\r\nAuthorization: Basic YTpi\r\n\r\n".encode()
        )
        assert line.makefile("rb").readline().split()[1] == b"401"


def test_every_answer_that_depends_on_who_asks_refuses_a_bad_token(public: Reader) -> None:
    for path in ("/api/v1/activities", "/api/v1/activities/1", "/api/v1/changes", "/api/v1/live"):
        assert public.ask(path, headers=by("nonsense")).status == 401, path


def test_a_revoked_token_is_refused_soon(posted: Store, public: Reader) -> None:
    token = a_token(posted)
    assert public.ask("/api/v1/activities", headers=by(token)).status == 200
    revoke(posted)
    until(lambda: public.ask("/api/v1/activities", headers=by(token)).status == 401, seconds=10)
    assert public.ask("/api/v1/activities", headers=by(token)).status == 401
    assert public.ask("/api/v1/activities").status == 200


def test_a_listener_whose_token_is_revoked_is_sent_away(posted: Store) -> None:
    token = a_token(posted)
    with serving(app_of(posted, audience=PUBLIC), watching=True) as reader, _listening(reader, token) as lines:
        assert _until(lines, "id:")
        source = add_source(posted, "desk2", "twitter")
        ingest_now(posted, source, [an_activity("101", network="x", text="While it was good")])
        assert "While it was good" in _until(lines, "data:")
        revoke(posted)
        until(lambda: reader.ask("/api/v1/activities", headers=by(token)).status == 401)
        ingest_now(posted, source, [an_activity("102", network="x", text="Not any more")])
        rest = "".join(lines)  # ends
        assert "Not any more" not in rest
        assert reader.ask("/api/v1/live", headers=by(token)).status == 401


@contextmanager
def _listening(reader: Reader, token: str) -> Iterator[Iterator[str]]:
    with socket.create_connection(("127.0.0.1", reader.port), timeout=60) as line:
        line.sendall(f"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        yield iter(line.makefile("r", encoding="utf-8", newline="\n").readline, "0\r\n")


def _until(lines: Iterator[str], start: str) -> str:
    return next(line for line in lines if line.startswith(start))


def test_a_busy_portal_costs_a_query_a_second(make: MakeCallers, posted: Store) -> None:
    token, callers = a_token(posted), make(posted)
    requests: list[str] = []

    @event.listens_for(posted.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT") and "portal_token" in statement:
            requests.append(statement)

    def ask() -> None:
        for _ in range(200):
            assert callers.caller_of(_request(token)).audience is EVERYTHING

    threads = [threading.Thread(target=ask) for _ in range(8)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(requests) <= 1 + (time.monotonic() - began)


def test_last_use_is_noted_without_the_request_waiting(make: MakeCallers, posted: Store) -> None:
    token, callers = a_token(posted), make(posted)
    for _ in range(3):
        callers.caller_of(_request(token))
    assert _last_use(posted) == NOON


def test_a_database_that_is_busy_or_read_only_fails_no_request(make: MakeCallers, sqlite_store: Store) -> None:
    token = a_token(sqlite_store)
    with sqlite_store.writing():  # the one writer
        callers = make(sqlite_store)
        began = time.monotonic()
        assert callers.caller_of(_request(token)).audience is EVERYTHING
        assert time.monotonic() - began < 4  # less than it would wait for the writer
    assert _last_use(sqlite_store) == NOON

    @event.listens_for(sqlite_store.engine, "connect")
    def forbid(connection: object, _record: object) -> None:
        connection.execute("PRAGMA query_only=ON")  # type: ignore[attr-defined]

    sqlite_store.close()
    assert make(sqlite_store).caller_of(_request(token)).audience is EVERYTHING


def test_while_the_database_is_away_a_good_token_stays_good_for_ten_minutes(make: MakeCallers, posted: Store) -> None:
    token, stranger, now = a_token(posted), make_token().text, [0.0]
    away = _Away(posted)
    callers = make(away, monotonic=lambda: now[0])
    assert callers.audience_of(_request(token)) is EVERYTHING
    away.is_away = True
    for now[0] in (0.9, 2.0, 300.0, 599.0):
        assert callers.audience_of(_request(token)) is EVERYTHING
        assert callers.audience_of(_request()) is PUBLIC
        with pytest.raises(StoreUnavailableError):
            callers.audience_of(_request(stranger))
    requested = away.requests
    now[0] = 602.0
    for _ in range(5):
        with pytest.raises(StoreUnavailableError):
            callers.audience_of(_request(token))
    assert away.requests == requested + 1  # nor is it asked for each request
    away.is_away, now[0] = False, 604.0
    assert callers.audience_of(_request(token)) is EVERYTHING
    with pytest.raises(BadTokenError):
        callers.audience_of(_request(stranger))


def test_a_token_revoked_before_the_database_went_stays_refused(make: MakeCallers, posted: Store) -> None:
    token, now = a_token(posted), [0.0]
    away = _Away(posted)
    callers = make(away, monotonic=lambda: now[0])
    callers.audience_of(_request(token))
    revoke(posted)
    now[0] = 1.1
    with pytest.raises(BadTokenError):
        callers.audience_of(_request(token))
    away.is_away, now[0] = True, 2.5
    with pytest.raises(StoreUnavailableError):
        callers.audience_of(_request(token))


@pytest.mark.slow
def test_strangers_do_not_push_portals_out(make: MakeCallers, posted: Store) -> None:
    token, callers = a_token(posted), make(posted, monotonic=lambda: 0.0)
    callers.audience_of(_request(token))
    for _ in range(2100):
        with pytest.raises(BadTokenError):
            callers.audience_of(_request(make_token().text))
    callers.settle(10)  # or the use that is being noted keeps its connection beyond the store's end
    posted.close()
    away = _Away(posted)
    away.is_away = True
    callers._store = away  # type: ignore[assignment]
    assert callers.audience_of(_request(token)) is EVERYTHING


@pytest.mark.parametrize(
    ("client", "key"),
    [
        ("192.0.2.7", "address:192.0.2.7"),
        ("::ffff:192.0.2.7", "address:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "address:2001:db8:1:2::/64"),
        ("testclient", "address:unknown"),
        (None, "address:unknown"),
    ],
)
def test_callers_without_a_token_are_counted_by_address(
    make: MakeCallers, sqlite_store: Store, client: str | None, key: str
) -> None:
    assert make(sqlite_store).caller_of(_request(client=client)).key == key


def test_callers_with_a_token_are_counted_by_it(make: MakeCallers, sqlite_store: Store) -> None:
    token = a_token(sqlite_store)
    caller = make(sqlite_store).caller_of(_request(token))
    assert caller.key == f"token:{token[4:16]}"
    assert caller.token == token[4:16]


def test_the_document_tells_of_tokens(empty_reader: Reader) -> None:
    document = json.loads(empty_reader.ask("/openapi.json").body)
    assert document["components"]["securitySchemes"]["portalToken"]["scheme"] == "bearer"
    for path in ("/api/v1/activities", "/api/v1/activities/{activity_id}", "/api/v1/changes", "/api/v1/live"):
        operation = document["paths"][path]["get"]
        assert operation["security"] == [{}, {"portalToken": []}]
        assert "bad-token" in operation["responses"]["401"]["description"]


class _Away:
    """A store whose database can be away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_away = False
        self.requests = 0

    def reading(self) -> object:
        self.requests += 1
        if self.is_away:
            raise StoreUnavailableError("The database doesn't respond: gone.")
        return self._store.reading()

    def writing(self) -> object:
        if self.is_away:
            raise StoreUnavailableError("The database doesn't respond: gone.")
        return self._store.writing()


def _request(token: str | None = None, *, client: str | None = "192.0.2.7") -> Request:
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    return Request({"type": "http", "headers": headers, "client": (client, 1) if client else None})


def _last_use(store: Store) -> object:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with store.reading() as tx:
            if used := tx.access.tokens.all()[0].last_used:
                return used
        time.sleep(0.05)
    return None
