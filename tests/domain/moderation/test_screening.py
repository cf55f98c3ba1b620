"""Test the screening of new items by the policy of their source."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import Actor, Media, Review
from aggregator.domain.moderation.screening import WITHOUT_DESCRIPTION, under_policy
from aggregator.domain.source import Policy, Undescribed
from aggregator.services.screen_entries import screened
from tests.building import NOON, add_source, an_activity

if TYPE_CHECKING:
    from aggregator.domain.activity import ScreenedActivity
    from storage.store import Store


def _item(policy: Policy, alt: str | None) -> ScreenedActivity:
    media = (Media("image", "https://pictures.example/a.jpg", alt=alt),)
    new = an_activity("a", actor=Actor("web", "ana", "Ana"), media=media)
    return screened(new, policy, NOON)


@pytest.mark.parametrize("policy", [Policy.AUTO, Policy.DELAY, Policy.HOLD])
@pytest.mark.parametrize("trusted", [(), ("Ana",)])
def test_items_with_undescribed_images_are_held_where_the_source_asks_for_it(
    sqlite_store: Store, policy: Policy, trusted: tuple[str, ...]
) -> None:
    source = replace(add_source(sqlite_store), policy=policy, delay=timedelta(hours=1), trusted=trusted)
    holding = replace(source, undescribed=Undescribed.HOLD)

    described = under_policy(_item(policy, "A city"), holding, NOON)
    without = under_policy(_item(policy, None), holding, NOON)

    assert described == under_policy(_item(policy, "A city"), source, NOON)
    assert (without.review, without.later) == (Review.WAITING, None)
    held_anyway = policy is Policy.HOLD and not trusted
    assert (without.review_reason == WITHOUT_DESCRIPTION) is not held_anyway
    assert under_policy(_item(policy, None), source, NOON).review_reason != WITHOUT_DESCRIPTION
