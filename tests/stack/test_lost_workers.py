"""Test real workers that die, and two installations on one Redis database."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis as redis_client

from aggregator.domain.source import Place
from storage.store import Store
from tests.processes import Processes, eventually
from tests.upstream import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]

SHORT = 60.0  # seconds; a lease takes five minutes


@pytest.fixture
def environ(postgresql_url: str, redis_url: str) -> dict[str, str]:
    return {
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_HOST_CONCURRENCY": "4",
    }


@pytest.fixture
def stack(tmp_path: Path, environ: dict[str, str]) -> Iterator[Processes]:
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        yield stack


class Silent:
    """A server that accepts connections and never responds."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    async def _serve(self, ready: threading.Event, end: asyncio.Event) -> None:
        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            await end.wait()
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await end.wait()

    @contextmanager
    def running(self) -> Iterator[Silent]:
        """Serve in a thread."""
        loop, ready = asyncio.new_event_loop(), threading.Event()
        end = asyncio.Event()
        thread = threading.Thread(target=lambda: loop.run_until_complete(self._serve(ready, end)))
        thread.start()
        ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(end.set)
            thread.join(10)
            loop.close()


def children(pid: int) -> list[int]:
    """Return the child processes of a process, from all its threads."""
    lists = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for children in lists for child in children.split()]


def test_a_process_that_dies_while_it_polls_costs_its_batch_no_lease(stack: Processes) -> None:
    """Killed three times while it polls one source, which then fails; the others of its batch go on."""
    with Publisher(feeds=3, entries=2) as publisher, Silent().running() as silent:
        stack.aggregator("source", "add", "--every", "1", *(publisher.url(f"/good/{name}.xml") for name in "123"))
        store = Store.open(stack.environ["AGGREGATOR_DATABASE_URL"])
        with store.writing() as tx:
            deadly = tx.polling.sources.page(1)[0]
            tx.polling.sources.move(deadly, deadly_place(silent.port), "test", deadly.created, who="test")
        worker = stack.worker()
        stack.scheduler()
        for death in range(1, 4):
            eventually(f"it is polled for the {death}. time", lambda: silent.connections >= death, patience=SHORT)  # noqa: B023
            for child in children(worker.pid):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

        def failed() -> bool:
            with store.reading() as tx:
                source = tx.polling.sources.get(deadly.slug)
            return source is not None and source.poll.last_error_code == "worker-lost"

        eventually("it fails", failed, patience=SHORT)
        polled = {name: publisher.hits[f"/good/{name}.xml"] for name in "123"}
        others = [name for name in "123" if not deadly.address.endswith(f"/{name}.xml")]
        eventually(
            "others go on", lambda: all(publisher.hits[f"/good/{number}.xml"] > polled[number] for number in others)
        )
        with store.reading() as tx:
            lines = [line for line in tx.polling.schedule.log(deadly.id, 50) if line["error_code"] == "worker-lost"]
        assert [line["requests"] for line in lines][:1] == [0]
        store.close()
    assert "polling its sources one by one" in stack.log("worker")


def deadly_place(port: int) -> Place:
    return Place(f"http://127.0.0.1:{port}/feed.xml", f"127.0.0.1:{port}")


def messages(redis: redis_client.Redis) -> int:
    """Count the messages that wait in the queue "control", of all installations."""
    return sum(redis.llen(key) for key in redis.keys("*control") if redis.type(key) == b"list")


def test_two_installations_on_one_redis_do_not_hear_each_other(
    stack: Processes, environ: dict[str, str], tmp_path: Path, redis_url: str
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    sqlite = {**environ, "AGGREGATOR_DATABASE_URL": f"sqlite:///{folder}/other.sqlite3"}
    with Processes(folder, sqlite) as other, redis_client.Redis.from_url(redis_url) as redis:
        other.aggregator("migrate")
        stack.worker("first")
        eventually("it runs", lambda: "first@test" in stack.aggregator("status", code=None).stdout)
        other.scheduler("second")  # without a worker
        eventually("its messages wait", lambda: messages(redis) >= 2)
        assert "none responds" in other.aggregator("status", code=None).stdout
        assert "has never run" in stack.aggregator("status", code=None).stdout
        other.worker("third", "--pool", "threads")
        eventually("its own worker takes them", lambda: "ticking" in other.aggregator("status", code=None).stdout)
        lines = other.aggregator("status", code=None).stdout.splitlines()
        workers = [line for line in lines if line.startswith("Workers:")]
        assert workers == ["Workers: third@test"]
        assert {key.split(b":")[0] for key in redis.keys("*")} == {b"aggregator"}
