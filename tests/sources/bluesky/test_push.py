"""Test pushed events of Bluesky from a Jetstream server to every output, over real HTTP and on both databases."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from aggregator.cli.listen import start_listening
from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.polling.pushes import SLOWED, stream_names
from aggregator.domain.stream import Query
from aggregator.services import announced_posts, push_events, push_listener, takedowns
from aggregator.services.subscribe import Subscription
from aggregator.source_api.push import PushTerms
from aggregator.sources.bluesky.push import PushesJetstream
from tests.processes import Processes
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until
from tests.sources.bluesky.jetstream_server import Jetstream, jetstream
from tests.sources.bluesky.server import ADA, BOB, AppView, app_view

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from aggregator.domain.activity import Activity
    from storage.store import Store
    from tests.reader.serving import Reader

NAMES = stream_names("bluesky")
OUTPUTS = (
    *("/", "/feed.rss", "/feed.atom", "/feed.json", "/feed.as2?page=first", "/embed", "/embed/items"),
    *("/api/v1/activities", "/api/v1/activities?q=doomed", "/api/v1/changes?limit=1000"),
)


@pytest.fixture
def view() -> Iterator[AppView]:
    with app_view() as view:
        yield view


@pytest.fixture
def stream() -> Iterator[Jetstream]:
    with jetstream() as stream:
        yield stream


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no pause pass that only spares a network."""
    replay = PushesJetstream.push_terms.replay
    monkeypatch.setattr(PushesJetstream, "push_terms", PushTerms(replay=replay))
    monkeypatch.setattr(push_events, "_PROFILE_AFTER", timedelta())
    monkeypatch.setattr(push_listener, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(push_listener, "_CLAIM_AGAIN", 0.1)
    monkeypatch.setattr(push_listener, "_LOOK_EVERY", 0.1)


class Installation:
    """A container with an AppView and a Jetstream server."""

    def __init__(self, view: AppView, stream: Jetstream, folder: Path, url: str) -> None:
        self.view, self.stream = view, stream
        self.environ = {
            "AGGREGATOR_DATA_DIR": str(folder),
            "AGGREGATOR_DATABASE_URL": url,
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
            "AGGREGATOR_HOST_CONCURRENCY": "8",
            "AGGREGATOR_POLLS_PER_MINUTE": "100000",
            "AGGREGATOR_BLUESKY_API": view.address,
            "AGGREGATOR_BLUESKY_JETSTREAM": stream.address,
        }
        self.containers: list[Container] = []
        self.container = self.another()

    def another(self) -> Container:
        """Return another process over the same database."""
        self.containers.append(Container(Settings.from_environment(self.environ)))
        return self.containers[-1]

    def follow(self, *addresses: str, **options: Any) -> None:
        for address in addresses:
            self.container.subscribe(address, Subscription(options=options))

    def listen(self) -> threading.Thread:
        """Listen, and wait for the connection and the first polls that it requests."""
        thread = start_listening(self.container)
        until(lambda: self.stream.connections == 1 and bool(self.rows("SELECT 1 FROM source WHERE asked IS NOT NULL")))
        self.tick()
        return thread

    def tick(self) -> int:
        """Poll due sources as scheduler and workers do; return their number."""
        batches = self.container.dispatcher.claim()
        return sum(len(self.container.polling.poll(batch.ids, batch.token)) for batch in batches)

    def poll(self) -> None:
        """Poll all sources now."""
        self.container.polling.poll_now([row[0] for row in self.rows("SELECT id FROM source")])

    def asked(self) -> int:
        return int(self.rows("SELECT count(*) FROM source WHERE asked IS NOT NULL")[0][0])

    def rows(self, statement: str) -> Sequence[Any]:
        with self.container.store.engine.connect() as connection:
            return connection.execute(text(statement)).all()

    def items(self) -> list[Activity]:
        with self.container.store.reading() as tx:
            return list(tx.stream.activities.page(Query(limit=1000)).items)

    def author(self) -> tuple[str, str | None]:
        actor = self.items()[0].content.actor
        assert actor is not None
        return actor.name, actor.handle

    def texts(self) -> list[str]:
        return sorted(item.content.text for item in self.items())

    def times(self) -> dict[str, datetime]:
        with self.container.store.reading() as tx:
            return tx.polling.pushes.times(NAMES)

    def put_time(self, name: str, at: datetime) -> None:
        with self.container.store.writing() as tx:
            tx.polling.pushes.put_times({name: at})

    def publish(self, words: str, did: str = ADA) -> dict[str, Any]:
        """Publish a post on both servers."""
        post = self.view.post(words, did)
        self.stream.commit("create", post["uri"], post["record"])
        return post

    def delete(self, uri: str, *, late: bool = False) -> None:
        """Delete a record; `late`: the AppView still has it."""
        if not late:
            self.view.delete(uri)
        self.stream.delete(uri)

    def is_removed(self, key: str) -> bool:
        return bool(self.rows(f"SELECT 1 FROM gone_key WHERE key = 'bluesky:{key}'"))


@pytest.fixture
def installation(view: AppView, stream: Jetstream, store: Store, tmp_path: Path) -> Iterator[Installation]:
    url = store.engine.url.render_as_string(hide_password=False)
    installation = Installation(view, stream, tmp_path, url)
    yield installation
    for container in installation.containers:
        container.close()


def now() -> datetime:
    return datetime.now(UTC)


def given(reader: Reader) -> str:
    return "".join(reader.ask(path).text for path in OUTPUTS)


# New posts


def test_a_new_post_is_polled_at_the_next_tick_once(installation: Installation) -> None:
    installation.follow("@ada.example", "@bob.example")
    installation.listen()
    assert installation.tick() == 0
    installation.publish("News")
    until(lambda: installation.asked() == 1)
    assert installation.tick() == 1
    assert installation.texts() == ["News"]
    repost = installation.view.repost(installation.view.items[0]["post"], BOB)
    installation.stream.commit("create", repost["reason"]["uri"])
    until(lambda: installation.asked() == 1)
    assert installation.tick() == 1
    assert len(installation.rows("SELECT 1 FROM activity")) == 2


def test_many_events_of_an_account_cause_one_poll(installation: Installation) -> None:
    installation.follow("@ada.example", "@bob.example")
    installation.listen()
    for number in range(40):
        installation.publish(f"News {number}", (ADA, BOB)[number % 2])
    before = installation.view.hits["app.bsky.feed.getAuthorFeed"]
    until(lambda: sum(len(subscriber.dids) for subscriber in installation.stream.subscribers) == 2)
    until(lambda: installation.tick() >= 0 and len(installation.items()) == 40)
    assert installation.view.hits["app.bsky.feed.getAuthorFeed"] - before <= 10


def test_a_post_that_the_appview_has_late_is_polled_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced_posts, "AGES", (0.3,) * 100)  # however slow this test is
    installation.follow("@ada.example")
    installation.listen()
    post = installation.view.view("Late")
    installation.stream.commit("create", post["uri"], post["record"])
    until(lambda: installation.asked() == 1)
    installation.tick()
    assert installation.texts() == []
    installation.view.items.append({"post": post})
    until(lambda: installation.tick() == 1)
    assert installation.texts() == ["Late"]
    until(lambda: installation.tick() == 0)


