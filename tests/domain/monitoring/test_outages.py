"""Test the recognition of outages, and the distances between probes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aggregator.domain.monitoring.outages import (
    ALIKE,
    FIRST_PROBE,
    LONGEST_PROBE,
    FailedPolls,
    PolledSources,
    next_probe,
    recognize,
    sentence_of,
    worst,
)
from tests.building import NOON


@pytest.mark.parametrize(
    ("failing", "polled", "total", "expected"),
    [
        pytest.param(3, 3, 3, True, id="all-of-3"),
        pytest.param(2, 2, 2, False, id="too-few"),
        pytest.param(3, 4, 20, False, id="a-quarter-answers"),
        pytest.param(10, 12, 200, True, id="10-of-12-of-200"),
        pytest.param(9, 9, 200, False, id="9-of-200"),
        pytest.param(10, 10, 100_000, True, id="huge-group"),
        pytest.param(6, 6, 60, True, id="a-tenth"),
        pytest.param(5, 5, 60, False, id="less-than-a-tenth"),
    ],
)
def test_an_outage_needs_several_sources_that_fail_alike(failing: int, polled: int, total: int, expected: bool) -> None:
    failed = FailedPolls("youtube.com:443", "does not answer", (failing,) * 5, "refused")
    assert (recognize(failed, PolledSources(total, (polled,) * 5)) is not None) is expected


def test_a_short_window_suffices() -> None:
    failed = FailedPolls("youtube.com:443", "does not answer", (12, 12, 12, 12, 12), "refused")
    evidence = recognize(failed, PolledSources(200, (12, 40, 200, 200, 200)))
    assert evidence is not None
    assert evidence["minutes"] == 5
    sentence = sentence_of(failed.host, failed.words, evidence)
    assert sentence.startswith("youtube.com does not answer: 12 of 12 sources")


def test_the_most_frequent_failure_of_a_host_counts() -> None:
    few = FailedPolls("a:443", "does not answer", (1, 3, 3, 3, 3), "")
    many = FailedPolls("a:443", "answers with errors", (2, 9, 9, 9, 9), "")
    assert worst([few, many]) == {"a:443": many} == worst([many, few])


def test_probes_are_sent_at_growing_distances() -> None:
    distances = [next_probe(NOON, probes) - NOON for probes in range(100)]
    assert distances[0] == FIRST_PROBE == timedelta(minutes=15)
    assert distances == sorted(distances)
    assert distances[-1] == LONGEST_PROBE


def test_failures_of_one_source_or_of_ours_are_no_sign_of_an_outage() -> None:
    assert not {"credentials", "budget", "host-paused", "account-missing", "sign-in", "worker-lost"} & ALIKE.keys()
    assert ALIKE["slow-connect"] == ALIKE["unreachable"] == "does not answer"
