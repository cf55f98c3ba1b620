"""Test posts of our own editors, on both databases: drafts, scheduled posts and edits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.activity import Activity, ActivityKind, Content, Review
from aggregator.domain.moderation.decisions import DecisionAction
from aggregator.domain.own_posts import PostPlan, PostState
from aggregator.services.editorial import publish
from tests.building import NOON

if TYPE_CHECKING:
    from datetime import datetime

    from storage.store import Store

HOUR = timedelta(hours=1)
POST = Content(ActivityKind.ARTICLE, "web", title="Office closed", text="On Friday.", published=NOON)


def save(store: Store, content: Content, now: datetime, plan: PostPlan, native_id: str | None = None) -> Activity:
    with store.writing() as tx:
        id_ = publish(tx, content, native_id, "ana", now, plan)
    return stored(store, id_)


def stored(store: Store, id_: int) -> Activity:
    with store.reading() as tx:
        item = tx.stream.activities.get(id_)
    assert item is not None
    return item


def pass_time(store: Store, now: datetime) -> None:
    with store.writing() as tx:
        tx.moderation.reviews.apply_due(now)


def test_a_draft_is_shown_when_it_is_published_at_that_time(store: Store) -> None:
    draft = save(store, POST, NOON, PostPlan(PostState.DRAFT))
    assert (draft.visible, draft.review, draft.review_reason) == (False, Review.HIDDEN, "a draft of ana")

    later = NOON + 5 * HOUR
    edited = save(store, replace(POST, title="Office open"), later - HOUR, PostPlan(PostState.DRAFT), draft.native_id)
    assert (edited.visible, edited.content.title) == (False, "Office open")
    shown = save(store, replace(POST, published=later), later, PostPlan(), draft.native_id)

    assert (shown.id, shown.visible, shown.position) == (draft.id, True, later)
    assert shown.content.published == later


def test_a_scheduled_post_is_shown_when_it_is_due_also_during_a_freeze(store: Store) -> None:
    due = NOON + 2 * HOUR
    with store.writing() as tx:
        tx.moderation.freezes.begin([None], NOON + 9 * HOUR, "Election silence", "ben", NOON)
    post = save(store, replace(POST, published=due), NOON, PostPlan(PostState.SCHEDULE, due))
    pass_time(store, due - timedelta(seconds=1))
    assert not stored(store, post.id).visible

    pass_time(store, due)

    shown = stored(store, post.id)
    assert (shown.visible, shown.position, shown.content.published) == (True, due, due)
    edited = save(store, replace(POST, title="Office open", published=due), due + HOUR, PostPlan(), post.native_id)
    assert (edited.visible, edited.content.title) == (True, "Office open")  # no pending edit
    with store.reading() as tx:
        assert [version["title"] for version in tx.stream.versions.of(post.id)] == ["Office closed"]


def test_a_new_time_replaces_the_former_and_a_draft_has_none(store: Store) -> None:
    post = save(store, POST, NOON, PostPlan(PostState.SCHEDULE, NOON + HOUR))
    save(store, POST, NOON, PostPlan(PostState.SCHEDULE, NOON + 3 * HOUR), post.native_id)
    pass_time(store, NOON + 2 * HOUR)
    assert not stored(store, post.id).visible
    save(store, POST, NOON + 2 * HOUR, PostPlan(PostState.DRAFT), post.native_id)
    pass_time(store, NOON + 9 * HOUR)
    assert not stored(store, post.id).visible


def test_a_scheduled_post_that_is_approved_early_is_of_that_time(store: Store) -> None:
    due = NOON + 9 * HOUR
    post = save(store, replace(POST, published=due), NOON, PostPlan(PostState.SCHEDULE, due))
    with store.writing() as tx:
        tx.moderation.decisions.decide({post.id: None}, DecisionAction.APPROVE, who="ben", now=NOON + HOUR)
    shown = stored(store, post.id)
    assert (shown.visible, shown.position, shown.content.published) == (True, NOON + HOUR, NOON + HOUR)


def test_a_post_that_is_shown_stays_shown_and_in_its_place(store: Store) -> None:
    post = save(store, POST, NOON, PostPlan())
    edited = save(store, replace(POST, text="On Monday."), NOON + HOUR, PostPlan(PostState.DRAFT), post.native_id)
    assert (edited.visible, edited.position, edited.content.text) == (True, post.position, "On Monday.")


def test_a_post_that_a_reviewer_approved_is_edited_at_once(store: Store) -> None:
    post = save(store, POST, NOON, PostPlan(PostState.DRAFT))
    with store.writing() as tx:
        tx.moderation.decisions.decide({post.id: None}, DecisionAction.APPROVE, who="ben", now=NOON)
    edited = save(store, replace(POST, text="On Monday."), NOON + HOUR, PostPlan(), post.native_id)
    assert edited.content.text == "On Monday."
