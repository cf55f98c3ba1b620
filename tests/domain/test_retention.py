"""Test how long records are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aggregator.domain.activity import Occasion
from aggregator.domain.retention import Records, Retained, Rule, is_expired
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened
from tests.building import NOON, an_activity

DAY = timedelta(days=1)


def test_a_rule_without_an_age_keeps_everything() -> None:
    rule = Rule(Records.STREAM, "STREAM_AGE", None)
    assert rule.before(NOON) is None
    assert not Retained(rule, NOON - 9999 * DAY, 0).is_behind(NOON)


@pytest.mark.parametrize(("days", "behind"), [(30, False), (31, False), (33, True)], ids=["on-time", "late", "behind"])
def test_a_cleanup_that_does_not_keep_up_is_noticed(days: int, behind: bool) -> None:
    rule = Rule(Records.FETCH_LOG, "LOG_AGE", 30 * DAY)
    assert rule.before(NOON) == NOON - 30 * DAY
    assert Retained(rule, NOON - days * DAY, 0).is_behind(NOON) is behind
    assert not Retained(rule, None, 0).is_behind(NOON)


@pytest.mark.parametrize(
    ("content", "expired"),
    [
        ({"published": NOON - 31 * DAY}, True),
        ({"published": NOON - 29 * DAY}, False),
        ({"published": None}, False),
        ({"published": NOON - 99 * DAY, "event": Occasion(NOON - 31 * DAY)}, True),
        ({"published": NOON - 99 * DAY, "event": Occasion(NOON - 31 * DAY, NOON)}, False),
        ({"published": NOON, "event": Occasion(NOON - 31 * DAY)}, False),
    ],
    ids=["old", "recent", "undated", "past-event", "current-event", "event-announced-late"],
)
def test_old_entries_are_recognized(content: dict[str, Any], expired: bool) -> None:
    entry = screened(an_activity(**content), Policy.AUTO, NOON)
    assert is_expired(entry, NOON - 30 * DAY) is expired
