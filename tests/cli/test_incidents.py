"""Test `aggregator incidents`: list, show, snooze and mute."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.monitoring.incidents import Finding, IncidentKind
from tests.building import NOON

if TYPE_CHECKING:
    from storage.store import Store
    from tests.cli.conftest import CommandLine

SILENT = Finding(IncidentKind.SILENCE, "source:news", "News: nothing for 19 days.", {"days": 19})


def begin(store: Store, finding: Finding = SILENT) -> int:
    with store.writing() as tx:
        return tx.monitoring.incidents.begin([finding], NOON)[finding.subject]


def test_without_incidents(cli: CommandLine) -> None:
    assert cli("incidents", "list").stdout == "There are no open incidents.\n"
    assert cli("incidents", "list", "--all").stdout == "There are no incidents.\n"
    assert "There is no incident 7" in cli("incidents", "show", "7", code=2).output


def test_an_incident_is_listed_shown_snoozed_and_muted(cli: CommandLine, sqlite_store: Store) -> None:
    number = str(begin(sqlite_store))
    assert "News: nothing for 19 days." in cli("incidents", "list").stdout
    shown = cli("incidents", "show", number).stdout
    assert "silence of source:news" in shown
    assert "days: 19" in shown
    assert [row["kind"] for row in cli.json("incidents", "list")] == ["silence"]

    assert "no alert until" in cli("incidents", "snooze", number, "--days", "3").stdout
    assert "snoozed, in" in cli("incidents", "list").stdout
    cli("incidents", "snooze", number, "--days", "0")
    assert "snoozed" not in cli("incidents", "list").stdout
    assert "no more alerts" in cli("incidents", "mute", number).stdout
    assert "muted" in cli("incidents", "list").stdout


def test_muting_lasts_beyond_the_incident(cli: CommandLine, sqlite_store: Store) -> None:
    first = begin(sqlite_store)
    cli("incidents", "mute", str(first))
    with sqlite_store.writing() as tx:
        tx.monitoring.incidents.end([first], NOON)
        assert tx.monitoring.incidents.forget(NOON + timedelta(days=900)) == 0
    assert cli("incidents", "list").stdout == "There are no open incidents.\n"
    assert "has ended" in cli("incidents", "snooze", str(first), code=2).output
    second = begin(sqlite_store)
    assert [row["muted"] for row in cli.json("incidents", "list", "--all")] == [True, True]
    cli("incidents", "mute", str(second), "--off")
    with sqlite_store.writing() as tx:
        tx.monitoring.incidents.end([second], NOON)
    begin(sqlite_store)
    assert [row["muted"] for row in cli.json("incidents", "list")] == [False]


@pytest.mark.parametrize("span", [("--days", "nan"), ("--days", "366"), ("--for", "9999999999w"), ("--for", "nan")])
def test_a_snooze_has_an_end(cli: CommandLine, sqlite_store: Store, span: tuple[str, str]) -> None:
    refused = cli("incidents", "snooze", str(begin(sqlite_store)), *span, code=2)
    assert f"Invalid value for '{span[0]}'" in refused.output


def test_a_budget_is_a_number(cli: CommandLine) -> None:
    assert "'nan' is not a number." in cli("source", "backfill", "news", "--budget", "nan", code=2).output
