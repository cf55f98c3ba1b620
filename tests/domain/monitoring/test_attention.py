"""Test what needs a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.monitoring.alerts import SOURCE, Condition
from aggregator.domain.monitoring.attention import reasons
from aggregator.domain.monitoring.system_facts import BrokerFacts
from tests.building import NOON

if TYPE_CHECKING:
    from collections.abc import Sequence

WELL: dict[str, Any] = {
    "broker": BrokerFacts(),
    "workers": {"feeds@a": ["control", "feeds"], "api@a": ["api"]},
    "needed_queues": {"control", "feeds", "api"},
    "conditions": (),
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"broker": None, "workers": None}, []),
        ({"workers": {}}, ["no worker responds"]),
        ({"workers": {"feeds@a": ["feeds", "control"]}}, ["no worker serves the queue 'api'"]),
        ({"workers": {"feeds@a": ["feeds", "control"]}, "needed_queues": {"control", "feeds"}}, []),
        ({"broker": BrokerFacts(problem="refused"), "workers": {}}, ["the broker does not respond (refused)"]),
        ({"conditions": [Condition(SOURCE, "source:a", "It stopped.")]}, ["1 source stopped or failing (a)"]),
        ({"conditions": [Condition("queue-old", "queue", "An item waits.")]}, ["An item waits"]),
    ],
    ids=["well", "embedded", "no-worker", "no-api-worker", "not-needed", "no-broker", "source", "queue"],
)
def test_reasons(change: dict[str, Any], expected: Sequence[str]) -> None:
    assert reasons(NOON, NOON, **{**WELL, **change}) == expected
