"""Test cached responses: never served when wrong, but served while the database is unavailable."""

from __future__ import annotations

import gzip
import threading
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import brotli
import pytest

from aggregator.domain.activity import Review
from storage.store import Store
from storage.stream.pages import StreamReading
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until
from tests.variants import mostly_slow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.reader.serving import Reader

pytestmark = pytest.mark.long

PATH = "/api/v1/activities?limit=50"


@pytest.fixture
def watching(store: Store) -> Iterator[Reader]:
    """Serve with caching, as in production."""
    ingest_now(store, add_source(store), [an_activity(str(n)) for n in range(30)])
    with serving(app_of(store), watching=True) as reader:
        yield reader


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record every page that is read from a database."""
    read: list[Any] = []
    page = StreamReading.page

    def noting(self: StreamReading, query: Any) -> Any:
        read.append(query)
        return page(self, query)

    monkeypatch.setattr(StreamReading, "page", noting)
    return read


def test_one_page_is_read_once_however_many_ask(watching: Reader, reads: list[Any]) -> None:
    answers = [watching.ask(PATH) for _ in range(20)]
    assert len({answer.body for answer in answers}) == 1
    assert len(reads) <= 1
    assert watching.ask("/api/v1/activities?limit=49").json["items"]  # another question
    assert len(reads) <= 2


def test_many_that_ask_at_once_wait_for_one(watching: Reader, reads: list[Any]) -> None:
    threads = [threading.Thread(target=watching.ask, args=(PATH,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1


@pytest.mark.parametrize(
    "path", mostly_slow([PATH, "/feed.rss", "/", "/feed.atom", "/feed.json", "/feed.as2"], quick=3)
)
def test_what_is_hidden_is_gone_from_every_reader_within_two_seconds(store: Store, path: str) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("secret", title="Secret plan"), an_activity("other")])
    hidden = next(item for item in (1, 2) if _title(store, item) == "Secret plan")
    another = Store(store.engine)
    page = f"{path}?page=first" if path.endswith("as2") else path
    with (
        serving(app_of(store, clock=_now), watching=True) as entry,
        serving(app_of(another, clock=_now), watching=True) as two,
    ):
        for reader in (entry, two):
            assert "Secret plan" in reader.ask(page).text
            assert "Secret plan" in reader.ask(page).text
        decide(store, [hidden], Review.HIDDEN)
        for reader in (entry, two):
            gone = lambda reader=reader: "Secret plan" not in reader.ask(page).text  # noqa: E731  # bound now
            until(gone, seconds=10)  # two on an idle machine
        assert entry.ask(f"/activities/{hidden}").status == 410
        assert two.ask(f"/api/v1/activities/{hidden}").status == 410


def test_either_validator_saves_the_body(watching: Reader) -> None:
    fresh = watching.ask(PATH)
    tag = fresh.headers["etag"]
    assert fresh.headers["cache-control"] == "public, max-age=1, stale-while-revalidate=1"
    assert "last-modified" not in fresh.headers  # another change in the same second would not be visible
    again = watching.ask(PATH, headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    until(lambda: "last-modified" in watching.ask(PATH).headers)
    moment = watching.ask(PATH).headers["last-modified"]
    assert watching.ask(PATH, headers={"If-Modified-Since": moment}).status == 304
    assert watching.ask(PATH, headers={"If-Modified-Since": moment, "If-None-Match": '"other"'}).status == 200
    assert watching.ask(PATH, headers={"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}).status == 200
    assert watching.ask(PATH, headers={"If-Modified-Since": "yesterday"}).status == 200


def test_a_page_that_did_not_change_keeps_its_tag_whatever_else_moves(store: Store, watching: Reader) -> None:
    path = "/api/v1/activities?kind=event"
    tag = watching.ask(path).headers["etag"]
    ingest_now(store, add_source(store, "blog"), [an_activity("b")])
    until(lambda: len(watching.items("?source=blog")) == 1)
    assert watching.ask(path).headers["etag"] == tag


def test_two_readers_agree_on_when_the_stream_last_changed(store: Store, watching: Reader) -> None:
    """However long each of them runs, and whenever it was first asked."""
    path = "/feed.rss?limit=1"
    first = until_dated(watching, path)
    with serving(app_of(Store(store.engine)), watching=True) as other:
        assert until_dated(other, path) == first
        ingest_now(store, add_source(store, "blog"), [an_activity("b", published=NOON + timedelta(minutes=1))])
        until(lambda: until_dated(watching, path) != first)
        second = until_dated(watching, path)
        assert parsedate_to_datetime(second) > parsedate_to_datetime(first)
        until(lambda: until_dated(other, path) == second)


def until_dated(reader: Reader, path: str) -> str:
    """Return the `Last-Modified` of a page, once it has one."""
    dates: list[str] = []

    def is_dated() -> bool:  # the next answer may be an older one, which has no date
        dates.extend(value for name, value in reader.ask(path).headers.items() if name == "last-modified")
        return bool(dates)

    until(is_dated)
    return dates[0]


@pytest.mark.parametrize(
    ("accepted", "unpack"),
    [("gzip", gzip.decompress), ("br", brotli.decompress), ("zstd", None), ("identity", bytes)],
    ids=["gzip", "br", "zstd", "identity"],
)
def test_each_gets_what_it_can_unpack(watching: Reader, accepted: str, unpack: Callable[[bytes], bytes] | None) -> None:
    plain = packed = watching.ask(PATH)
    for _ in range(2):  # made, and kept
        packed = watching.ask(PATH, headers={"Accept-Encoding": accepted})
        assert "Accept-Encoding" in packed.headers["vary"]
        if accepted == "identity":
            assert "content-encoding" not in packed.headers
        else:
            assert packed.headers["content-encoding"] == accepted
            assert len(packed.body) < len(plain.body) / 3
        if unpack:
            assert unpack(packed.body) == plain.body
    assert (
        watching.ask(PATH, headers={"Accept-Encoding": accepted, "If-None-Match": packed.headers["etag"]}).status == 304
    )


def _kept(app: Any) -> Any:
    return app._hot  # the cache isn't visible from outside


def test_strangers_can_not_fill_the_memory(sqlite_store: Store) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity(str(n)) for n in range(30)])
    app = app_of(sqlite_store)
    hot = _kept(app)
    hot._most_bytes = 400_000
    with serving(app, watching=True) as reader:
        for number in range(60):
            assert reader.ask(f"/api/v1/activities?since=2020-01-01T00:00:{number:02}Z").status == 200
        assert 0 < hot._held <= 400_000
        assert hot._held == sum(kept.size for kept in hot._kept.values())
        assert all(kept.size > len(kept.body) + key.size for key, kept in hot._kept.items())


def test_small_answers_are_counted_too(sqlite_store: Store) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity("a")])
    app = app_of(sqlite_store)
    hot = _kept(app)
    hot._most_entries = 10
    with serving(app, watching=True) as reader:
        for number in range(30):
            assert reader.ask(f"/?from={number}").status == 200
        assert len(hot._kept) == 10
        assert hot._held == sum(kept.size for kept in hot._kept.values())
        kept = reader.ask("/?from=29", headers={"Host": "127.0.0.1"})  # the most recently used entry stays
        assert kept.status == 200
        assert hot._held < 2_000_000


def _title(store: Store, id_: int) -> str | None:
    with store.reading() as tx:
        item = tx.stream.activities.get(id_)
    return item.content.title if item else None


def _now() -> Any:
    return NOON
