"""Test permanent redirects: followed after three sightings a day apart, and never again after a revert."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.polling.permanent_redirects import APART, observe, refused
from tests.building import NOON

if TYPE_CHECKING:
    from collections.abc import Mapping

NEW = "https://new.example/feed"


def _seen(*hours: float, to: str = NEW, overlapping: bool = True) -> tuple[list[bool], Mapping[str, Any] | None]:
    moving: Mapping[str, Any] | None = None
    settled = []
    for hour in hours:
        sighting = observe(moving, to, NOON + timedelta(hours=hour), overlapping=overlapping)
        moving = sighting.moving
        settled.append(sighting.settled)
    return settled, moving


def test_three_sightings_a_day_apart_settle_it() -> None:
    assert _seen(0, 24, 48) == ([False, False, True], None)


def test_sightings_within_a_day_count_once() -> None:
    settled, moving = _seen(0, 1, 23.9, 24, 25, 47.9)
    assert not any(settled)
    assert moving is not None
    assert moving["seen"] == 2


def test_without_entries_that_we_know_nothing_counts() -> None:
    assert _seen(0, 24, 48, 72, overlapping=False) == ([False] * 4, None)


def test_an_answer_at_home_forgets_what_was_seen() -> None:
    _, moving = _seen(0, 24)
    assert observe(moving, None, NOON + 3 * APART, overlapping=True).moving is None


def test_another_target_begins_anew() -> None:
    _, moving = _seen(0, 24)
    sighting = observe(moving, "https://third.example/feed", NOON + 3 * APART, overlapping=True)
    assert (sighting.settled, sighting.moving and sighting.moving["seen"]) == (False, 1)


def test_what_people_took_back_is_never_made_again() -> None:
    moving = refused(NEW)
    for day in range(30):
        sighting = observe(moving, NEW, NOON + timedelta(days=day), overlapping=True)
        assert sighting == (moving, False)
