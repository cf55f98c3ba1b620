"""Screen the entries of a fetch result: derive stored values and apply the source's policy. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aggregator.domain.activity import (
    WITHHELD_EVERYWHERE,
    Review,
    ScreenedActivity,
    Upstream,
    storable,
)
from aggregator.domain.matching import entry_matching
from aggregator.domain.matching.fingerprint import fingerprint
from aggregator.domain.matching.stories import story_of
from aggregator.domain.moderation.screening import under_policy
from aggregator.domain.search_text import search_text
from aggregator.domain.source import Policy
from aggregator.domain.tagging.tagger import NO_TAGS

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity
    from aggregator.domain.polling.results import FetchResult
    from aggregator.domain.source import Source
    from aggregator.domain.tagging.tagger import Tagger

_OLDEST_VALID_DATE = datetime(1971, 1, 1, tzinfo=UTC)  # feeds write the epoch for "unknown"


def screening_terms(source: Source) -> tuple[object, ...]:
    """Return the fields of a source that `screened_all` reads."""
    return source.policy, source.delay, source.trusted, source.options.get("identity"), source.slug, source.undescribed


def screened_all(
    source: Source, result: FetchResult, now: datetime, tagger: Tagger | None = None
) -> list[ScreenedActivity]:
    """Screen all entries of a result, with the source's policy and its rules for matching entries."""
    by_link = source.options.get("identity") == "link"
    named = (named_by_link(entry) if by_link else entry for entry in result.activities)
    return [under_policy(screened(entry, source.policy, now, tagger, source.slug), source, now) for entry in named]


def named_by_link(new: NewActivity) -> NewActivity:
    """Identify an entry by its address."""
    return replace(new, native_id=new.content.url or new.native_id)


def screened(
    new: NewActivity, policy: Policy, now: datetime, tagger: Tagger | None = None, source: str = ""
) -> ScreenedActivity:
    """Derive stored values and apply the source's policy. Pure.

    Args:
        new: the activity as the source delivered it.
        policy: of the source.
        now: the present time.
        tagger: finds topics and countries; None: no tags.
        source: the source's slug, for tags of all its items.
    """
    clean = storable(new)
    tags = tagger.tags(clean.content, clean.object, source) if tagger else NO_TAGS
    published = policy is Policy.AUTO
    keys = entry_matching.entry_keys(clean)
    return ScreenedActivity(
        new=clean,
        fingerprint=fingerprint(clean.content, clean.object),
        search_text=search_text(clean.content, clean.object),
        position=placed(clean.content.published, now),
        review=Review.PUBLISHED if published else Review.WAITING,
        review_by="policy",
        review_reason="the source publishes at once" if published else "the source holds everything for review",
        topics=tuple(tags.topics),
        countries=tuple(tags.countries),
        reasons={**tags.topics, **tags.countries},
        story=story_of(clean),
        stable_key=keys.stable_key,
        content_key=keys.content_key,
        upstream=Upstream.LIVE if WITHHELD_EVERYWHERE.isdisjoint(clean.content.withheld) else Upstream.WITHHELD,
    )


def placed(published: datetime | None, now: datetime) -> datetime:
    """Return an activity's position in the stream: its publication time, but never in the future; now if unknown."""
    if published is None or published > now or published < _OLDEST_VALID_DATE:
        return now
    return published
