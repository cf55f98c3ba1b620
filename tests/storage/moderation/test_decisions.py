"""Test decisions: made once, reported correctly, always undone, with edits of approved items."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Link,
    Review,
    ScheduledTransition,
)
from aggregator.domain.matching.edit_decisions import EditPolicy
from aggregator.domain.moderation.decisions import Decided, DecisionAction
from aggregator.domain.source import OnEdit, Policy
from aggregator.services.screen_entries import screened
from aggregator.text.urls import web_key
from storage.tables.moderation import audit, held_edit
from storage.tables.stream import transition
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from aggregator.domain.activity import Activity
    from aggregator.domain.source import Source
    from storage.store import Store

MINUTE = timedelta(minutes=1)


def held_items(store: Store, count: int, **changes: Any) -> list[int]:
    source = add_source(store, policy=Policy.HOLD, **changes)
    ingest_now(store, source, [an_activity(f"n{n}") for n in range(count)])
    with store.reading() as tx:
        known = tx.stream.activities.known(source.id, [f"n{n}" for n in range(count)])
    return [known[f"n{n}"].id for n in range(count)]


def decide(store: Store, seen: dict[int, int | None], verb: DecisionAction, who: str = "ana", **more: Any) -> Decided:
    with store.writing() as tx:
        return tx.moderation.decisions.decide(seen, verb, who=who, now=more.pop("now", NOON), **more)


def item(store: Store, id_: int) -> Activity:
    with store.reading() as tx:
        found = tx.stream.activities.get(id_)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("verb", "review"),
    [(DecisionAction.APPROVE, "published"), (DecisionAction.HIDE, "hidden"), (DecisionAction.RETURN, "waiting")],
)
def test_a_decision_is_kept_with_who_and_why_and_undone(store: Store, verb: DecisionAction, review: str) -> None:
    (id_,) = held_items(store, 1)
    before = item(store, id_)

    done = decide(store, {id_: before.revision}, verb, reason="because")
    after = item(store, id_)
    with store.writing() as tx:
        undone = tx.moderation.decisions.undo(done.batch, who="ana", now=NOON + MINUTE)
    back = item(store, id_)

    assert (done.done, undone.done) == ([id_], [id_])
    assert (after.review, after.reviewer, after.review_reason, after.reviewed) == (review, "ana", "because", NOON)
    assert after.visible is (review == "published")
    assert (back.review, back.review_by, back.review_reason) == ("waiting", "policy", before.review_reason)
    assert back.reviewer is None
    assert before.revision < after.revision < back.revision


def test_what_the_clock_was_to_do_comes_back_with_an_undo(store: Store) -> None:
    (id_,) = held_items(store, 1)
    with store.writing() as tx:
        tx.moderation.reviews.decide_at([id_], Review.PUBLISHED, by="policy", reason="in time", due=NOON + MINUTE)

    done = decide(store, {id_: None}, DecisionAction.HIDE)
    with store.engine.connect() as connection:
        called_off = connection.execute(select(transition)).all()
    with store.writing() as tx:
        tx.moderation.decisions.undo(done.batch, who="ana", now=NOON)
    with store.writing() as tx:
        tx.moderation.reviews.apply_due(NOON + 2 * MINUTE)

    assert called_off == []
    assert item(store, id_).visible


def test_who_comes_second_is_told_who_was_first(store: Store) -> None:
    (id_,) = held_items(store, 1)
    seen = item(store, id_).revision
    decide(store, {id_: seen}, DecisionAction.HIDE, "ben")

    late = decide(store, {id_: seen}, DecisionAction.APPROVE, now=NOON + timedelta(seconds=5))

    assert late.done == []
    assert late.missed == {id_: f"ben hid item {id_} 5 s ago."}
    assert item(store, id_).review is Review.HIDDEN


def test_an_edit_in_between_is_told_as_what_it_is(store: Store) -> None:
    source = add_source(store, policy=Policy.HOLD)
    ingest_now(store, source, [an_activity("1")])
    seen = item(store, 1).revision
    ingest_now(store, source, [an_activity("1", text="Other words.")])

    late = decide(store, {1: seen}, DecisionAction.APPROVE)

    assert late.missed == {1: "Item 1 has changed at its source; review it again."}


def test_two_who_decide_the_same_at_once_lose_and_double_nothing(store: Store) -> None:
    ids = held_items(store, 100)
    seen: dict[int, int | None] = {id_: item(store, id_).revision for id_ in ids}
    decisions: dict[str, list[Decided]] = {"ana": [], "ben": []}
    ready = threading.Barrier(2)

    def work(who: str, verb: DecisionAction, order: list[int]) -> None:
        ready.wait()
        for start in range(0, len(order), 5):
            some = {id_: seen[id_] for id_ in order[start : start + 5]}
            decisions[who].append(decide(store, some, verb, who))

    threads = [
        threading.Thread(target=work, args=("ana", DecisionAction.APPROVE, ids)),
        threading.Thread(target=work, args=("ben", DecisionAction.HIDE, ids[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    done = {who: {id_ for decision in all_ for id_ in decision.done} for who, all_ in decisions.items()}
    missed = {who: {id_ for decision in all_ for id_ in decision.missed} for who, all_ in decisions.items()}
    assert done["ana"] | done["ben"] == set(ids)
    assert not done["ana"] & done["ben"]
    assert missed == {"ana": done["ben"], "ben": done["ana"]}
    assert all("ben hid item" in why for decision in decisions["ana"] for why in decision.missed.values())
    for id_ in ids:
        stored = item(store, id_)
        assert stored.reviewer == ("ana" if id_ in done["ana"] else "ben")
        assert stored.visible is (id_ in done["ana"])
    with store.reading() as tx:
        assert tx.moderation.audit.verify().why == ""
        assert len(tx.moderation.audit.page(limit=1000)) == 100


def test_an_undo_leaves_alone_what_somebody_decided_since(store: Store) -> None:
    first, second = held_items(store, 2)
    done = decide(store, {first: None, second: None}, DecisionAction.APPROVE)
    decide(store, {second: None}, DecisionAction.HIDE, "ben")

    with store.writing() as tx:
        undone = tx.moderation.decisions.undo(done.batch, who="ana", now=NOON + MINUTE)

    assert undone.done == [first]
    assert "ben hid item" in undone.missed[second]
    assert item(store, second).review is Review.HIDDEN


def test_undo_goes_back_one_decision_after_the_other(store: Store) -> None:
    first, second = held_items(store, 2)
    decide(store, {first: None}, DecisionAction.APPROVE)
    decide(store, {second: None}, DecisionAction.HIDE, now=NOON + MINUTE)

    for _ in range(2):
        with store.writing() as tx:
            latest = tx.moderation.decisions.latest("ana")
            assert latest is not None
            tx.moderation.decisions.undo(latest["batch"], who="ana", now=NOON + 2 * MINUTE)

    assert {item(store, id_).review for id_ in (first, second)} == {Review.WAITING}
    with store.writing() as tx:
        assert tx.moderation.decisions.latest("ana") is None


def test_a_pin_shows_until_its_time(store: Store) -> None:
    (id_,) = held_items(store, 1)
    decide(store, {id_: None}, DecisionAction.PIN, until=NOON + MINUTE)
    pinned = item(store, id_)

    with store.writing() as tx:
        assert tx.moderation.reviews.apply_unpinning(NOON) == 0
        assert tx.moderation.reviews.apply_unpinning(NOON + MINUTE) == 1

    assert (pinned.visible, pinned.pinned_until) == (True, NOON + MINUTE)
    assert (item(store, id_).visible, item(store, id_).pinned_until) == (True, None)


def test_editors_words_stand_beside_and_change_nothing(store: Store) -> None:
    (id_,) = held_items(store, 1)
    before = item(store, id_)

    with store.writing() as tx:
        tx.moderation.decisions.write(id_, before.revision, "Ours", None, who="ana", now=NOON)

    after = item(store, id_)
    assert (after.headline, after.note) == ("Ours", None)
    assert after.content == before.content
    assert after.review is Review.WAITING


def test_hand_outs_never_overlap_and_run_out(store: Store) -> None:
    ids = held_items(store, 5)
    with store.writing() as tx:
        ana = tx.moderation.decisions.hand_out("ana", 3, NOON, NOON + MINUTE)
        ben = tx.moderation.decisions.hand_out("ben", 3, NOON, NOON + MINUTE)
        late = tx.moderation.decisions.hand_out("cem", 3, NOON + 2 * MINUTE, NOON + 3 * MINUTE)

    assert (ana, ben, late) == (ids[:3], ids[3:], ids[:3])


def approved(store: Store, on_edit: OnEdit, **content: Any) -> tuple[Source, int]:
    source = add_source(store, policy=Policy.HOLD)
    with store.writing() as tx:
        tx.polling.sources.change(source.id, on_edit=on_edit.value)
    ingest_now(store, source, [an_activity("1", text="First words.", **content)])
    decide(store, {1: None}, DecisionAction.APPROVE)
    return source, 1


def poll(
    store: Store, source: Source, on_edit: OnEdit, text: str, *, always_show: bool = False, **content: Any
) -> None:
    with store.writing() as tx:
        screening = screened(an_activity("1", text=text, **content), source.policy, NOON)
        tx.stream.activities.store(source.id, [screening], NOON, edit_policy=EditPolicy(on_edit, always_show))


def test_an_approved_item_keeps_its_words_until_the_new_ones_are_taken(store: Store) -> None:
    source, id_ = approved(store, OnEdit.STAY)

    poll(store, source, OnEdit.STAY, "Second words.")
    poll(store, source, OnEdit.STAY, "Second words.")
    waiting = item(store, id_)
    done = decide(store, {id_: waiting.revision}, DecisionAction.APPROVE)
    taken = item(store, id_)
    with store.writing() as tx:
        tx.moderation.decisions.undo(done.batch, who="ana", now=NOON + MINUTE)
    back = item(store, id_)

    assert (waiting.content.text, waiting.visible) == ("First words.", True)
    assert (taken.content.text, taken.visible) == ("Second words.", True)
    assert (back.content.text, back.visible) == ("First words.", True)
    with store.reading() as tx:
        assert id_ in tx.moderation.pending_edits.waiting([id_])


def test_a_declined_edit_is_not_asked_about_twice(store: Store) -> None:
    source, id_ = approved(store, OnEdit.STAY)
    poll(store, source, OnEdit.STAY, "Second words.")
    decide(store, {id_: None}, DecisionAction.KEEP)

    poll(store, source, OnEdit.STAY, "Second words.")
    with store.reading() as tx:
        quiet = tx.moderation.pending_edits.waiting([id_])
    poll(store, source, OnEdit.STAY, "Third words.")
    with store.reading() as tx:
        again = tx.moderation.pending_edits.waiting([id_])

    assert quiet == {}
    assert again[id_].screened.new.content.text == "Third words."
    assert item(store, id_).content.text == "First words."


def test_an_edit_that_its_publisher_takes_back_waits_no_more(store: Store) -> None:
    source, id_ = approved(store, OnEdit.STAY)
    poll(store, source, OnEdit.STAY, "Second words.")
    poll(store, source, OnEdit.STAY, "First words.")

    with store.reading() as tx:
        assert tx.moderation.pending_edits.waiting([id_]) == {}


def test_by_the_other_policy_an_edited_item_comes_back_and_is_not_shown(store: Store) -> None:
    source, id_ = approved(store, OnEdit.RETURN)

    poll(store, source, OnEdit.RETURN, "Second words.")

    stored = item(store, id_)
    assert (stored.content.text, stored.review, stored.visible) == ("Second words.", Review.WAITING, False)
    assert "after it was approved" in stored.review_reason


def test_edits_always_replace_where_the_kind_of_source_says_so(store: Store) -> None:
    post = {"kind": ActivityKind.POST, "network": "x", "title": None}
    source, id_ = approved(store, OnEdit.STAY, **post)

    poll(store, source, OnEdit.STAY, "Second words.", always_show=True, **post)

    assert (item(store, id_).content.text, item(store, id_).visible) == ("Second words.", True)


def test_what_goes_takes_the_edits_that_wait_with_it(store: Store) -> None:
    source, _ = approved(store, OnEdit.STAY)
    poll(store, source, OnEdit.STAY, "Second words.")
    with store.writing() as tx:
        tx.stream.activities.withdraw_all(source.id, "gone", NOON)

    with store.engine.connect() as connection:
        assert connection.execute(select(held_edit)).all() == []


def test_the_history_holds_no_words_of_others(store: Store) -> None:
    source, id_ = approved(store, OnEdit.STAY)
    poll(store, source, OnEdit.STAY, "Second words.")
    decide(store, {id_: None}, DecisionAction.APPROVE)

    with store.engine.connect() as connection:
        rows = str(connection.execute(select(audit)).all())
    assert "words" not in rows.replace("the edit was approved", "")


def test_posts_and_articles_about_one_link_find_each_other(store: Store) -> None:
    news = add_source(store, "news")
    posts = add_source(store, "posts", "twitter")
    ingest_now(store, news, [an_activity("a", url="https://news.example/plan")])
    link = Link("https://news.example/plan?utm_source=x")
    key = web_key(link.url)
    post = an_activity("p", kind=ActivityKind.POST, network="x", links=(link,), actor=Actor("x", "1", "Ana"))
    ingest_now(store, posts, [post])
    with store.engine.begin() as connection:  # the builder's key is not made of the address
        connection.exec_driver_sql(f"UPDATE activity SET key = '{key}' WHERE id = 1")
    with store.reading() as tx:
        related = tx.stream.stories.related([1, 2])

    assert [item.id for item in related[1]] == [2]
    assert [item.id for item in related[2]] == [1]


def test_what_comes_late_by_the_clock_is_kept_with_what_comes(store: Store) -> None:
    source = add_source(store, policy=Policy.HOLD)
    activity = replace(
        screened(an_activity("1"), Policy.HOLD, NOON),
        later=ScheduledTransition(NOON + MINUTE, Review.PUBLISHED, "policy", "in time"),
    )
    with store.writing() as tx:
        tx.stream.activities.store(source.id, [activity], NOON)
    with store.writing() as tx:
        assert tx.moderation.reviews.apply_due(NOON + MINUTE) == 1
    assert (item(store, 1).visible, item(store, 1).review_reason) == (True, "in time")


def test_a_later_decision_calls_the_clock_off(store: Store) -> None:
    (id_,) = held_items(store, 1)
    with store.writing() as tx:
        tx.moderation.reviews.decide_at([id_], Review.PUBLISHED, by="policy", reason="in time", due=NOON + MINUTE)
    decide(store, {id_: None}, DecisionAction.HIDE)
    with store.writing() as tx:
        assert tx.moderation.reviews.apply_due(NOON + MINUTE) == 0
    assert not item(store, id_).visible
