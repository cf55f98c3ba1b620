"""Test what a poll of a timeline takes from the state of the last one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aggregator.source_api.timeline_poll import CHECK_EVERY, TimelinePoll, hints_until

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
STATE = {
    "url": "https://api.example/1",
    "reader": 2,
    "etag": '"a"',
    "digest": "d",
    "known": {"1": ["x"]},
    "checked": NOW.isoformat(),
}


def _poll(now: datetime = NOW, **changes: Any) -> TimelinePoll:
    return TimelinePoll("https://api.example/1", {"reader": 2}, {**STATE, **changes}, now, 10, 5)


def test_the_state_of_the_same_timeline_is_used() -> None:
    poll = _poll()
    assert poll.known == STATE
    assert (poll.check_due, poll.etag) == (False, '"a"')


@pytest.mark.parametrize("changes", [{"url": "https://api.example/2"}, {"reader": 1}], ids=["url", "reader"])
def test_all_is_read_again_if_the_state_is_about_something_else(changes: dict[str, Any]) -> None:
    poll = _poll(**changes)
    assert poll.known == {}
    assert (poll.check_due, poll.etag) == (True, None)


@pytest.mark.parametrize(
    ("passed", "due"),
    [(CHECK_EVERY - timedelta(seconds=1), False), (CHECK_EVERY, True), (-timedelta(seconds=1), True)],
    ids=["before", "after", "the clock was set back"],
)
def test_older_entries_are_looked_up_every_hour(passed: timedelta, due: bool) -> None:
    assert _poll(NOW + passed).check_due is due


def test_a_vanished_account_leaves_no_known_entries() -> None:
    result = _poll().account_gone("It was deleted.")
    assert result.account_gone
    assert (result.state["known"], result.state["etag"], result.note) == ({}, None, "It was deleted.")


def test_a_reached_rate_limit_delays_the_next_poll() -> None:
    hints = hints_until(NOW + timedelta(minutes=5), NOW, "RateLimit-Reset")
    assert (hints.at_least, hints.why) == (timedelta(minutes=5), "RateLimit-Reset")
    assert hints_until(None, NOW, "RateLimit-Reset").at_least == timedelta()
