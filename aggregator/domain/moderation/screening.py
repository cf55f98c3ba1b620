"""Screen new items by the source's policy, rules and freezes. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.domain.activity import BY_RULE, Review, ScheduledTransition
from aggregator.domain.descriptions import undescribed
from aggregator.domain.source import Policy, Undescribed
from aggregator.text.search_terms import searchable

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.activity import NewActivity, ScreenedActivity
    from aggregator.domain.moderation.freezes import Freeze
    from aggregator.domain.moderation.rules import Verdict
    from aggregator.domain.source import Source

WITHOUT_DESCRIPTION = "an image has no description"


def under_policy(item: ScreenedActivity, source: Source, now: datetime) -> ScreenedActivity:
    """Apply the source's delay, trusted authors, and its policy on images without description."""
    item = _scheduled(item, source, now)
    if source.undescribed is Undescribed.HOLD and undescribed(item.new.content, item.new.object):
        will_be_shown = item.review is Review.PUBLISHED or item.later is not None
        if will_be_shown:
            return replace(item, review=Review.WAITING, review_reason=WITHOUT_DESCRIPTION, later=None)
    return item


def _scheduled(item: ScreenedActivity, source: Source, now: datetime) -> ScreenedActivity:
    if source.policy is not Policy.AUTO and _is_trusted(item.new, source):
        return replace(item, review=Review.PUBLISHED, review_reason="the author is trusted", later=None)
    if source.policy is Policy.DELAY and source.delay is not None:
        reason = "the source publishes after a delay"
        later = ScheduledTransition(now + source.delay, Review.PUBLISHED, "policy", "the review delay ended")
        return replace(item, review=Review.WAITING, review_reason=reason, later=later)
    return item


def under_rules(item: ScreenedActivity, verdict: Verdict, now: datetime) -> ScreenedActivity:
    """Apply the rules' verdict; quarantined items stay quarantined unless a rule hides them."""
    item = replace(
        item,
        topics=tuple(dict.fromkeys((*item.topics, *verdict.tags))),
        reasons={**dict.fromkeys(verdict.tags, BY_RULE), **item.reasons},
    )
    review = verdict.review
    if item.review is Review.QUARANTINED and review is not Review.HIDDEN:
        return item
    if review is not None:
        item = replace(
            item, review=review, review_by="rule", review_reason=verdict.why, review_rule=verdict.rule, later=None
        )
    pinned = now + verdict.pin if verdict.pin and item.review is Review.PUBLISHED else None
    return replace(item, pinned_until=pinned)


def held_for_review(item: ScreenedActivity, reason: str) -> ScreenedActivity:
    """Let an item that would be published wait for review."""
    if item.review is not Review.PUBLISHED:
        return item
    return replace(item, review=Review.WAITING, review_reason=reason, later=None)


def under_freeze(item: ScreenedActivity, freeze: Freeze | None) -> ScreenedActivity:
    """Hold an item that would be published during a freeze; scheduled ones are held when they are due."""
    if freeze is None or item.review is not Review.PUBLISHED:
        return item
    later = ScheduledTransition(
        freeze.until, Review.PUBLISHED, item.review_by, f"{item.review_reason}, and the freeze ended"
    )
    return replace(item, review=Review.WAITING, review_by="freeze", review_reason=freeze.sentence, later=later)


def _is_trusted(new: NewActivity, source: Source) -> bool:
    actor = new.content.actor
    if actor is None or not source.trusted:
        return False
    trusted = {searchable(name.removeprefix("@")) for name in source.trusted}
    return searchable(actor.handle or actor.name) in trusted  # handles are unique, names aren't
