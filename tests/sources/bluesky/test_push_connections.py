"""Test connections to a Jetstream server: reconnecting, positions, refusals, and processes that take over."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.cli.listen import start_listening
from aggregator.services import push_events, push_listener
from tests.processes import Processes
from tests.reader.serving import until
from tests.sources.bluesky.server import ADA, BOB

if TYPE_CHECKING:
    from pathlib import Path


from tests.sources.bluesky.push_installation import NAMES, Installation, now


def test_an_account_that_is_added_later_is_followed_over_the_same_connection(installation: Installation) -> None:
    installation.follow("@ada.example")
    installation.listen()
    installation.follow("@bob.example")
    until(lambda: BOB in installation.stream.wanted)
    until(lambda: installation.asked() == 1)  # for a post since its first poll
    with installation.container.store.writing() as tx:
        source = tx.polling.sources.get("bob")
        assert source is not None
        tx.polling.sources.set_state(source.id, source.state.PAUSED, "", now())
    until(lambda: installation.stream.wanted == {ADA})
    assert len(installation.stream.queries) == 1


def test_nothing_is_lost_or_doubled_by_many_reconnections(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_events, "_POSITION_EVERY", 0.1)
    monkeypatch.setattr(push_listener, "_STEADY", 0.0)
    installation.follow("@ada.example", "@bob.example")
    installation.listen()
    posts = []
    for number in range(60):
        posts.append(installation.publish(f"News {number:02}", (ADA, BOB)[number % 2]))
        if number % 10 in {3, 7}:
            until(lambda: installation.stream.connections == 1)
            (installation.stream.disconnect if number % 10 == 3 else installation.stream.close)()
        if number % 6 == 5:
            installation.delete(posts[number - 3]["uri"])
            posts[number - 3] = {}
    kept = sorted(post["record"]["text"] for post in posts if post)
    until(lambda: installation.tick() >= 0 and installation.texts() == kept, seconds=60)
    assert len(installation.stream.queries) > 6
    assert all("cursor" in query for query in installation.stream.queries[2:])
    rows = installation.rows("SELECT native_id FROM activity")
    assert len(rows) == len(set(rows))


def test_the_position_is_stored_and_continued_with_a_margin(installation: Installation) -> None:
    installation.follow("@ada.example")
    installation.listen()
    last = installation.stream.account(ADA)["time_us"]
    position = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=last)
    installation.stream.close()
    until(lambda: len(installation.stream.queries) == 2)
    assert installation.times()[NAMES.position] == position
    assert installation.stream.queries[1]["cursor"] == [str(last - 10_000_000)]


@pytest.mark.parametrize(("age", "continued"), [(-3600, True), (3600, True), (86_400, False)])
def test_a_position_in_the_future_or_too_long_ago_causes_no_gap(
    installation: Installation, age: float, continued: bool
) -> None:
    installation.follow("@ada.example", "@bob.example")
    installation.put_time(NAMES.position, now() - timedelta(seconds=age))
    start_listening(installation.container)
    until(lambda: installation.stream.connections == 1)
    [query] = installation.stream.queries
    assert ("cursor" in query) is continued
    if continued:
        assert int(query["cursor"][0]) < time.time_ns() // 1000
        installation.publish("News")
        until(lambda: installation.texts() == ["News"])
    else:
        until(lambda: installation.asked() == 2)  # polls fill the gap


@pytest.mark.parametrize("status", [400, 429, 503])
def test_a_refused_connection_leaves_polls_as_usual_and_is_tried_again(
    installation: Installation, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_listener, "_LONGEST_PAUSE", 0.1)
    installation.follow("@ada.example")
    installation.stream.refusal = status
    start_listening(installation.container)
    until(lambda: len(installation.stream.queries) >= 3)
    installation.view.post("News")
    installation.poll()
    assert installation.texts() == ["News"]
    installation.stream.refusal = None
    until(lambda: installation.stream.connections == 1)


def test_another_process_takes_over_after_a_kill_and_nothing_is_lost_or_doubled(
    installation: Installation, tmp_path: Path
) -> None:
    installation.follow("@ada.example", "@bob.example")
    environ = {**installation.environ, "AGGREGATOR_DATA_DIR": str(tmp_path)}
    doomed = installation.view.post("Doomed")
    installation.poll()
    with Processes(tmp_path, environ) as processes:
        process = processes.start("listener", sys.executable, "-m", "aggregator", "listen")
        until(lambda: installation.stream.connections == 1 and installation.asked() == 2, seconds=60)
        start_listening(installation.container)  # it waits
        until(lambda: installation.tick() >= 0 and installation.asked() == 0)
        installation.publish("Before")
        until(lambda: "Before" in installation.texts())
        until(lambda: NAMES.position in installation.times())
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        until(lambda: installation.stream.connections == 0)
        installation.publish("Meanwhile", BOB)
        installation.delete(doomed["uri"])
        installation.put_time(NAMES.claim, now() - timedelta(seconds=1))  # as after half a minute
        until(lambda: installation.stream.connections == 1)
        until(lambda: installation.is_removed(doomed["uri"]))
        until(lambda: installation.tick() >= 0 and installation.texts() == ["Before", "Meanwhile"])
    assert "cursor" in installation.stream.queries[-1]


def test_one_process_does_everything(installation: Installation, tmp_path: Path) -> None:
    if installation.container.store.engine.dialect.name != "sqlite":
        pytest.skip("one process alone uses SQLite")
    installation.follow("@ada.example")
    installation.container.close()
    with Processes(tmp_path, installation.environ) as processes:
        processes.start("run", sys.executable, "-m", "aggregator", "run")
        until(lambda: installation.stream.connections == 1, seconds=60)
        post = installation.publish("News")
        installation.container = installation.another()
        until(lambda: installation.texts() == ["News"], seconds=60)
        installation.delete(post["uri"])
        until(lambda: installation.texts() == [])
