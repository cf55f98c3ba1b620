"""Test which calls a refusal affects, and when it is probed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aggregator.domain.errors import CredentialsError, CreditsError, NotAllowedError
from aggregator.domain.polling.api_refusals import ApiCall, next_probe, scope_of

CALL = ApiCall("x", "app", "/posts")


def test_a_permission_is_missing_for_an_endpoint_and_a_token_for_all() -> None:
    assert scope_of(CALL, NotAllowedError("no")) == "/posts"
    assert scope_of(CALL, CredentialsError("no")) == ""
    assert scope_of(CALL, CreditsError("no")) == ""


@pytest.mark.parametrize("error", [CredentialsError("no"), NotAllowedError("no")], ids=["token", "permission"])
def test_a_refusal_is_probed_hourly(error: CredentialsError) -> None:
    assert {next_probe(error, probes) for probes in range(100)} == {timedelta(hours=1)}


def test_credits_are_probed_after_minutes_then_hours() -> None:
    waits = [next_probe(CreditsError("no"), probes) for probes in range(100)]
    assert waits[0] == timedelta(minutes=5)
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=6)
