"""Test rules on stored items: decisions, counts, freezes, delays and previews."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from aggregator.domain.activity import ActivityKind, Actor, Link, Media, Poll, Review
from aggregator.domain.moderation.conditions import Condition, Field, Operator
from aggregator.domain.moderation.rule_preview import preview_rule, rulebook_with
from aggregator.domain.moderation.rules import Action, Rule
from aggregator.domain.polling.results import FetchResult
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened_all
from aggregator.services.store_result import store_result
from tests.building import NOON, add_source, an_activity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.activity import Activity, NewActivity
    from aggregator.domain.moderation.rule_preview import RulePreview
    from aggregator.domain.source import Source
    from storage.store import Store

CONTAINS, IS, MATCHES = Operator.CONTAINS, Operator.IS, Operator.MATCHES
CASINO = Condition(Field.TEXT, CONTAINS, "casino")


def add_rule(store: Store, action: Action, *conditions: Condition, **more: Any) -> int:
    with store.writing() as tx:
        return tx.moderation.rules.add(Rule(0, more.pop("name", "r"), action, conditions or (CASINO,), **more), NOON)


def bring(store: Store, source: Source, activities: Sequence[NewActivity], now: datetime) -> None:
    """Store the activities of a poll."""
    result = FetchResult(activities=activities)
    with store.writing() as tx:
        store_result(tx, source, result, screened_all(source, result, now), now=now, token="t", pace=None)


def brought(store: Store, source: Source, activities: Sequence[NewActivity], now: datetime = NOON) -> list[Activity]:
    """Store the activities of a poll and return them."""
    bring(store, source, activities, now)
    with store.reading() as tx:
        known = tx.stream.activities.known(source.id, [activity.native_id for activity in activities])
        found = [tx.stream.activities.get(known[activity.native_id].id) for activity in activities]
    return [item for item in found if item is not None]


def fresh(store: Store, slug: str) -> Source:
    with store.reading() as tx:
        found = tx.polling.sources.get(slug)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("action", "policy", "review"),
    [
        (Action.HIDE, Policy.AUTO, Review.HIDDEN),
        (Action.HOLD, Policy.AUTO, Review.WAITING),
        (Action.KEEP, Policy.HOLD, Review.PUBLISHED),
    ],
)
def test_a_rule_decides_on_what_comes(store: Store, action: Action, policy: Policy, review: Review) -> None:
    id_ = add_rule(store, action)
    source = add_source(store, policy=policy)

    hit, other = brought(store, source, [an_activity("1", text="A casino."), an_activity("2")])

    assert (hit.review, hit.review_rule, hit.review_by) == (review, id_, "rule")
    assert hit.review_reason == "rule “r”: the text contains “casino”"
    assert other.review_rule is None
    with store.reading() as tx:
        rule = tx.moderation.rules.get(id_)
    assert rule is not None
    assert (rule.acted, rule.last_acted) == (1, NOON)


def test_a_rule_tags_and_pins(store: Store) -> None:
    add_rule(store, Action.TAG, value="gambling")
    add_rule(store, Action.PIN, value="2")

    (hit,) = brought(store, add_source(store), [an_activity("1", text="A casino.")])

    assert hit.topics == ("gambling",)
    assert hit.pinned_until == NOON + timedelta(days=2)


def test_what_a_person_decided_beats_later_rules_and_edits(store: Store) -> None:
    source = add_source(store)
    brought(store, source, [an_activity("1")])
    add_rule(store, Action.HIDE)

    (same,) = brought(store, source, [an_activity("1", text="Now a casino.")])

    assert same.review is Review.PUBLISHED


def test_a_cap_lets_so_many_of_a_day_through(store: Store) -> None:
    add_rule(store, Action.HOLD, Condition(Field.DAILY_CAP, value="2"))
    source = add_source(store)

    first = brought(store, source, [an_activity(f"{n}") for n in range(3)])
    second = brought(store, source, [an_activity("x")], NOON + timedelta(hours=1))
    third = brought(store, source, [an_activity("y")], NOON + timedelta(days=1))

    states = [item.review.value for item in (*first, *second, *third)]
    assert states == ["published", "published", "waiting", "waiting", "published"]


def test_the_same_words_from_another_source_are_caught(store: Store) -> None:
    add_rule(store, Action.HIDE, Condition(Field.NEAR_DUPLICATE, value="24"))
    words = "The ministry published its new plan for open contracting in all regions of the country today."

    brought(store, add_source(store, "one"), [an_activity("1", title=None, text=words)])
    (again,) = brought(store, add_source(store, "two"), [an_activity("2", title=None, text=words + " Read more")])

    assert again.review is Review.HIDDEN


def test_a_delay_shows_what_nobody_objects_to(store: Store) -> None:
    source = replace(add_source(store, policy=Policy.DELAY), delay=timedelta(minutes=10))

    (item,) = brought(store, source, [an_activity("1")])
    with store.writing() as tx:
        early, due = (
            tx.moderation.reviews.apply_due(NOON + timedelta(minutes=9)),
            tx.moderation.reviews.apply_due(NOON + timedelta(minutes=10)),
        )

    assert item.review is Review.WAITING
    assert (early, due) == (0, 1)


def test_a_delay_shows_no_burst_that_is_kept_apart(store: Store) -> None:
    source = add_source(store, policy=Policy.DELAY)
    source = replace(source, delay=timedelta(minutes=10), poll=replace(source.poll, last_success=NOON, last_new=NOON))
    old = [an_activity(f"old-{n}", published=NOON - timedelta(days=300)) for n in range(25)]

    items = brought(store, source, old)
    with store.writing() as tx:
        applied = tx.moderation.reviews.apply_due(NOON + timedelta(hours=1))

    assert {item.review for item in items} == {Review.QUARANTINED}
    assert applied == 0


def test_what_was_hidden_with_its_source_is_not_shown_by_the_clock(store: Store) -> None:
    source = replace(add_source(store, policy=Policy.DELAY), delay=timedelta(minutes=10))
    brought(store, source, [an_activity("1")])
    with store.writing() as tx:
        assert tx.moderation.reviews.hide_source(source.id, by="person", reason="its source was removed", now=NOON) == 1
        assert tx.moderation.reviews.apply_due(NOON + timedelta(hours=1)) == 0


def test_trusted_authors_need_no_review(store: Store) -> None:
    source = replace(add_source(store, policy=Policy.HOLD), trusted=("jose", "News Desk"))
    handle = Actor("x", "1", "José", "Jose")
    pretender = Actor("x", "2", "jose", "somebody_else")

    items = brought(
        store, source, [an_activity("1", actor=handle), an_activity("2", actor=pretender), an_activity("3")]
    )

    assert [item.review.value for item in items] == ["published", "waiting", "published"]


def test_a_freeze_holds_and_its_end_shows(store: Store) -> None:
    add_rule(store, Action.HIDE)
    news, other = add_source(store, "one"), add_source(store, "other")
    until = NOON + timedelta(hours=2)
    with store.writing() as tx:
        tx.moderation.freezes.begin([news.id], until, "election", "ana", NOON)

    waiting, hidden = brought(store, news, [an_activity("1"), an_activity("2", text="casino")])
    (free,) = brought(store, other, [an_activity("1")])
    with store.writing() as tx:
        tx.moderation.reviews.apply_due(until - timedelta(seconds=1))
        waits = tx.stream.activities.get(waiting.id)
        tx.moderation.reviews.apply_due(until)
        shown = tx.stream.activities.get(waiting.id)

    assert (waiting.review_by, waiting.visible, hidden.review, free.visible) == ("freeze", False, Review.HIDDEN, True)
    assert "election" in waiting.review_reason
    assert [item.visible for item in (waits, shown) if item] == [False, True]


def test_a_thaw_shows_what_no_other_freeze_holds(store: Store) -> None:
    news, other = add_source(store, "one"), add_source(store, "other")
    with store.writing() as tx:
        (whole,) = tx.moderation.freezes.begin([None], NOON + timedelta(hours=2), "all", "ana", NOON)
        tx.moderation.freezes.begin([news.id], NOON + timedelta(hours=1), "one", "ana", NOON)
    (first,) = brought(store, news, [an_activity("1")])
    (second,) = brought(store, other, [an_activity("1")])

    with store.writing() as tx:
        freeze = tx.moderation.freezes.get(whole)
        assert freeze is not None
        assert tx.moderation.freezes.held() == {news.id: 1, other.id: 1}
        count = tx.moderation.freezes.end(freeze, "ben", NOON + timedelta(minutes=5))
        states = [tx.stream.activities.get(item.id) for item in (first, second)]
        applied = tx.moderation.reviews.apply_due(NOON + timedelta(hours=1))

    assert count == 1
    assert [item.visible for item in states if item] == [False, True]
    assert applied == 1


def test_a_longer_freeze_keeps_what_a_shorter_one_held(store: Store) -> None:
    source = add_source(store)
    with store.writing() as tx:
        tx.moderation.freezes.begin([None], NOON + timedelta(hours=1), "short", "ana", NOON)
    brought(store, source, [an_activity("1")])
    with store.writing() as tx:
        tx.moderation.freezes.begin([source.id], NOON + timedelta(hours=3), "long", "ana", NOON)
        assert tx.moderation.reviews.apply_due(NOON + timedelta(hours=2)) == 0
        assert tx.moderation.reviews.apply_due(NOON + timedelta(hours=3)) == 1


def test_what_a_delay_would_show_waits_for_the_freeze_to_end(store: Store) -> None:
    delayed = replace(add_source(store, policy=Policy.DELAY), delay=timedelta(minutes=10))
    (item,) = brought(store, delayed, [an_activity("1")])
    (approved,) = brought(store, add_source(store, "held", policy=Policy.HOLD), [an_activity("1")])
    due = NOON + timedelta(minutes=10)
    with store.writing() as tx:
        tx.moderation.reviews.decide_at([approved.id], Review.PUBLISHED, by="person", reason="embargo", due=due)
        (id_,) = tx.moderation.freezes.begin([None], NOON + timedelta(hours=2), "election", "ana", NOON)
        tx.moderation.freezes.hold_due(due)
        applied = tx.moderation.reviews.apply_due(due)
        waiting, by_hand = tx.stream.activities.get(item.id), tx.stream.activities.get(approved.id)
        freeze = tx.moderation.freezes.get(id_)
        assert freeze is not None
        count = tx.moderation.freezes.end(freeze, "ben", NOON + timedelta(minutes=30))
        shown = tx.stream.activities.get(item.id)

    assert waiting is not None
    assert (applied, waiting.visible, waiting.review_by) == (1, False, "freeze")
    assert waiting.review_reason == "freeze: election"
    assert (by_hand and by_hand.visible, count, shown and shown.visible) == (True, 1, True)


@pytest.mark.slow
def test_the_end_of_a_freeze_frees_any_number(store: Store) -> None:
    source = add_source(store)
    with store.writing() as tx:
        (id_,) = tx.moderation.freezes.begin([None], NOON + timedelta(hours=2), "election", "ana", NOON)
    brought(store, source, [an_activity(str(n)) for n in range(2100)])
    later = NOON + timedelta(hours=1)
    with store.writing() as tx:
        freeze = tx.moderation.freezes.get(id_)
        assert freeze is not None
        count = tx.moderation.freezes.end(freeze, "ben", later)
        left = tx.moderation.freezes.held()
        tx.moderation.reviews.apply_due(later)
        none = tx.moderation.freezes.held()

    assert (count, left, none) == (2100, {source.id: 100}, {})


def preview(store: Store, rule: Rule, now: datetime) -> RulePreview:
    with store.reading() as tx:
        book = rulebook_with(tx.moderation.rules.all(), rule, now)
        return preview_rule(tx.moderation.rules.arrived(now - timedelta(days=38), book), rule, book, now)


CANDIDATES = [
    (CASINO,),
    (Condition(Field.TEXT, MATCHES, r"plan \d*[13579]\b"),),
    (Condition(Field.TITLE, CONTAINS, "Title n7"), Condition(Field.TITLE, CONTAINS, "n108")),
    (Condition(Field.AUTHOR, IS, "@jose"),),
    (Condition(Field.URL, CONTAINS, "/n1"),),
    (Condition(Field.HASHTAG, IS, "#OpenGov"),),
    (Condition(Field.KIND, IS, "post"),),
    (Condition(Field.LANGUAGE, IS, "es"),),
    (Condition(Field.REPLY),),
    (Condition(Field.UNDESCRIBED),),
    (Condition(Field.SENSITIVE, negated=True),),
    (Condition(Field.DAILY_CAP, value="20"),),
    (Condition(Field.NEAR_DUPLICATE, value="48"),),
    (Condition(Field.TEXT, MATCHES, r"Roulette|card \d*1\b"),),  # a poll's option, a link's preview
]


def _some(number: int) -> NewActivity:
    chance = random.Random(number)
    return an_activity(
        f"n{number}",
        kind=chance.choice([ActivityKind.ARTICLE, ActivityKind.POST]),
        text=chance.choice(["A casino opened", "The new plan for the town", f"plan {number}"]) + f" {number % 4}",
        actor=Actor("x", str(number % 3), "José", ["jose", "ana", None][number % 3]),
        hashtags=("opengov",) if number % 5 == 0 else (),
        lang=chance.choice(["en", "es", None]),
        in_reply_to="https://x.com/1" if number % 7 == 0 else None,
        media=(Media("image", "https://p.example/1"),) if number % 6 == 0 else (),
        sensitive=number % 9 == 0,
        poll=Poll(("Roulette", "Chess")) if number % 8 == 0 else None,
        links=(Link("https://card.example/", title=f"A card {number}"),) if number % 11 == 0 else (),
    )


@pytest.mark.one_database
@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param(conditions, id=f"{n}-{conditions[0].field.value}", marks=[pytest.mark.slow] if n % 6 else [])
        for n, conditions in enumerate(CANDIDATES)
    ],
)
def test_a_rehearsal_tells_what_the_rule_then_does(store: Store, conditions: tuple[Condition, ...]) -> None:
    news, other = add_source(store, "one"), add_source(store, "other")
    polls = [(source, day, half) for day in range(3) for half in range(2) for source in (news, other)]
    activities = [[_some(100 * place + n) for n in range(15)] for place in range(len(polls))]
    for (source, day, half), batch in zip(polls, activities, strict=True):
        bring(store, source, batch, NOON + timedelta(days=day, hours=half))
    rule = Rule(0, "candidate", Action.HIDE, conditions, every=False)

    result = preview(store, rule, NOON + timedelta(days=3))
    with store.engine.begin() as connection:  # the same days once more, with the rule
        for table in ("activity_tag", "activity_version", "raw_payload", "activity_link", "transition"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text("DELETE FROM activity"))
    with store.writing() as tx:
        tx.moderation.rules.add(rule, NOON)
    for (source, day, half), batch in zip(polls, activities, strict=True):
        bring(store, source, batch, NOON + timedelta(days=day, hours=half))
    with store.reading() as tx:
        (kept,) = tx.moderation.rules.all()
        hidden = tx.stream.activities.in_review(Review.HIDDEN, 1000)

    assert result.looked_at == len(polls) * 15
    assert result.acted > 0
    assert (result.acted, result.acted) == (kept.acted, len(hidden))


def test_a_rehearsal_says_what_earlier_rules_take(store: Store) -> None:
    add_rule(store, Action.KEEP, Condition(Field.TITLE, IS, "Title 1"))
    items = brought(store, add_source(store), [an_activity(f"{n}", text="casino") for n in range(3)])

    result = preview(store, Rule(0, "late", Action.HIDE, (CASINO,)), NOON + timedelta(days=1))

    assert (result.looked_at, result.acted, result.earlier) == (3, 2, 1)
    assert [id_ for id_, _ in result.listed] == [items[2].id, items[0].id]
