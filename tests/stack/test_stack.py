"""Test worker, scheduler and reader as processes, on PostgreSQL and each kind of broker, with local publishers."""

from __future__ import annotations

import signal
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from aggregator.demo import SAMPLE_TOKEN
from storage.store import Store
from tests.processes import Processes, eventually
from tests.stack.brokers import empty
from tests.upstream import Entry, Publisher, refused
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(feeds=10, entries=4) as publisher:
        yield publisher


@pytest.fixture
def stack(tmp_path: Path, postgresql_url: str, broker_url: str) -> Iterator[Processes]:
    environ = {
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": broker_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_HOST_CONCURRENCY": "4",
    }
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        yield stack


def _add(stack: Processes, publisher: Publisher, *names: str, every: str = "1") -> None:
    stack.aggregator("source", "add", "--every", every, *(publisher.url(f"/good/{name}.xml") for name in names))


def _native_ids(stack: Processes) -> list[str]:
    return sorted(item["native_id"] for item in stack.items())


@pytest.mark.slow
def test_a_feed_added_while_they_run_is_pulled_and_followed(stack: Processes, publisher: Publisher) -> None:
    stack.worker()
    stack.scheduler()
    stack.reader()
    assert stack.items() == []
    _add(stack, publisher, "1")
    assert len(stack.items()) == 4  # adding it was its first poll
    publisher.feeds["1"].entries.insert(0, Entry("fresh", "Fresh news", "Just in."))
    eventually("the new entry arrives", lambda: "fresh" in _native_ids(stack))
    assert len(_native_ids(stack)) == 5
    assert "Fresh news" in {item["title"] for item in stack.items()}
    publisher.feeds["1"].entries[0].title = "Edited news"
    eventually("the edit arrives", lambda: "Edited news" in {item["title"] for item in stack.items()})
    del publisher.feeds["1"].entries[0]
    polls = publisher.hits["/good/1.xml"]
    eventually("it is polled again", lambda: publisher.hits["/good/1.xml"] > polls + 1)
    assert "fresh" in _native_ids(stack)  # what left the feed's window stays
    status = stack.aggregator("status", code=None).stdout
    assert "ticking" in status
    assert "worker@test" in status


