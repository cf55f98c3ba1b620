"""Test bursts of old entries: quarantined from a threshold, while new entries and first polls pass."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.activity import Review
from aggregator.domain.polling.backfill_detection import LATE, MANY, quarantined
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened
from tests.building import NOON, an_activity

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.activity import ScreenedActivity


def _entries(count: int, published: datetime | None) -> list[ScreenedActivity]:
    return [screened(an_activity(str(n), published=published), Policy.AUTO, NOON) for n in range(count)]


def _kept_apart(entries: list[ScreenedActivity], last_look: datetime | None = NOON - timedelta(hours=1)) -> int:
    return sum(entry.review is Review.QUARANTINED for entry in quarantined(entries, last_look))


OLD = NOON - timedelta(days=100)


def test_hundreds_of_old_entries_are_kept_apart() -> None:
    assert _kept_apart(_entries(300, OLD)) == 300


def test_new_ones_among_them_pass() -> None:
    assert _kept_apart(_entries(300, OLD) + _entries(3, NOON)) == 300


def test_entries_without_a_date_count_as_old() -> None:
    assert _kept_apart(_entries(MANY, None)) == MANY


def test_a_few_old_ones_pass() -> None:
    assert _kept_apart(_entries(MANY - 1, OLD)) == 0


def test_a_first_poll_passes() -> None:
    assert _kept_apart(_entries(300, OLD), None) == 0


def test_what_came_while_we_were_away_passes() -> None:
    away = NOON - timedelta(days=9)
    assert _kept_apart(_entries(300, NOON - timedelta(days=8)), away) == 0
    assert _kept_apart(_entries(300, away - LATE), away) == 300


def test_the_reason_says_how_many() -> None:
    [reason] = {entry.review_reason for entry in quarantined(_entries(40, OLD), NOON)}
    assert reason == "40 old entries came at once"
