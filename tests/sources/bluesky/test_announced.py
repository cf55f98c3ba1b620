"""Test posts that Jetstream announces, which are stored without polls, over real HTTP and on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from aggregator.cli.listen import start_listening
from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import PausedError
from aggregator.services import announced_lookups, push_events
from aggregator.sources.bluesky.plugin import Bluesky
from tests.reader.serving import until
from tests.sources.bluesky.push_installation import NAMES, now
from tests.sources.bluesky.server import ADA, BOB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.source_api.kind import PollContext
    from aggregator.source_api.push import AccountChanged
    from tests.sources.bluesky.push_installation import Installation

AUTHOR_FEED, POSTS = "app.bsky.feed.getAuthorFeed", "app.bsky.feed.getPosts"


def count(installation: Installation, table: str = "activity") -> int:
    return len(installation.rows(f"SELECT 1 FROM {table}"))


def test_new_posts_and_reposts_are_stored_without_a_poll_and_as_a_poll_stores_them(installation: Installation) -> None:
    installation.follow("@ada.example", "@bob.example")
    installation.listen()
    polls = installation.view.hit(AUTHOR_FEED)
    post = installation.publish("News")
    until(lambda: installation.texts() == ["News"])
    repost = installation.view.repost(post, BOB)
    installation.stream.commit("create", repost["reason"]["uri"], {"subject": {"uri": post["uri"], "cid": "bafy"}})
    until(lambda: count(installation) == 2)
    [item] = [item for item in installation.items() if item.content.kind is ActivityKind.REPOST]
    assert item.content.actor is not None
    assert (item.content.actor.handle, item.key) == ("bob.example", f"bluesky:{repost['reason']['uri']}")
    assert item.object is not None
    assert item.object.content.text == "News"
    assert (installation.tick(), installation.view.hit(AUTHOR_FEED)) == (0, polls)
    before = installation.rows("SELECT id, entry_digest FROM activity ORDER BY id")
    installation.poll()
    assert installation.rows("SELECT id, entry_digest FROM activity ORDER BY id") == before
    assert count(installation, "activity_version") == 0


def test_many_posts_are_looked_up_together(installation: Installation) -> None:
    installation.follow("@ada.example", "@bob.example")
    installation.listen()
    polls = installation.view.hit(AUTHOR_FEED)
    for number in range(200):
        installation.publish(f"News {number:03}", (ADA, BOB)[number % 2])
    until(lambda: count(installation) == 200)
    assert installation.view.hit(AUTHOR_FEED) == polls
    assert installation.view.hit(POSTS) <= 40


def test_the_next_poll_counts_what_was_pushed(installation: Installation) -> None:
    installation.view.post("First")
    installation.follow("@ada.example")
    installation.listen()
    for number in range(3):
        installation.publish(f"News {number}")
    until(lambda: count(installation) == 4)
    installation.poll()
    [(new,)] = installation.rows("SELECT new FROM fetch_log ORDER BY id DESC LIMIT 1")
    assert new == 3
    [(last_new, last_polled)] = installation.rows("SELECT last_new, last_polled FROM source")
    assert last_new == last_polled
    installation.poll()
    [(new,)] = installation.rows("SELECT new FROM fetch_log ORDER BY id DESC LIMIT 1")
    assert new == 0


def test_a_post_that_the_appview_has_late_is_looked_up_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced_lookups, "LOOKS", (0.0, 2.0))
    installation.follow("@ada.example")
    installation.listen()
    post = installation.view.view("Late")
    installation.stream.commit("create", post["uri"], post["record"])
    until(lambda: installation.view.hit(POSTS) == 1)
    installation.view.items.append({"post": post})
    until(lambda: installation.texts() == ["Late"])
    assert installation.asked() == 0


def test_a_post_that_the_appview_never_has_is_left_to_a_poll(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced_lookups, "LOOKS", (0.0, 0.1))
    installation.follow("@ada.example")
    installation.listen()
    post = installation.view.view("Never")
    installation.stream.commit("create", post["uri"], post["record"])
    until(lambda: installation.asked() == 1)
    assert installation.tick() == 1
    assert installation.texts() == []


@pytest.mark.parametrize("broken", [True, False])
def test_an_appview_that_fails_or_answers_something_else_loses_no_post(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    monkeypatch.setattr(announced_lookups, "_AFTER_FAILURE", 0.1)
    installation.follow("@ada.example")
    installation.listen()
    if broken:
        installation.view.broken.add(POSTS)
    else:
        installation.view.answers[POSTS] = {"posts": "none"}
    installation.publish("News")
    if broken:
        until(lambda: installation.view.hit(POSTS) >= 2)
        installation.view.broken.clear()
        until(lambda: installation.texts() == ["News"])
        assert installation.asked() == 0
    else:
        until(lambda: installation.asked() == 1)
        installation.tick()
        assert installation.texts() == ["News"]


def test_the_position_waits_for_the_posts_before_it(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = True
    usual = Bluesky.announced

    async def announced(self: Bluesky, events: Sequence[AccountChanged], context: PollContext) -> Sequence[NewActivity]:
        if paused:
            raise PausedError("for this test", until=None)
        return await usual(self, events, context)

    monkeypatch.setattr(Bluesky, "announced", announced)
    monkeypatch.setattr(announced_lookups, "_AFTER_FAILURE", 0.1)
    monkeypatch.setattr(push_events, "_POSITION_EVERY", 0.0)
    installation.follow("@ada.example")
    installation.put_time(NAMES.position, before := now())
    start_listening(installation.container)
    until(lambda: installation.stream.connections == 1)
    installation.publish("News")
    installation.stream.account(ADA)
    until(lambda: installation.asked() == 1)  # the event after it is applied
    installation.stream.close()
    until(lambda: len(installation.stream.queries) == 2)
    assert (installation.texts(), installation.times()[NAMES.position]) == ([], before)
    paused = False
    until(lambda: installation.texts() == ["News"])


def test_a_source_gets_only_what_its_polls_would_store(installation: Installation) -> None:
    installation.view.post("First")
    installation.follow("@ada.example", exclude=["replies", "reposts"])
    installation.follow("@bob.example")
    installation.listen()
    other = installation.publish("Other", BOB)
    until(lambda: installation.texts() == ["First", "Other"])
    reference = {"uri": other["uri"], "cid": "bafy"}
    reply: dict[str, Any] = {"record": {"reply": {"parent": reference, "root": reference}}}
    answer = installation.view.post("Answer", **reply)
    repost = installation.view.repost(other)
    installation.stream.commit("create", answer["uri"], answer["record"])
    installation.stream.commit("create", repost["reason"]["uri"], {"subject": reference})
    installation.publish("Own")
    until(lambda: "Own" in installation.texts())
    installation.poll()
    assert installation.texts() == ["First", "Other", "Own"]
    assert count(installation) == 3


@pytest.mark.parametrize("what", ["hidden account", "hidden post"])
def test_what_moderators_hide_later_is_withdrawn_by_the_next_poll(installation: Installation, what: str) -> None:
    installation.follow("@ada.example")
    installation.listen()
    post = installation.publish("News")
    until(lambda: installation.texts() == ["News"])
    (post if what == "hidden post" else post["author"])["labels"] = [{"val": "!takedown", "src": "did:plc:mod"}]
    installation.poll()
    assert installation.texts() == []


def test_rules_and_policies_apply_to_announced_posts(installation: Installation) -> None:
    installation.follow("@ada.example", "@bob.example")
    with installation.container.store.writing() as tx:
        source = tx.polling.sources.get("bob")
        assert source is not None
        tx.polling.sources.change(source.id, policy="hold")
    installation.listen()
    installation.publish("Shown")
    installation.publish("Waits", BOB)
    until(lambda: count(installation) == 2)
    assert installation.texts() == ["Shown"]


def test_more_posts_than_may_wait_are_left_to_polls(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced_lookups, "MOST_WAITING", 5)
    monkeypatch.setattr(announced_lookups, "_AFTER_FAILURE", 0.1)
    installation.view.broken.add(POSTS)
    installation.follow("@ada.example")
    installation.listen()
    for number in range(20):
        installation.publish(f"News {number:02}")
    until(lambda: installation.asked() == 1)
    installation.view.broken.clear()
    until(lambda: installation.tick() >= 0 and count(installation) == 20)


def test_posts_that_are_sent_again_are_looked_up_once_and_waiting_ones_survive_a_reconnection(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced_lookups, "_AFTER_FAILURE", 0.1)
    installation.follow("@ada.example")
    installation.listen()
    installation.publish("Stored")
    until(lambda: installation.texts() == ["Stored"])
    looks = installation.view.hit(POSTS)
    installation.stream.disconnect()
    until(lambda: len(installation.stream.queries) == 2 and installation.stream.connections == 1)
    installation.view.broken.add(POSTS)
    installation.publish("Waits")
    until(lambda: installation.view.hit(POSTS) > looks)
    installation.stream.disconnect()
    until(lambda: len(installation.stream.queries) == 3 and installation.stream.connections == 1)
    installation.view.broken.clear()
    until(lambda: installation.texts() == ["Stored", "Waits"])
    stored, waits = (row[0] for row in installation.rows("SELECT native_id FROM activity ORDER BY id"))
    requests = unquote(" ".join(installation.view.queries))
    assert requests.count(stored) == 1
    assert requests.count(waits) > 1


def test_a_post_that_was_deleted_before_its_lookup_causes_no_poll(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced_lookups, "LOOKS", (0.0, 0.2))
    installation.follow("@ada.example")
    installation.listen()
    post = installation.view.view("Doomed")
    installation.stream.commit("create", post["uri"], post["record"])
    installation.stream.delete(post["uri"])
    until(lambda: installation.is_removed(post["uri"]))
    installation.publish("Next")
    until(lambda: installation.texts() == ["Next"])
    assert installation.asked() == 0