def test_polls_are_rare_while_posts_are_pushed_and_usual_again_when_the_stream_ends(installation: Installation) -> None:
    installation.follow("@ada.example")
    installation.listen()
    [(reason,)] = installation.rows("SELECT due_reason FROM source")
    assert SLOWED in reason
    installation.container.close()
    until(lambda: installation.stream.subscribers == [])
    installation.container = installation.another()
    assert installation.tick() == 0  # for it may come back
    installation.put_time(NAMES.alive, now() - timedelta(minutes=2))
    assert installation.tick() == 1
    assert NAMES.alive not in installation.times()
    [(reason,)] = installation.rows("SELECT due_reason FROM source")
    assert SLOWED not in reason


# Deletions


@pytest.mark.parametrize("what", ["post", "repost"])
def test_a_deletion_leaves_every_output_within_seconds_and_stays_away(installation: Installation, what: str) -> None:
    view = installation.view
    doomed = view.post("Doomed words", BOB if what == "repost" else ADA)
    view.post("Stays")
    repost = view.repost(doomed, ADA if what == "repost" else BOB)
    installation.follow("@ada.example", *([] if what == "repost" else ["@bob.example"]))
    installation.listen()
    app = app_of(installation.container.store, embeddable=frozenset({"bluesky"}))
    uri = repost["reason"]["uri"] if what == "repost" else doomed["uri"]
    with serving(app, watching=True) as reader:
        until(lambda: "Doomed words" in given(reader))
        installation.delete(uri, late=True)
        seconds = until(lambda: "Doomed" not in given(reader))
        assert given(reader).count("Stays") >= len(OUTPUTS) - 1
        assert seconds < 10
        installation.poll()  # an AppView that is late
        assert "Doomed" not in given(reader)
    stored = [str(row) for name in ("activity", "raw_payload") for row in installation.rows(f"SELECT * FROM {name}")]
    assert "Doomed" not in json.dumps(stored)
    [(detail,)] = installation.rows("SELECT detail FROM audit WHERE what = 'post gone'")
    assert "pushed" in str(detail)


