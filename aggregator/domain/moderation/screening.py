"""Screening: what becomes of what comes, by its source's policy, the rules, and freezes. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.domain.activity import BY_RULE, Review, ScheduledTransition
from aggregator.domain.source import Policy
from aggregator.text.search_terms import searchable

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.activity import NewActivity, ScreenedActivity
    from aggregator.domain.moderation.freezes import Freeze
    from aggregator.domain.moderation.rules import Verdict
    from aggregator.domain.source import Source


def under_policy(one: ScreenedActivity, source: Source, now: datetime) -> ScreenedActivity:
    """Apply what a source's policy has besides showing and holding: a delay, and authors who are trusted."""
    if source.policy is not Policy.AUTO and _is_trusted(one.new, source):
        return replace(one, review=Review.PUBLISHED, review_reason="the author is trusted", later=None)
    if source.policy is Policy.DELAY and source.delay is not None:
        reason = "the source publishes after a while"
        later = ScheduledTransition(now + source.delay, Review.PUBLISHED, "policy", "nobody objected in time")
        return replace(one, review=Review.WAITING, review_reason=reason, later=later)
    return one


def under_rules(one: ScreenedActivity, verdict: Verdict, now: datetime) -> ScreenedActivity:
    """Apply what the rules say; what is kept apart as suspicious stays so unless they hide it."""
    one = replace(
        one,
        topics=tuple(dict.fromkeys((*one.topics, *verdict.tags))),
        reasons={**dict.fromkeys(verdict.tags, BY_RULE), **one.reasons},
    )
    review = verdict.review
    if one.review is Review.QUARANTINED and review is not Review.HIDDEN:
        return one
    if review is not None:
        one = replace(
            one, review=review, review_by="rule", review_reason=verdict.why, review_rule=verdict.rule, later=None
        )
    pinned = now + verdict.pin if verdict.pin and one.review is Review.PUBLISHED else None
    return replace(one, pinned_until=pinned)


def under_freeze(one: ScreenedActivity, freeze: Freeze | None) -> ScreenedActivity:
    """Keep back what would be shown while a freeze lasts; what waits for its time is kept back when that comes."""
    if freeze is None or one.review is not Review.PUBLISHED:
        return one
    later = ScheduledTransition(
        freeze.until, Review.PUBLISHED, one.review_by, f"{one.review_reason}, and the freeze ended"
    )
    return replace(one, review=Review.WAITING, review_by="freeze", review_reason=freeze.sentence, later=later)


def _is_trusted(new: NewActivity, source: Source) -> bool:
    actor = new.content.actor
    if actor is None or not source.trusted:
        return False
    trusted = {searchable(name.removeprefix("@")) for name in source.trusted}
    return searchable(actor.handle or actor.name) in trusted  # a handle is somebody's own, a name anybody may take
