"""Count what polls do, for metrics. Pure.

A count has a measure, a subject (a kind of source or a network) and a label. Both have few values, so that the number
of counts doesn't grow with the number of sources or items.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from aggregator.domain.polling.results import PollRecord

POLLS = "polls"  # kind; label: the outcome, for failures also the error code ("failed:too-slow")
ITEMS = "items"  # kind; label: "new" or "changed"
REQUESTS = "requests"  # kind
BYTES = "bytes"  # kind
DELAY = "delay"  # network; label: the upper bound of the bucket in seconds, or "inf"
DELAY_SECONDS = "delay_seconds"  # network; the sum of all delays
PRUNED = "pruned"  # kind of record, see `aggregator/domain/retention.py`

INFINITE = "inf"
DELAY_BOUNDS = (60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400, 259_200)  # seconds


class CountKey(NamedTuple):
    """The identity of a count."""

    measure: str
    subject: str
    label: str = ""


def counts_of(records: Iterable[PollRecord]) -> Counter[CountKey]:
    """Return what some polls add to the counts."""
    counts: Counter[CountKey] = Counter()
    for record in records:
        outcome = record.outcome.value if record.error_code is None else f"{record.outcome.value}:{record.error_code}"
        counts[CountKey(POLLS, record.kind, outcome)] += 1
        counts[CountKey(ITEMS, record.kind, "new")] += record.new
        counts[CountKey(ITEMS, record.kind, "changed")] += record.changed
        counts[CountKey(REQUESTS, record.kind)] += record.facts.requests
        counts[CountKey(BYTES, record.kind)] += record.facts.bytes
        counts += counts_of_delays(record.delays)
    return +counts


def counts_of_delays(delays: Iterable[tuple[str, timedelta]]) -> Counter[CountKey]:
    """Return what the delays of new items add to the counts; each is a network and the time since the publication."""
    counts: Counter[CountKey] = Counter()
    for network, delay in delays:
        seconds = delay.total_seconds()
        counts[CountKey(DELAY, network, bucket(seconds))] += 1
        counts[CountKey(DELAY_SECONDS, network)] += round(seconds)
    return counts


def bucket(seconds: float) -> str:
    """Return the label of the bucket that a delay falls into."""
    place = bisect_left(DELAY_BOUNDS, seconds)
    return str(DELAY_BOUNDS[place]) if place < len(DELAY_BOUNDS) else INFINITE
