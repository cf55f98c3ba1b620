"""Store items that editors write, under an internal source that is never polled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from aggregator.domain.activity import NewActivity, Review
from aggregator.domain.matching.edit_decisions import EditPolicy
from aggregator.domain.own_posts import PostPlan, PostState
from aggregator.domain.polling.results import Discovery
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import placed, screened
from aggregator.text.urls import web_key

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.activity import Content
    from aggregator.domain.source import Source
    from aggregator.domain.tagging.tagger import Tagger
    from storage.store import Transaction

SLUG = "desk"
KIND = "desk"
_NAME = "Our editors"
_AT_ONCE = PostPlan()
_SHOW_EDITS = EditPolicy(always_show=True)  # editors need no approval of their own edits
_FLOOR = timedelta(days=1)  # poll interval; unused


def publish(
    tx: Transaction,
    content: Content,
    native_id: str | None,
    who: str,
    now: datetime,
    plan: PostPlan = _AT_ONCE,
    tagger: Tagger | None = None,
) -> int:
    """Store an item of our own, replacing the item with this native id, if any; return its id.

    A new item, or one that isn't shown, is shown as planned. One that is shown is edited: readers see the new version.
    """
    source = _source(tx, now)
    name = native_id or uuid4().hex
    before = tx.stream.activities.known(source.id, [name]).get(name)
    former = tx.stream.activities.get(before.id) if before is not None else None
    new = NewActivity(
        native_id=name,
        key=web_key(content.url) if content.url else f"{KIND}:{name}",
        content=content,
        entry_digest=uuid4().hex,  # so that each saving counts as an edit
    )
    entry = replace(
        screened(new, Policy.AUTO, now, tagger, SLUG),
        review=_review_of(plan),
        review_by="policy",
        review_reason=plan.reason(who),
        position=plan.due or placed(content.published, now),
    )
    tx.stream.activities.store(source.id, [entry], now, edit_policy=_SHOW_EDITS)
    id_ = tx.stream.activities.known(source.id, [name])[name].id
    if former is None or former.review is not Review.PUBLISHED:
        _follow_plan(tx, id_, plan, who, now, entry.position, known=former is not None)
    return id_


def _follow_plan(
    tx: Transaction, id_: int, plan: PostPlan, who: str, now: datetime, position: datetime, *, known: bool
) -> None:
    """Set the state of an item that isn't shown yet, and the time at which it will be."""
    if known:
        tx.stream.activities.place(id_, position)
        tx.moderation.reviews.decide([id_], _review_of(plan), by="policy", reason=plan.reason(who), now=now)
    if plan.state is PostState.SCHEDULE and plan.due is not None:
        # By a person: a freeze leaves it alone, as it does other publication times that people set.
        tx.moderation.reviews.decide_at([id_], Review.PUBLISHED, by="person", reason=plan.reason(who), due=plan.due)


def _review_of(plan: PostPlan) -> Review:
    return Review.PUBLISHED if plan.state is PostState.PUBLISH else Review.HIDDEN


def _source(tx: Transaction, now: datetime) -> Source:
    """Return the source of our own items; create it on first use."""
    source = tx.polling.sources.get(SLUG)
    if source is not None:
        return source
    found = Discovery(kind=KIND, address="desk:", host="", name=_NAME, slug=SLUG, every=None, floor=_FLOOR)
    return tx.polling.sources.add(found, slug=SLUG, policy=Policy.AUTO, now=now, polled=False)
