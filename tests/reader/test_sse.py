"""Test live updates and the change feed over real HTTP: complete, prompt, and cheap for each listener."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import json as msgspec_json

from aggregator.domain.activity import ActivityKind, Review
from aggregator.domain.errors import StoreUnavailableError
from aggregator.domain.source import SourceState
from aggregator.domain.stream import Query
from aggregator.reader.serialization import activity as item_of
from aggregator.reader.serialization import source as source_of
from aggregator.reader.visibility import EVERYTHING
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Store
    from tests.reader.serving import Reader

pytestmark = pytest.mark.long

MINUTE = timedelta(minutes=1)
LONG = float(os.environ.get("MIRROR_SECONDS", "10"))  # 120 for the whole of it
LISTENERS = 2000


@pytest.fixture
def watching(store: Store) -> Iterator[Reader]:
    with serving(app_of(store), watching=True) as reader:
        yield reader


class Listener:
    """A listener with the simplest of clients."""

    def __init__(self, reader: Reader, query: str = "", *, last: int | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", reader.port), timeout=30)
        header = f"Last-Event-ID: {last}\r\n" if last is not None else ""
        self._socket.sendall(f"GET /api/v1/live{query} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])

    def next(self) -> tuple[str, int, Any]:
        """Return name, id and data of the next event."""
        found: dict[str, str] = {}
        while True:
            line = self._file.readline().decode().rstrip("\r\n")
            if ": " in line and line.split(": ")[0] in {"event", "id", "data"}:
                name, _, value = line.partition(": ")
                found[name] = value
            elif not line and "data" in found:
                return found["event"], int(found["id"]), json.loads(found["data"])

    def start(self) -> int:
        """Return the first revision of the stream; the server sends it first."""
        while not (line := self._file.readline()).startswith(b"id: "):
            assert line, "the server closed the stream"
        return int(line.split()[1])

    def close(self) -> None:
        self._socket.close()


def await_reader(reader: Reader, store: Store) -> None:
    """Wait until a reader has sent all stored items to listeners."""
    with store.reading() as tx:
        newest = tx.stream.state.revision()

    def has_seen_it() -> bool:
        listener = Listener(reader)
        try:
            return listener.start() >= newest
        finally:
            listener.close()

    until(has_seen_it)


@contextmanager
def listening(reader: Reader, query: str = "", *, last: int | None = None) -> Iterator[Listener]:
    listener = Listener(reader, query, last=last)
    assert listener.status == 200
    try:
        if last is None and "after=" not in query:
            listener.start()
        yield listener
    finally:
        listener.close()


def test_what_comes_changes_and_goes_is_told(store: Store, watching: Reader) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("old")])
    await_reader(watching, store)
    with listening(watching) as listener:
        ingest_now(store, source, [an_activity("new")])
        name, revision, item = listener.next()
        assert (name, item["native_id"], item["revision"]) == ("activity", "new", revision)
        ingest_now(store, source, [an_activity("new", title="Edited")])
        assert listener.next()[2]["title"] == "Edited"
        decide(store, [int(item["id"])], Review.HIDDEN)
        name, newest, gone = listener.next()
        assert (name, gone["id"]) == ("gone", item["id"])
        assert newest > revision


def test_a_listener_hears_what_fits_its_filters(store: Store, watching: Reader) -> None:
    source = add_source(store)
    await_reader(watching, store)
    with listening(watching, "?kind=event&q=budget&lang=en") as listener:
        ingest_now(
            store,
            source,
            [
                an_activity("a", text="budget"),
                an_activity("b", kind=ActivityKind.EVENT, text="bread"),
                an_activity("c", kind=ActivityKind.EVENT, text="The BUDGET, again", lang="en-GB"),
            ],
        )
        assert listener.next()[2]["native_id"] == "c"


def test_what_was_missed_is_told_on_return(store: Store, watching: Reader) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("a"), an_activity("b")])
    with store.reading() as tx:
        seen = tx.stream.state.revision()
    ingest_now(store, source, [an_activity("c")])
    decide(store, [1], Review.HIDDEN)
    await_reader(watching, store)
    with listening(watching, last=seen) as listener:
        assert [listener.next()[0] for _ in range(2)] == ["activity", "gone"]
    with listening(watching, f"?after={seen}") as listener:
        assert listener.next()[2]["native_id"] == "c"
    with listening(watching, last=10**9) as listener:  # of another database
        assert listener.next()[0] == "reset"


@pytest.mark.slow
def test_listeners_cost_no_query_and_little_memory(sqlite_store: Store) -> None:
    """As many as a portal has on a busy day, on one process, which is asked for its own memory."""
    source = add_source(sqlite_store)
    command = [sys.executable, "-m", "bench.served", "reader", str(sqlite_store.engine.url)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline() if process.stdout else 0)
            took, memory = asyncio.run(_many(sqlite_store, source, port))
        finally:
            process.terminate()
    print(f"{LISTENERS} listeners: the last heard after {took:.2f} s, {memory:.1f} KB each")
    assert took < 10  # less than one on an idle machine
    assert memory < 50


async def _many(store: Store, source: Any, port: int) -> tuple[float, float]:
    await asyncio.sleep(1)
    before = await _memory(port)
    listeners = []
    for start in range(0, LISTENERS, 100):
        opening = [asyncio.open_connection("127.0.0.1", port) for _ in range(start, start + 100)]
        for reader, writer in await asyncio.gather(*opening):
            writer.write(b"GET /api/v1/live HTTP/1.1\r\nHost: x\r\n\r\n")
            listeners.append((reader, writer))
        await asyncio.gather(*(reader.readuntil(b"retry: ") for reader, _ in listeners[start:]))
    await asyncio.sleep(1)
    memory = (await _memory(port) - before) / LISTENERS
    hearing = [asyncio.create_task(reader.readuntil(b"Title news-flash")) for reader, _ in listeners]
    began = time.monotonic()
    await asyncio.to_thread(ingest_now, store, source, [an_activity("news-flash")])
    await asyncio.wait_for(asyncio.gather(*hearing), 20)
    took = time.monotonic() - began
    for _, writer in listeners:
        writer.close()
    return took, memory


async def _memory(port: int) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /memory HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    body = (await reader.read()).rpartition(b"\r\n\r\n")[2]
    writer.close()
    return 1024 * float(json.loads(body)["mb"])


class Mirror:
    """A portal's own copy of the stream, built from the change feed alone."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.revision = 0
        self.items: dict[str, Any] = {}
        self.sources: dict[str, Any] = {}

    def follow(self, wait: int = 0) -> bool:
        """Apply one response; return whether there is more."""
        answer = self._reader.ask(f"/api/v1/changes?after={self.revision}&limit=500&wait={wait}")
        assert answer.status == 200, answer.text
        changes = answer.json
        revisions = [change["revision"] for change in changes["changes"]]
        assert revisions == sorted(revisions)
        assert not revisions or revisions[0] > self.revision
        for change in changes["changes"]:
            match change["type"]:
                case "activity":
                    self.items[change["activity"]["id"]] = change["activity"]
                case "gone":
                    self.items.pop(change["id"], None)
                case "source":
                    self.sources[change["source"]["slug"]] = change["source"]
                case "source_gone":
                    self.sources.pop(change["slug"], None)
                case "actor":
                    self._rename(change["actor"])
        self.revision = changes["next"]
        return bool(changes["more"])

    def _rename(self, actor: dict[str, Any]) -> None:
        for item in self.items.values():
            for content in (item, item["object"] or {}):
                if content.get("actor") and content["actor"]["id"] == actor["id"]:
                    content["actor"] = actor


