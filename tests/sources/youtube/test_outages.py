"""Test outages of YouTube's feeds: sources with a key are read by the API meanwhile, others wait."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.errors import StatusError
from tests.sources.polled import stored
from tests.sources.youtube.adding import added, titles
from tests.sources.youtube.server import CHANNEL, KEY, OTHER, YouTube

if TYPE_CHECKING:
    from aggregator.container import Container
    from aggregator.domain.source import Source

HOUR = timedelta(hours=1)


def _run(container: Container, span: timedelta, step: timedelta = timedelta(minutes=10)) -> None:
    """Let the scheduler and a worker run, with a moved clock."""
    end = container.clock() + span
    while container.clock() < end:
        now = container.clock() + step
        container.clock = lambda now=now: now
        for batch in container.dispatcher.claim():
            container.polling.poll(batch.ids, batch.token)


def _held(container: Container) -> frozenset[str]:
    with container.store.reading() as tx:
        return tx.polling.outages.held_hosts()


@pytest.fixture
def feeds(container: Container, server: YouTube) -> list[Source]:
    """Give three sources that are read as feeds, as YouTube's were before it had a kind of its own."""
    found = []
    for number in range(3):
        channel = f"UC{number}{'x' * 21}"
        server.channels[channel] = f"Feed {number}"
        server.upload(f"Of feed {number}", channel)
        found.append(added(container, f"{server.address}/feeds/videos.xml?channel_id={channel}"))
    assert {source.kind for source in found} == {"rss"}
    return found


def test_sources_with_a_key_go_on_while_feeds_of_the_same_host_wait(
    container: Container, server: YouTube, feeds: list[Source]
) -> None:
    server.upload("First")
    server.upload("Another's", OTHER)
    videos = [added(container, CHANNEL), added(container, OTHER)]
    server.feeds_fail = 500
    _run(container, 3 * HOUR)
    [host] = _held(container)
    assert {stored(container, source).host for source in (*feeds, *videos)} == {host}
    server.upload("Meanwhile")
    requests = server.hits["/feeds/videos.xml"]
    _run(container, 3 * HOUR)
    assert "Meanwhile" in titles(container)
    assert _held(container) == {host}  # what the API answers ends no outage of the feeds
    assert server.hits["/feeds/videos.xml"] - requests <= 3 * 4 + 2 * 4  # probes, and one an hour of each with a key
    assert [stored(container, source).poll.last_error for source in videos] == [None, None]
    server.feeds_fail = 0
    server.upload("After", f"UC0{'x' * 21}")
    _run(container, 2 * HOUR)
    assert _held(container) == frozenset()
    assert {"After", "Meanwhile"} <= set(titles(container))


def test_sources_with_a_key_hide_no_outage_of_the_feeds(
    container: Container, server: YouTube, feeds: list[Source]
) -> None:
    for number in range(20):
        channel = f"UC{number:02}{'y' * 20}"
        server.channels[channel] = f"Channel {number}"
        server.upload(f"Of {number}", channel)
        added(container, channel)
    server.feeds_fail = 500
    _run(container, 3 * HOUR)
    assert len(_held(container)) == 1
    with container.store.reading() as tx:
        [incident] = tx.monitoring.incidents.page(10)
    assert incident.evidence["sources"] == len(feeds)


@pytest.mark.parametrize("key", [KEY, ""], ids=["key", "no key"])
@pytest.mark.usefixtures("key")
def test_feeds_that_fail_with_the_api_are_an_outage_that_ends(container: Container, server: YouTube) -> None:
    sources = []
    for number in range(4):
        channel = f"UC{number}{'x' * 21}"
        server.channels[channel] = f"Channel {number}"
        server.upload(f"Of {number}", channel)
        sources.append(added(container, channel))
    server.feeds_fail, server.api_fails = 500, 500
    _run(container, 3 * HOUR)
    assert len(_held(container)) == 1
    assert stored(container, sources[0]).poll.last_error_code == StatusError.code
    server.feeds_fail = server.api_fails = 0
    server.upload("After", f"UC1{'x' * 21}")
    _run(container, 3 * HOUR)
    assert _held(container) == frozenset()
    assert "After" in titles(container)
