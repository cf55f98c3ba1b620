"""Test a database in trouble: visible items stay visible, hidden ones stay hidden, and no request waits for long."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from aggregator.domain.activity import Review
from aggregator.reader import cache_middleware
from aggregator.reader.visibility import PUBLIC
from storage.store import Store
from storage.stream.pages import StreamReading
from tests.building import add_source, an_activity, decide, ingest_now
from tests.faults.tcp_proxy import TcpProxy
from tests.reader.conftest import app_of
from tests.reader.serving import Reader, serving, until
from tests.reader.test_authentication import a_token, by, revoke
from tests.variants import mostly_slow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.long

SHOWN = ("/", "/api/v1/activities?limit=50", "/feed.rss", "/feed.atom", "/feed.json", "/embed", "/embed/items")
SECRET = "Secret plan"
AT_ONCE = 0.05  # seconds for a kept answer, nearly always
SOON = 1.0  # seconds for any answer; a busy machine gets some more
MORE = 1.0
FIRST = 0.2  # seconds for kept answers that are all asked for at the same time; 0.05 on an idle machine


class Setting(NamedTuple):
    """A reader behind a proxy, and the database itself."""

    reader: Reader
    app: Any
    store: Store  # which trouble does not reach
    behind: Store  # the reader's
    proxy: TcpProxy


@pytest.fixture(autouse=True)
def unhurried() -> None:
    """Keep the limits of production, which are tested here."""


@pytest.fixture
def setting(postgresql_store: Store) -> Iterator[Setting]:
    url = postgresql_store.engine.url
    with TcpProxy.before(url.host or "", url.port or 0) as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        behind = Store.open(through)
        source = add_source(postgresql_store)
        ingest_now(postgresql_store, source, [an_activity("secret", title=SECRET), an_activity("other")])
        app = app_of(behind, audience=PUBLIC)
        with serving(app, watching=True) as reader:
            yield Setting(reader, app, postgresql_store, behind, proxy)
            proxy.restore()
        behind.close()


def refused(setting: Setting, _stack: ExitStack) -> None:
    setting.proxy.refuse()


def hung(setting: Setting, _stack: ExitStack) -> None:
    setting.proxy.hang()


def forgotten(setting: Setting, _stack: ExitStack) -> None:
    setting.proxy.forget()


def full(setting: Setting, stack: ExitStack) -> None:
    """Take every connection of the reader's pool."""
    pool: Any = setting.behind.engine.pool
    for _ in range(pool.size() + pool._max_overflow):
        stack.enter_context(setting.behind.reading())