@pytest.mark.slow
def test_a_mirror_equals_the_store_whatever_four_writers_do(store: Store, watching: Reader) -> None:
    sources = [add_source(store, f"s{number}") for number in range(4)]
    ending = time.monotonic() + LONG

    def write(number: int) -> None:
        chance = random.Random(number)
        while time.monotonic() < ending:
            with suppress(StoreUnavailableError):  # SQLite lets one write at a time; one may starve
                _something(store, sources[number], chance)

    mirror = Mirror(watching)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in writers:
        thread.start()
    while any(thread.is_alive() for thread in writers):
        mirror.follow(wait=1)
    for thread in writers:
        thread.join()
    with store.writing() as tx:
        tx.polling.sources.set_state(sources[0].id, SourceState.REMOVED, "by hand", NOON)
    while mirror.follow():
        pass

    with store.reading() as tx:
        expected, after = {}, None
        while True:
            page = tx.stream.activities.page(Query(limit=100, after=after, stitch=False))
            expected.update({str(item.id): _as_sent(item_of(item, EVERYTHING)) for item in page.items})
            after = page.next
            if after is None:
                break
        stored = {item.slug: _as_sent(source_of(item, NOON, EVERYTHING)) for item in tx.polling.sources.each()}
        assert mirror.revision == tx.stream.state.revision()
    assert mirror.items == expected
    assert mirror.sources == stored
    print(f"{mirror.revision} changes, {len(expected)} items left")
    assert mirror.revision > 100


def _as_sent(shape: object) -> Any:
    return msgspec_json.decode(msgspec_json.encode(shape))


def _something(store: Store, source: Any, chance: random.Random) -> None:
    """Add, edit, hide, show, delete or rename an item."""
    numbers = chance.sample(range(30 * int(LONG)), 5)
    match chance.randrange(6):
        case 0 | 1:
            ingest_now(store, source, [_said(chance, number) for number in numbers])
        case 2:
            decide(store, [4 * number for number in numbers], Review.HIDDEN)
        case 3:
            decide(store, [4 * number for number in numbers], Review.PUBLISHED)
        case 4:
            with store.writing() as tx:
                tx.stream.activities.withdraw(source.id, [f"web:{numbers[0]}"], "gone at the source", NOON)
        case 5:
            ingest_now(store, source, [_said(chance, numbers[0], name=f"Desk {chance.randrange(9)}")])


def _said(chance: random.Random, number: int, *, name: str = "News Desk") -> Any:
    from aggregator.domain.activity import Actor

    actor = Actor("web", f"desk-{number % 7}", name)
    return an_activity(str(number), title=f"Title {chance.randrange(3)}", actor=actor, published=NOON - number * MINUTE)


def test_whoever_waits_hears_at_once(store: Store, watching: Reader) -> None:
    source = add_source(store)
    await_reader(watching, store)
    with store.reading() as tx:
        revision = tx.stream.state.revision()
    timer = threading.Timer(1.0, ingest_now, args=(store, source, [an_activity("a")]))
    timer.start()
    changes = watching.ask(f"/api/v1/changes?after={revision}&wait=15").json
    timer.join()
    assert changes["changes"]
    assert [change["type"] for change in changes["changes"]] == ["activity", "actor"] or changes["changes"]
    began = time.monotonic()
    assert watching.ask(f"/api/v1/changes?after={changes['next'] + 0}&wait=1").json["changes"] == []
    assert time.monotonic() - began >= 0.9


def test_a_revision_that_the_database_never_had_is_refused(watching: Reader) -> None:
    answer = watching.ask("/api/v1/changes?after=123456")
    assert (answer.status, answer.json["code"]) == (409, "unknown-revision")