def test_tweets_retweets_and_news_of_the_sample_upstream_become_one_stream(stack: Processes) -> None:
    with SimulatedUpstream() as upstream:
        x = {"AGGREGATOR_X_BASE_URL": upstream.url, "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN}
        stack.environ = {**stack.environ, **x, "AGGREGATOR_X_PUBLIC_TEXT": "yes"}  # the samples are our own
        stack.worker()
        stack.scheduler()
        stack.reader()
        stack.aggregator("source", "add", "--every", "2", "@opengovpart", f"{upstream.url}/news.xml")
        everything = {"article", "post", "repost", "quote", "reply"}
        eventually("every kind is there", lambda: {item["kind"] for item in stack.items()} >= everything)
        originals = {item["object"]["actor"]["handle"] for item in stack.items("kind=repost") if item["object"]}
        assert {"OpenGovHub", "josephpowell", "FelipeEstefan"} <= originals
        before = {item["id"] for item in stack.items()}
        for _ in range(8):
            upstream.world.publish()
        networks = eventually(
            "both sources bring something new",
            lambda: {item["network"] for item in stack.items() if item["id"] not in before} == {"x", "web"},
        )
        assert networks
        ids = [(item["source"]["slug"], item["native_id"]) for item in stack.items()]
        assert len(ids) == len(set(ids))
    for name in ("worker", "scheduler", "reader"):
        assert SAMPLE_TOKEN not in stack.log(name)


@pytest.mark.slow
def test_one_broken_source_among_ten_good_ones_fails_alone(stack: Processes, publisher: Publisher) -> None:
    stack.worker()
    stack.scheduler()
    stack.reader()
    good = [str(number) for number in range(1, 11)]
    _add(stack, publisher, *good)
    broken = {"html": "HTML", "endless": "", "badxml": "", "500": "500"}
    for slug in broken:
        publisher.feeds[slug] = publisher.feeds["1"].__class__(slug, f"Broken {slug}")
    _add(stack, publisher, *broken)
    store = Store.open(stack.environ["AGGREGATOR_DATABASE_URL"])
    with store.writing() as tx:
        from sqlalchemy import text

        connection = tx.polling.sources._connection
        for slug in broken:
            connection.execute(
                text("UPDATE source SET address = :to WHERE address = :at"),
                {"to": publisher.url(f"/{slug}"), "at": publisher.url(f"/good/{slug}.xml")},
            )
        connection.execute(
            text("UPDATE source SET address = :to WHERE address = :at"),
            {"to": refused(), "at": publisher.url("/good/10.xml")},
        )
    store.close()
    for name in good[:9]:
        publisher.feeds[name].entries.insert(0, Entry(f"{name}-late", f"Late news of {name}"))

    def late() -> int:
        return sum(native_id.endswith("-late") for native_id in _native_ids(stack))

    eventually("the good ones go on", lambda: late() == 9)
    eventually(
        "each broken one shows its reason",
        lambda: sum(source["last_error"] is not None for source in stack.sources().values()) == 5,
    )
    status = stack.aggregator("status", code=None).stdout
    lines = {line.split()[0]: line for line in status.splitlines() if " failing " in line}
    assert len(lines) == 5
    reasons = " ".join(lines.values())
    for reason in ("HTML", "500", "refused"):
        assert reason in reasons
    assert len(stack.items()) == 40 + 9


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_doubles_nothing(stack: Processes, publisher: Publisher) -> None:
    lease = {"AGGREGATOR_LEASE": "10", "AGGREGATOR_HOST_SPACING": "0.4", "AGGREGATOR_HOST_CONCURRENCY": "16"}
    stack.environ = {**stack.environ, **lease}
    good = [str(number) for number in range(1, 11)]
    _add(stack, publisher, *good, every="1")
    for name in good:
        publisher.feeds[name].entries.insert(0, Entry(f"{name}-late", f"Late news of {name}"))
    before = publisher.hits.total()
    stack.worker()
    stack.scheduler()
    stack.reader()
    eventually("it is in the middle of a batch", lambda: publisher.hits.total() >= before + 3)
    stack.kill("worker")
    caught = _native_ids(stack)
    assert sum(native_id.endswith("-late") for native_id in caught) < 10
    stack.worker()
    eventually("every item is there", lambda: len(_native_ids(stack)) == 50)
    assert len(set(_native_ids(stack))) == 50


@pytest.mark.slow
def test_an_emptied_broker_costs_at_most_two_ticks(stack: Processes, publisher: Publisher, broker_url: str) -> None:
    stack.worker()
    stack.scheduler()
    stack.reader()
    _add(stack, publisher, "1", "2")
    eventually("polling runs", lambda: publisher.not_modified.total() >= 2)
    empty(broker_url, stack)
    publisher.feeds["1"].entries.insert(0, Entry("after", "After the flood"))
    eventually("polling goes on within two ticks", lambda: "after" in _native_ids(stack), patience=2 * 5 + 5)
    assert len(_native_ids(stack)) == 9
    assert len(set(_native_ids(stack))) == 9


@pytest.mark.slow
def test_two_schedulers_poll_each_due_source_once_per_slot(stack: Processes, publisher: Publisher) -> None:
    names = [str(number) for number in range(1, 6)]
    stack.worker()
    _add(stack, publisher, *names, every="6")
    before = {name: publisher.hits[f"/good/{name}.xml"] for name in names}
    stack.scheduler("one")
    stack.scheduler("two")
    eventually("two rounds", lambda: min(publisher.hits[f"/good/{name}.xml"] - before[name] for name in names) >= 2)
    store = Store.open(stack.environ["AGGREGATOR_DATABASE_URL"])
    with store.reading() as tx:
        for source in tx.polling.sources.each():
            starts = sorted(line["started"] for line in tx.polling.schedule.log(source.id, 50))
            gaps = [(later - sooner).total_seconds() for sooner, later in pairwise(starts)]
            assert min(gaps) >= 5.9, gaps
    store.close()


@pytest.mark.slow
def test_a_worker_that_is_asked_to_stop_ends_its_polls_first(stack: Processes, publisher: Publisher) -> None:
    stack.environ = {**stack.environ, "AGGREGATOR_HOST_SPACING": "0.5", "AGGREGATOR_LEASE": "30"}
    names = [str(number) for number in range(1, 5)]
    _add(stack, publisher, *names)
    for name in names:
        publisher.feeds[name].entries.insert(0, Entry(f"{name}-late", "Late news"))
    before = publisher.hits.total()
    stack.start("worker", *_soft_worker(), REMAP_SIGTERM="SIGQUIT")
    stack.scheduler()
    eventually("a batch has begun", lambda: publisher.hits.total() > before)
    stack.terminate("worker", signal.SIGTERM, patience=40)
    store = Store.open(stack.environ["AGGREGATOR_DATABASE_URL"])
    with store.reading() as tx:
        unpolled = [source.id for source in tx.polling.sources.each() if not source.poll.last_polled]
        assert tx.polling.schedule.leases.all(unpolled) == {}
        count = sum(tx.polling.schedule.log(source.id, 1)[0]["new"] for source in tx.polling.sources.each())
    store.close()
    assert count == 4


def _soft_worker() -> tuple[str, ...]:
    return (sys.executable, "-m", "celery", "-A", "worker", "worker", "-Q", "feeds,api,control", "-c", "2")
