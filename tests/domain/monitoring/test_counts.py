"""Test what polls add to the counts, and the buckets of delays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.domain.monitoring.counts import (
    BYTES,
    DELAY,
    DELAY_BOUNDS,
    DELAY_SECONDS,
    INFINITE,
    ITEMS,
    POLLS,
    REQUESTS,
    CountKey,
    bucket,
    counts_of,
)
from aggregator.domain.polling.results import FetchFacts, PollRecord, PollStatus
from tests.building import NOON

POLL = PollRecord(
    source_id=1,
    token="",
    facts=FetchFacts(NOON, timedelta(), bytes=700, requests=2),
    outcome=PollStatus.UNCHANGED,
    due=NOON,
    due_reason="",
    failures=0,
    fetch_state={},
    now=NOON,
    interval=timedelta(hours=1),
    kind="rss",
)


def test_polls_are_counted_by_kind_outcome_and_error() -> None:
    failed = replace(POLL, outcome=PollStatus.FAILED, error_code="too-slow", facts=FetchFacts(NOON, timedelta()))
    assert counts_of([POLL, POLL, failed]) == {
        CountKey(POLLS, "rss", "unchanged"): 2,
        CountKey(POLLS, "rss", "failed:too-slow"): 1,
        CountKey(REQUESTS, "rss"): 4,
        CountKey(BYTES, "rss"): 1400,
    }


def test_items_are_counted_with_their_delays() -> None:
    delays = [("web", timedelta(seconds=61)), ("web", timedelta(days=30)), ("x", timedelta())]
    brought = counts_of([replace(POLL, outcome=PollStatus.NEW, new=3, changed=1, delays=delays)])
    assert brought[CountKey(ITEMS, "rss", "new")] == 3
    assert brought[CountKey(ITEMS, "rss", "changed")] == 1
    assert {key: count for key, count in brought.items() if key.measure == DELAY} == {
        CountKey(DELAY, "web", "120"): 1,
        CountKey(DELAY, "web", INFINITE): 1,
        CountKey(DELAY, "x", "60"): 1,
    }
    assert brought[CountKey(DELAY_SECONDS, "web")] == 61 + 30 * 86_400


@pytest.mark.parametrize(
    ("seconds", "label"),
    [(0, "60"), (60, "60"), (60.1, "120"), (DELAY_BOUNDS[-1], "259200"), (DELAY_BOUNDS[-1] + 1, INFINITE)],
)
def test_a_delay_falls_into_the_first_bucket_that_holds_it(seconds: float, label: str) -> None:
    assert bucket(seconds) == label
