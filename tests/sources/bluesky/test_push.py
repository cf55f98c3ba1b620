"""Test pushed events of Bluesky from a Jetstream server to every output, over real HTTP and on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.cli.listen import start_listening
from aggregator.domain.polling.pushes import SLOWED
from aggregator.services import push_events, push_listener, takedowns
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until
from tests.sources.bluesky.server import ADA, BOB

if TYPE_CHECKING:
    from tests.reader.serving import Reader
from tests.sources.bluesky.push_installation import NAMES, Installation, now

OUTPUTS = (
    *("/", "/feed.rss", "/feed.atom", "/feed.json", "/feed.as2?page=first", "/embed", "/embed/items"),
    *("/api/v1/activities", "/api/v1/activities?q=doomed", "/api/v1/changes?limit=1000"),
)


def given(reader: Reader) -> str:
    return "".join(reader.ask(path).text for path in OUTPUTS)


# Polls


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
