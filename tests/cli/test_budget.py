"""Test `aggregator budget`: spending, the forecast and possible savings."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from aggregator.cli.budget import Account, advice
from aggregator.demo import SAMPLE_TOKEN
from aggregator.domain.activity import ActivityKind
from aggregator.sources.twitter.plugin import KIND
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Store
    from tests.cli.conftest import CommandLine


@pytest.fixture
def followed(cli: CommandLine) -> Iterator[CommandLine]:
    with SimulatedUpstream() as upstream:
        cli.environ |= {"AGGREGATOR_X_BASE_URL": upstream.url, "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN}
        cli("source", "add", "@opengovpart", "@sample_ministry")
        cli("pull", "--all")
        yield cli


def test_before_anything_was_spent(cli: CommandLine) -> None:
    output = cli("budget").stdout
    assert "Spent:     $0.00, no budget is set" in output
    assert "Forecast:  $0.00 by the end of the cycle" in output


def test_what_was_spent_on_what(followed: CommandLine) -> None:
    output = followed("budget").stdout
    assert re.search(r"lookups of new sources      \d         0      2      \$0\.0200", output)
    assert "posts of followed accounts  2 " in output
    assert f"{'profiles':<28}1 " in output
    [report] = followed.json("budget")
    assert report["budget"] is None
    assert report["spent"] == pytest.approx(sum(purpose["cost"] for purpose in report["purposes"]))
    day = followed("budget", "--days").stdout.splitlines()[1]
    assert day.startswith(f"{datetime.now(UTC):%Y-%m-%d}")


def test_a_budget_that_does_not_suffice_is_forecast(followed: CommandLine) -> None:
    followed.environ["AGGREGATOR_X_BUDGET"] = "0.19"
    followed.environ["AGGREGATOR_X_CYCLE_DAY"] = "28" if datetime.now(UTC).day != 28 else "27"
    output = followed("budget").stdout
    assert "of $0.19; $0.0190 of the rest is reserved for takedown checks" in output
    assert "would be needed by the end of the cycle" in output
    assert "each account may cost $" in output


def test_a_cap_is_told_and_lifted(followed: CommandLine, sqlite_store: Store) -> None:
    with sqlite_store.writing() as tx:
        tx.billing.ledger.block("x", datetime(2999, 1, 1, tzinfo=UTC), "X's usage cap is reached.")
    assert "Paused until 2999-01-01: X's usage cap is reached." in followed("budget").stdout
    assert "usage cap" in followed("pull", "opengovpart", code=1).stdout
    assert json.loads(followed("budget", "--json").stdout)["blocked"]["reason"] == "X's usage cap is reached."
    assert followed("budget", "resume").stdout == "X: calls resumed; 1 source due now.\n"
    assert followed("budget", "resume").stdout.startswith("X: was not blocked; ")
    followed("pull", "opengovpart")


def test_advice_begins_with_what_saves_most() -> None:
    accounts = [
        Account("loud", 1.0, KIND.savings({}, {ActivityKind.REPOST: 0.5, ActivityKind.REPLY: 0.1})),
        Account("calm", 0.1, KIND.savings({"exclude": ["replies"]}, {ActivityKind.REPLY: 0.5})),
        Account("dead", 0.0),
    ]
    options = advice(accounts)
    assert [(option.change.split(":")[0], round(option.saves, 2)) for option in options] == [
        ("remove it", 30.0),
        ("without its retweets", 18.75),
        ("without its replies", 3.75),
        ("remove it", 3.0),
    ]
    assert options[1].change.endswith("aggregator source set loud --exclude retweets")


def test_replies_and_retweets_can_be_left_out(followed: CommandLine) -> None:
    followed("source", "set", "opengovpart", "--exclude", "retweets,replies")
    assert "exclude: ['replies', 'retweets']" in followed("source", "show", "opengovpart").stdout
    followed("source", "set", "opengovpart", "--exclude", "")
    assert "exclude" not in followed("source", "show", "opengovpart").stdout
    assert (
        "Invalid value 'likes' for the option"
        in followed("source", "set", "opengovpart", "--exclude", "likes", code=2).stderr
    )
