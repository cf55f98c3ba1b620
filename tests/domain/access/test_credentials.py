"""Test the choice of credentials and the notices before they expire."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.domain.access.credentials import Choice, Credential, choices, expiry_conditions
from tests.building import NOON

DAY = timedelta(days=1)
OWNER = Credential(1, "x", "7", "@desk", "app", True, NOON, NOON + 180 * DAY, NOON, NOON)
OTHER = replace(OWNER, id=2, subject="8", name="@river", is_owner=False)


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ("7", [Choice(OWNER, owned=True), Choice(None), Choice(OTHER)]),
        ("8", [Choice(OTHER), Choice(None), Choice(OWNER)]),
        ("9", [Choice(None), Choice(OWNER), Choice(OTHER)]),
    ],
    ids=["owner", "no-owner", "another"],
)
def test_the_cheapest_token_that_may_read_an_account_comes_first(account: str, expected: list[Choice]) -> None:
    assert choices([OWNER, OTHER], account, NOON, has_app_token=True) == expected


def test_without_a_token_in_the_settings_any_account_reads() -> None:
    assert choices([OTHER], "9", NOON, has_app_token=False) == [Choice(OTHER)]
    assert choices([], "9", NOON, has_app_token=False) == []


@pytest.mark.parametrize(
    "unusable",
    [replace(OWNER, problem="X refused it."), replace(OWNER, expires=NOON)],
    ids=["problem", "expired"],
)
def test_what_can_not_be_used_is_no_choice(unusable: Credential) -> None:
    assert choices([unusable], "7", NOON, has_app_token=True) == [Choice(None)]
    [condition] = expiry_conditions([unusable], "X", NOON)
    assert "The access to @desk on X has ended" in condition.sentence
    assert "aggregator x connect" in condition.sentence


@pytest.mark.parametrize(
    ("left", "notices"),
    [(31, []), (30, ["30"]), (8, ["30"]), (7, ["30", "7"]), (1, ["30", "7", "1"])],
    ids=["early", "month", "weeks", "week", "day"],
)
def test_each_notice_is_a_condition_of_its_own(left: int, notices: list[str]) -> None:
    ending = replace(OWNER, expires=NOON + left * DAY)
    assert [found.subject.rpartition(":")[2] for found in expiry_conditions([ending], "X", NOON)] == notices
