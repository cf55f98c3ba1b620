"""Test pushed events against a simulated X: deletions leave every output at once, new posts are polled at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import JSONResponse

from aggregator.cli.listen import start_listening
from aggregator.domain.errors import StoreUnavailableError
from aggregator.domain.polling.pushes import stream_names
from aggregator.services import push_events, push_listener
from aggregator.services.ingest import PUSHED_INTERVAL
from aggregator.services.takedowns import withdraw_posts
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until
from tests.x.following import Following
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from threading import Thread

    from aggregator.demo.world import Account
    from storage.store import Store
    from tests.reader.serving import Reader

    Opener = Callable[..., Following]

OUTPUTS = (
    *("/", "/feed.rss", "/feed.atom", "/feed.json", "/feed.as2?page=first", "/embed", "/embed/items"),
    *("/api/v1/activities", "/api/v1/activities?q=doomed", "/api/v1/changes?limit=1000"),
)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def x() -> Iterator[SimulatedUpstream]:
    with SimulatedUpstream(now, empty=True) as upstream:
        yield upstream


@pytest.fixture
def desk(x: SimulatedUpstream) -> Account:
    return x.world.add_account("desk_example")


@pytest.fixture
def opener(x: SimulatedUpstream, tmp_path: Path, store: Store) -> Iterator[Opener]:
    opened: list[Following] = []

    def open_(**settings: str) -> Following:
        url = store.engine.url.render_as_string(hide_password=False)
        settings = {"x_activity": "yes", "polls_per_minute": "100000", **settings}
        opened.append(Following(now, x.url, str(tmp_path), url, **settings))  # type: ignore[arg-type]  # a real clock
        return opened[-1]

    yield open_
    for following in opened:
        following.close()


@pytest.fixture
def following(opener: Opener, desk: Account) -> Following:
    """Give an installation that follows the account, with a post that stays."""
    del desk
    installation = opener()
    installation.follow("@desk_example")
    return installation


def listening(following: Following, x: SimulatedUpstream) -> Thread:
    """Start to listen, and wait for the connection and the polls that it requests."""
    thread = start_listening(following.container)
    until(lambda: x.x.activity.connections == 1 and is_asked(following))
    following.tick()
    return thread


def is_asked(following: Following) -> bool:
    """Return whether a poll of the source was requested."""
    return bool(following.rows("SELECT count(*) FROM source WHERE asked IS NOT NULL")[0][0])


def given(reader: Reader) -> str:
    return "".join(reader.ask(path).text for path in OUTPUTS)


def test_a_pushed_deletion_leaves_every_output_within_seconds_and_stays_away(
    x: SimulatedUpstream, desk: Account, following: Following
) -> None:
    other = x.world.add_account("other_desk")
    doomed = x.world.write(desk, "Doomed words")
    x.world.write(desk, "Stays")
    x.world.repost(other, doomed)
    following.follow("@other_desk")
    listening(following, x)
    following.poll()
    app = app_of(following.container.store, embeddable=frozenset({"x"}), clock=now)
    with serving(app, watching=True) as reader:
        until(lambda: "Doomed words" in given(reader))
        assert given(reader).count("Stays") >= len(OUTPUTS) - 1  # the search for the other word has no result
        x.world.delete(doomed)
        seconds = until(lambda: "Doomed" not in given(reader))
        assert "Stays" in given(reader)
        assert str(doomed.id) not in reader.ask("/api/v1/activities").text
        assert seconds < 10
        following.poll()
        assert "Doomed" not in given(reader)
    stored = [str(row) for name in ("activity", "raw_payload") for row in following.rows(f"SELECT * FROM {name}")]
    assert "Doomed" not in json.dumps(stored)
    [entry] = following.rows("SELECT detail FROM audit WHERE what = 'post gone'")
    assert "pushed" in str(entry)


def test_a_deletion_that_comes_before_its_post_was_polled_keeps_it_out(
    x: SimulatedUpstream, desk: Account, following: Following
) -> None:
    listening(following, x)
    post = x.world.write(desk, "Never to be shown")
    x.world.delete(post)
    until(lambda: bool(following.rows("SELECT key FROM gone_key")))
    x.world.deleted.clear()  # a slow part of X still answers with it
    following.poll()
    assert following.items() == []


def test_the_deletion_of_a_later_version_removes_the_edited_post(
    x: SimulatedUpstream, desk: Account, following: Following
) -> None:
    first = x.world.write(desk, "First words")
    later = x.world.edit(first, "Later words")
    listening(following, x)
    following.poll()
    assert [item.content.text for item in following.items()] == ["Later words"]
    x.world.delete(later)
    until(lambda: following.items() == [])


def test_a_new_post_is_polled_at_the_next_tick_and_paid_for_once(
    x: SimulatedUpstream, desk: Account, following: Following
) -> None:
    listening(following, x)
    assert following.tick() == 0
    before = following.ledger()
    x.world.write(desk, "News")
    until(lambda: is_asked(following))
    assert following.tick() == 1
    assert [item.content.text for item in following.items()] == ["News"]
    posts, dollars = following.ledger()[1] - before[1], following.ledger()[3] - before[3]
    assert (posts, round(dollars, 6)) == (1, 0.005)
    assert following.source("desk-example").poll.due_reason != "something new was pushed"


def test_polls_become_rare_while_posts_are_pushed_and_return_to_normal_after(
    x: SimulatedUpstream, desk: Account, following: Following
) -> None:
    listening(following, x)
    x.world.write(desk, "News")
    until(lambda: is_asked(following))
    following.tick()
    due = following.source("desk-example").poll.due
    assert due is not None
    assert due - now() > 0.9 * PUSHED_INTERVAL
    with following.container.store.writing() as tx:
        until_ = tx.compliance.claimed_until(stream_names("x").claim)
        assert until_ is not None
        tx.compliance.renew(stream_names("x").claim, until_, now() - timedelta(seconds=1))  # the listener died
    following.poll()
    due = following.source("desk-example").poll.due
    assert due is not None
    assert due - now() < 0.9 * PUSHED_INTERVAL


def test_an_account_that_is_added_later_is_subscribed_to(x: SimulatedUpstream, following: Following) -> None:
    x.x.activity.add("post.create", "7", "another program")
    listening(following, x)
    account = x.world.add_account("later_desk")
    following.follow("@later_desk")
    until(lambda: {("post.create", account.id), ("post.delete", account.id)} <= x.x.activity.subscriptions)
    with following.container.store.writing() as tx:
        source = tx.polling.sources.get("later-desk")
        assert source is not None
        tx.polling.sources.set_state(source.id, source.state.PAUSED, "", now())
    until(lambda: ("post.create", account.id) not in x.x.activity.subscriptions)
    assert ("post.create", "7") in x.x.activity.subscriptions


def test_many_accounts_are_subscribed_to_while_events_arrive(
    x: SimulatedUpstream, desk: Account, following: Following
) -> None:
    accounts = [x.world.add_account(f"desk_{number}") for number in range(12)]
    following.follow(*(f"@{account.username}" for account in accounts))
    listening(following, x)
    until(lambda: len(x.x.activity.subscriptions) == 2 * len([desk, *accounts]))


def test_one_process_listens_and_another_takes_over(
    x: SimulatedUpstream, desk: Account, opener: Opener, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_listener, "_CLAIM_AGAIN", 0.05)
    first = listening(following, x)
    second = opener()
    start_listening(second.container)
    x.world.write(desk, "News")
    until(lambda: is_asked(following))
    assert x.x.activity.connections == 1
    following.tick()
    following.container.close()
    first.join(10)
    until(lambda: x.x.activity.connections == 1 and is_asked(second))  # the polls that a new connection requests
    post = x.world.write(desk, "More news")
    x.world.delete(post)
    until(lambda: bool(second.rows("SELECT key FROM gone_key")))


def test_a_broken_connection_is_opened_again_and_what_was_missed_is_polled(
    x: SimulatedUpstream, following: Following, desk: Account
) -> None:
    listening(following, x)
    x.x.activity.send(None)
    until(lambda: x.x.activity.connections == 0)
    x.world.write(desk, "While away")
    until(lambda: x.x.activity.connections == 1 and is_asked(following))
    following.tick()
    assert [item.content.text for item in following.items()] == ["While away"]


def test_a_deletion_waits_for_a_database_that_is_away(
    x: SimulatedUpstream, desk: Account, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = x.world.write(desk, "Doomed words")
    listening(following, x)
    following.poll()
    failures: list[object] = []

    def failing(*arguments: Any, **options: Any) -> Any:
        if len(failures) < 3:
            failures.append(arguments)
            raise StoreUnavailableError("The database doesn't respond.")
        return withdraw_posts(*arguments, **options)

    monkeypatch.setattr(push_events, "_APPLY_AGAIN", 0.02)
    monkeypatch.setattr(push_events, "withdraw_posts", failing)
    x.world.delete(post)
    until(lambda: following.items() == [])
    assert len(failures) == 3


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_a_refused_connection_leaves_polls_alone_and_is_tried_again(
    x: SimulatedUpstream, following: Following, desk: Account, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_REFUSED_PAUSE", "_LONGEST_PAUSE", "_FIRST_PAUSE"):
        monkeypatch.setattr(push_listener, name, 0.05)
    x.x.activity.refusal = JSONResponse(
        {"title": "No", "detail": "no", "status": status}, status, {"x-rate-limit-reset": str(int(now().timestamp()))}
    )
    start_listening(following.container)
    until(lambda: len(x.x.activity.calls) >= 3)  # asked for its subscriptions, made both
    x.world.write(desk, "News")
    following.poll()
    assert [item.content.text for item in following.items()] == ["News"]
    x.x.activity.refusal = None
    until(lambda: x.x.activity.connections == 1)


def test_without_a_budget_for_posts_only_deletions_are_pushed(
    x: SimulatedUpstream, desk: Account, opener: Opener
) -> None:
    installation = opener(x_budget="0.02", x_reserve="0.5")  # the account itself took a cent
    installation.follow("@desk_example")
    start_listening(installation.container)
    until(lambda: x.x.activity.connections == 1)
    assert x.x.activity.subscriptions == {("post.delete", desk.id)}