def test_a_deletion_that_comes_before_its_post_keeps_it_out_without_an_audit_entry(installation: Installation) -> None:
    installation.follow("@ada.example")
    installation.listen()
    post = installation.publish("Never to be shown")
    installation.delete(post["uri"], late=True)
    until(lambda: installation.is_removed(post["uri"]))
    installation.poll()
    assert installation.items() == []
    assert installation.rows("SELECT 1 FROM audit WHERE what = 'post gone'") == []


def test_a_flood_of_deletions_takes_few_transactions(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    withdraw = takedowns.withdraw_posts

    def counted(tx: Any, posts: Any, *rest: Any) -> Any:
        calls.append(len(posts))
        return withdraw(tx, posts, *rest)

    monkeypatch.setattr(push_events, "withdraw_posts", counted)
    installation.follow("@ada.example")
    installation.listen()
    uris = [f"at://{ADA}/app.bsky.feed.post/3kold{number}" for number in range(1000)]
    for uri in uris:
        installation.stream.delete(uri)
    until(lambda: installation.is_removed(uris[-1]))
    assert sum(calls) == 1000
    assert len(calls) < 100


# Accounts


@pytest.mark.parametrize("status", ["deleted", "deactivated", "suspended", "takendown"])
def test_a_removed_account_leaves_every_output_and_may_return_with_new_posts(
    installation: Installation, status: str
) -> None:
    view = installation.view
    doomed = view.post("Doomed words")
    view.repost(doomed, BOB)
    view.post("Stays", BOB)
    installation.follow("@ada.example", "@bob.example")
    installation.listen()
    app = app_of(installation.container.store, embeddable=frozenset({"bluesky"}))
    with serving(app, watching=True) as reader:
        until(lambda: "Doomed words" in given(reader))
        view.post("Doomed later")  # announced by nothing, and unknown to us
        installation.stream.account(ADA, status)
        until(lambda: "Doomed" not in given(reader))
        installation.poll()  # an AppView that is late
        assert "Doomed" not in given(reader)
        assert "Stays" in given(reader)
        assert installation.is_removed(f"@{ADA}")
        installation.stream.account(ADA)
        until(lambda: not installation.is_removed(f"@{ADA}"))
        installation.publish("Back again")
        until(lambda: installation.tick() >= 0 and "Back again" in installation.texts())
        assert "Doomed words" not in given(reader)


def test_an_account_that_has_returned_meanwhile_keeps_its_posts(installation: Installation) -> None:
    installation.follow("@ada.example")
    installation.put_time(NAMES.position, now() - timedelta(minutes=1))
    installation.publish("Before")
    installation.stream.account(ADA, "deactivated")
    installation.stream.account(ADA)
    installation.publish("After")
    installation.poll()
    start_listening(installation.container)
    until(lambda: installation.asked() == 1)
    installation.publish("Now")
    until(lambda: installation.tick() >= 0 and installation.texts() == ["After", "Before", "Now"])
    assert not installation.is_removed(f"@{ADA}")


def test_an_account_whose_return_was_missed_is_found_by_its_profile(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_events, "_CHECKED_AGAIN", timedelta())
    installation.follow("@ada.example", "@bob.example")
    installation.listen()
    installation.view.absent.add(BOB)
    for did in (ADA, BOB):
        installation.stream.account(did, "deactivated")
        until(partial(installation.is_removed, f"@{did}"))
    monkeypatch.setattr(push_listener, "_CHECK_REMOVED_EVERY", 0.1)
    until(lambda: not installation.is_removed(f"@{ADA}"))
    assert installation.is_removed(f"@{BOB}")


@pytest.mark.parametrize("event", ["identity", "profile"])
def test_an_edited_profile_renews_name_handle_and_address(installation: Installation, event: str) -> None:
    installation.view.post("Words")
    installation.follow("@ada.example")
    installation.listen()
    installation.container.profiles.run()
    assert installation.author() == ("Ada", "ada.example")
    installation.view.accounts[ADA].update(handle="new.example", displayName="New name")
    if event == "identity":
        installation.stream.identity(ADA, "new.example")
    else:
        installation.stream.profile(ADA)

    def is_renewed() -> bool:
        installation.container.profiles.run()
        return installation.author() == ("New name", "new.example")

    until(is_renewed)
    assert installation.rows("SELECT address FROM source") == [("@new.example",)]


# Connections


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
        until(lambda: installation.asked() == 1)
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
        until(lambda: installation.asked() == 1)
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