def read_only(setting: Setting, stack: ExitStack) -> None:
    """Do as a failover does to those who reach the standby."""
    url = setting.store.engine.url

    def say(statement: str) -> None:
        with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname="postgres", autocommit=True) as it:
            it.execute(statement.encode())

    say(f'ALTER DATABASE "{url.database}" SET default_transaction_read_only = on')
    stack.callback(say, f'ALTER DATABASE "{url.database}" SET default_transaction_read_only = off')
    say(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{url.database}'")


if TYPE_CHECKING:
    Trouble = Callable[[Setting, ExitStack], None]
TROUBLES = [refused, full, hung, read_only]
by_name = pytest.mark.parametrize("trouble", mostly_slow(TROUBLES, quick=2), ids=[item.__name__ for item in TROUBLES])


def timed(reader: Reader, path: str, **options: Any) -> tuple[int, float, bytes]:
    began = time.monotonic()
    answer = reader.ask(path, **options)
    return answer.status, time.monotonic() - began, answer.body


@by_name
def test_what_was_shown_is_shown_at_once_and_the_rest_is_refused_soon(setting: Setting, trouble: Trouble) -> None:
    reader = setting.reader
    shown = _shown(reader)
    with ExitStack() as stack:
        trouble(setting, stack)
        kept, others = [], []
        for number in range(5):
            for path in SHOWN:
                status, took, body = timed(reader, path)
                assert (status, body) == (200, shown[path]), path
                kept.append(took)
            others.append(timed(reader, f"/api/v1/activities?limit={number + 1}"))
            if number in {0, 4}:
                others.append(timed(reader, "/readyz"))
        assert sorted(kept)[int(len(kept) * 0.9)] < AT_ONCE
        assert max(kept) < SOON + MORE
        assert {status for status, _, _ in others} == {503}
        assert max(took for _, took, _ in others) < SOON + MORE
        setting.proxy.restore()
    until(lambda: reader.ask("/readyz").status == 200)
    ingest_now(setting.store, add_source(setting.store, "blog"), [an_activity("b")])
    until(lambda: len(reader.items("?limit=50")) == 3)


def test_a_database_that_is_slow_but_well_is_waited_for(setting: Setting) -> None:
    names = (f"token-{number}" for number in itertools.count())

    def is_waited_for() -> bool:  # a busy machine may seem to be in trouble
        ask = partial(setting.reader.ask, "/api/v1/activities?limit=7", headers=by(a_token(setting.store, next(names))))
        with ThreadPoolExecutor(1) as clients, setting.store.engine.connect() as locking:
            locking.exec_driver_sql("LOCK TABLE portal_token IN ACCESS EXCLUSIVE MODE")
            answer = clients.submit(ask)
            wait([answer], 2 * SOON)
            is_waiting = not answer.done()
            locking.rollback()
            return is_waiting and answer.result().status == 200

    until(is_waited_for)


def test_connections_that_the_network_forgot_cost_no_answer(setting: Setting) -> None:
    """The database is healthy, but its open connections get no response."""
    reader = setting.reader
    shown = _shown(reader)
    setting.proxy.forget()
    for path in SHOWN:
        status, took, body = timed(reader, path)
        assert (status, body) == (200, shown[path])
        assert took < SOON + MORE
    until(lambda: reader.ask("/api/v1/activities?limit=7").status == 200, seconds=30)
    hidden = _id_of(setting.store, SECRET)
    decide(setting.store, [hidden], Review.HIDDEN)
    until(lambda: SECRET not in reader.ask("/").text)


@by_name
def test_what_was_hidden_before_stays_hidden(
    setting: Setting, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without requests between the decision and the failure."""
    monkeypatch.setattr(cache_middleware, "_REFRESHED", 0)
    hidden = _id_of(setting.store, SECRET)
    paths = (*SHOWN, f"/activities/{hidden}", f"/api/v1/activities/{hidden}", f"/activities/{hidden}.as2")
    for path in paths:
        until(lambda path=path: SECRET in setting.reader.ask(path).text)  # type: ignore[misc]  # bound now
    decide(setting.store, [hidden], Review.HIDDEN)
    _await_newest(setting)
    with ExitStack() as stack:
        trouble(setting, stack)
        with ThreadPoolExecutor(len(paths)) as clients:
            for status, took, body in clients.map(lambda path: timed(setting.reader, path), 2 * paths):
                assert status in {200, 410, 503}
                assert SECRET.encode() not in body
                assert took < SOON + MORE
        setting.proxy.restore()


@pytest.mark.parametrize("trouble", [refused, hung], ids=["refused", "hung"])
def test_pages_are_made_anew_before_anybody_asks(setting: Setting, trouble: Trouble) -> None:
    """They are available without the hidden items when the database fails next."""
    hidden = _id_of(setting.store, SECRET)
    _shown(setting.reader)
    decide(setting.store, [hidden], Review.HIDDEN)
    newest = _await_newest(setting)
    kept = setting.app._hot._kept
    until(lambda: all(item.beat.revision == newest for item in kept.values()))
    with ExitStack() as stack:
        trouble(setting, stack)
        for path in SHOWN:
            answer = setting.reader.ask(path)
            assert answer.status == 200
            assert SECRET not in answer.text
            assert "Title other" in answer.text
        setting.proxy.restore()


@pytest.mark.parametrize("trouble", mostly_slow([*TROUBLES, forgotten], quick=2), ids=lambda entry: entry.__name__)
def test_a_page_that_lacks_only_the_newest_is_shown_at_once(
    setting: Setting, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_middleware, "_REFRESHED", 0)
    shown = _shown(setting.reader)
    with ThreadPoolExecutor(len(SHOWN)) as clients:
        usual = statistics.median(took for _, took, _ in clients.map(partial(timed, setting.reader), SHOWN))
    ingest_now(setting.store, add_source(setting.store, "blog"), [an_activity("b")])
    newest = _await_newest(setting)
    until(lambda: setting.app.state.probe.unaltered_since < newest)  # a look found that
    with ExitStack() as stack, ThreadPoolExecutor(len(SHOWN)) as clients:
        trouble(setting, stack)
        answers = dict(zip(SHOWN, clients.map(partial(timed, setting.reader), SHOWN), strict=True))
        marked = setting.reader.ask(SHOWN[0]).headers["cache-status"]
        setting.proxy.restore()
    for path, (status, took, body) in answers.items():
        assert status == 200
        assert body == shown[path] or trouble is forgotten  # there a new connection may bring the newest in time
        assert took < SOON + MORE
    assert statistics.median(took for _, took, _ in answers.values()) < FIRST + usual
    assert marked == "activity-stream; detail=stale" or trouble is forgotten
    until(lambda: setting.reader.ask(SHOWN[0]).headers["cache-status"] == "activity-stream; detail=current")


def test_a_change_just_before_the_database_hangs_costs_no_page(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watcher learns with the revision that the change only added items, without another query."""
    monkeypatch.setattr(cache_middleware, "_REFRESHED", 0)
    shown = _shown(setting.reader)
    over = threading.Event()
    monkeypatch.setattr(setting.app.state.probe, "_take_look", lambda _began: over.wait())
    ingest_now(setting.store, add_source(setting.store, "blog"), [an_activity("b")])
    _await_newest(setting)
    setting.proxy.hang()
    for path in SHOWN:
        assert timed(setting.reader, path)[::2] == (200, shown[path])
    over.set()
    setting.proxy.restore()


def test_a_page_that_takes_a_moment_is_current_while_the_database_is_well(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_middleware, "_REFRESHED", 0)
    page = StreamReading.page

    def slowly(self: StreamReading, query: Any) -> Any:
        time.sleep(2 * cache_middleware._AT_ONCE)
        return page(self, query)

    monkeypatch.setattr(StreamReading, "page", slowly)
    _shown(setting.reader)
    names = (f"new{number}" for number in itertools.count())

    def is_current() -> bool:  # the answer may be an older one where a busy machine keeps the look waiting, too
        name = next(names)
        ingest_now(setting.store, add_source(setting.store, name), [an_activity(name)])
        newest = _await_newest(setting)
        until(lambda: setting.app.state.probe.unaltered_since < newest)
        was_current = f"Title {name}" in setting.reader.ask("/feed.rss").text
        until(
            lambda: f"Title {name}" in setting.reader.ask("/feed.rss").text
        )  # or the running render may block the next one
        return was_current

    until(is_current, seconds=10)


def test_no_request_waits_for_long_for_a_connection_that_can_not_be_opened(setting: Setting) -> None:
    """Connections that are open work, so that the database seems to be well, but no other can be had."""
    pool: Any = setting.behind.engine.pool
    paths = [f"/api/v1/activities?limit={number}" for number in range(1, 9)]
    with ExitStack() as stack, ThreadPoolExecutor(len(paths)) as clients:
        first = stack.enter_context(ExitStack())
        first.enter_context(setting.behind.reading())
        while pool.checkedin():
            stack.enter_context(setting.behind.reading())
        setting.proxy.stall()
        before = setting.proxy.accepted
        answers = clients.map(partial(timed, setting.reader), paths)
        until(lambda: setting.proxy.accepted > before)
        first.close()  # looks at the database succeed
        for status, took, _ in answers:
            assert status in {200, 503}
            assert took < SOON + MORE
        setting.proxy.restore()


@pytest.mark.parametrize("trouble", [refused, hung], ids=["refused", "hung"])
def test_a_revoked_token_stays_revoked_and_a_good_one_good(setting: Setting, trouble: Trouble) -> None:
    good, bad = a_token(setting.store), a_token(setting.store, "old")
    path = "/api/v1/activities?limit=50"
    for token in (good, bad):
        for _ in range(2):
            assert setting.reader.ask(path, headers=by(token)).status == 200
    revoke(setting.store, "old")
    until(lambda: setting.reader.ask(path, headers=by(bad)).status == 401)
    with ExitStack() as stack:
        trouble(setting, stack)
        for _ in range(3):
            assert setting.reader.ask(path, headers=by(good)).status == 200
            assert setting.reader.ask(path, headers=by(bad)).status in {401, 503}
        setting.proxy.restore()


def test_a_token_is_found_revoked_though_nobody_uses_it(setting: Setting) -> None:
    token = a_token(setting.store)
    path = "/api/v1/activities?limit=50"
    until(lambda: setting.reader.ask(path, headers=by(token)).status == 200)  # a busy machine may be late
    revoke(setting.store)
    known = setting.app.state.callers.known
    until(lambda: known(f"Bearer {token}".encode()) is None)
    setting.proxy.hang()
    assert setting.reader.ask(path, headers=by(token)).status in {401, 503}
    setting.proxy.restore()


def test_no_request_waits_for_long_for_another_that_makes_the_same(setting: Setting) -> None:
    setting.proxy.hang()
    found: list[tuple[int, float, bytes]] = []
    threads = [
        threading.Thread(target=lambda: found.append(timed(setting.reader, "/feed.rss?limit=3"))) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    setting.proxy.restore()
    assert {status for status, _, _ in found} == {503}
    assert max(took for _, took, _ in found) < SOON + MORE


def test_many_that_wait_for_the_database_leave_threads_for_the_rest(setting: Setting) -> None:
    shown = _shown(setting.reader)["/"]
    setting.reader.ask("/docs")  # it is built on the first request
    setting.proxy.hang()
    threads = [
        threading.Thread(target=setting.reader.ask, args=(f"/api/v1/activities?limit={n % 50 + 1}&kind=article",))
        for n in range(100)
    ]
    for thread in threads:
        thread.start()
    for path in ("/healthz", "/docs", "/embed.js"):
        status, took, _ = timed(setting.reader, path)
        assert (status, took < SOON + MORE) == (200, True)
    assert setting.reader.ask("/").body == shown
    for thread in threads:
        thread.join()
    setting.proxy.restore()
    until(lambda: setting.reader.ask("/api/v1/activities?limit=9").status == 200)


def _shown(reader: Reader) -> dict[str, bytes]:
    """Return the visible items; on a busy machine a first response may be late and refused."""
    for path in SHOWN:
        until(lambda path=path: reader.ask(path).status == 200)  # type: ignore[misc]  # bound now
    return {path: reader.ask(path).body for path in SHOWN}


def _await_newest(setting: Setting) -> int:
    """Wait until the reader knows of everything; return its revision."""
    with setting.store.reading() as tx:
        newest = tx.stream.state.revision()
    until(lambda: setting.app.state.probe.beat.revision == newest)
    return newest


def _id_of(store: Store, title: str) -> int:
    with store.reading() as tx:
        found = [tx.stream.activities.get(id_) for id_ in (1, 2)]
    return next(item.id for item in found if item is not None and item.content.title == title)
