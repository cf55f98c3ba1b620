"""`pull`, `review`, `status`, `settings`, `migrate`, and what all words say of a database that does not fit."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from aggregator.stream import Query
from aggregator.wiring import utc_now
from tests.upstream import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store
    from tests.commands.conftest import CommandLine
    from tests.upstream import Publisher


def _titles(store: Store) -> set[str | None]:
    with store.reading() as tx:
        return {item.content.title for item in tx.activities.page(Query(limit=100)).items}


def test_pull_reports_each_source(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", *(publisher.url(f"/good/{n}.xml") for n in (1, 2)))
    publisher.feeds["1"].entries.insert(0, Entry("fresh", "Fresh"))
    publisher.feeds["1"].entries[1].title = "Edited"
    reports = {one.pop("slug"): one for one in cli.json("pull", "--all")}
    assert reports["feed-1"] == {"outcome": "new", "new": 1, "changed": 1, "unchanged": 2, "error": None}
    assert reports["feed-2"] == {"outcome": "unchanged", "new": 0, "changed": 0, "unchanged": 0, "error": None}
    assert cli("pull", "feed-1").stdout == "feed-1: unchanged (0 new, 0 changed, 0 known)\n"


def test_a_failing_source_fails_the_pull_and_only_itself(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", *(publisher.url(f"/good/{n}.xml") for n in (1, 2)))
    del publisher.feeds["2"]
    reports = {one["slug"]: one for one in cli.json("pull", "--all", code=1)}
    assert reports["feed-1"]["error"] is None
    assert "404" in reports["feed-2"]["error"]
    assert "failing" in cli("status").stdout
    assert "404" in cli("status").stdout


def test_pull_needs_names_or_all(cli: CommandLine) -> None:
    assert "Name the sources to pull, or --all" in cli("pull", code=2).stderr
    assert "Name the sources to pull, or --all" in cli("pull", "x", "--all", code=2).stderr
    assert "There is no source 'x'" in cli("pull", "x", code=2).stderr


def test_a_paused_host_is_left_alone_also_by_hand(cli: CommandLine, publisher: Publisher, sqlite_store: Store) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    with sqlite_store.writing() as tx:
        tx.hosts.pause(publisher.host, utc_now() + timedelta(minutes=30), "429 from it")
    hits = publisher.hits.total()
    said = cli("pull", "feed-1", code=1).stdout
    assert "left alone for another 30 min: 429 from it" in said
    assert publisher.hits.total() == hits
    assert f"Left alone: {publisher.host}" in cli("status").stdout


def test_review_holds_approves_and_hides(cli: CommandLine, publisher: Publisher, sqlite_store: Store) -> None:
    cli("source", "add", publisher.url("/good/1.xml"), "--policy", "hold")
    assert _titles(sqlite_store) == set()
    waiting = cli.json("review", "list")
    assert [one["reason"] for one in waiting] == ["the source holds everything for review"] * 3
    first, second, third = (one["id"] for one in waiting)
    assert cli("review", "approve", first, second).stdout == f"{first}: approved.\n{second}: approved.\n"
    assert len(_titles(sqlite_store)) == 2
    cli("review", "hide", first, "--reason", "a mistake")
    assert len(_titles(sqlite_store)) == 1
    [hidden] = cli.json("review", "list", "--state", "hidden")
    assert (hidden["id"], hidden["reason"], hidden["review_by"]) == (first, "a mistake", "person")
    assert "there is no such item" in cli("review", "hide", "999999", code=1).stderr
    assert (
        "approved from 2999-01-01 00:00:00 UTC on" in cli("review", "approve", third, "--at", "2999-01-01T00:00").stdout
    )
    assert len(_titles(sqlite_store)) == 1


def test_review_list_is_readable_and_harmless_to_terminals(cli: CommandLine, publisher: Publisher) -> None:
    publisher.feeds["1"].entries[0].title = "Tab\tand \x1b[31mred"
    cli("source", "add", publisher.url("/good/1.xml"), "--policy", "hold")
    said = cli("review", "list").stdout
    assert said.splitlines()[0].split() == ["ID", "SOURCE", "KIND", "PUBLISHED", "WHAT", "WHY"]
    assert "\x1b[31m" not in said


def test_status_says_that_nothing_runs_and_how_to_start_it(cli: CommandLine, sqlite_store: Store) -> None:
    assert "has never run; start 'aggregator run'" in cli("status").stdout
    assert "The scheduler has never run" in cli("status", "--ticking", code=1).stderr
    with sqlite_store.writing() as tx:
        tx.stream.beat(utc_now())
    assert "ticking" in cli("status").stdout
    cli("status", "--ticking")
    with sqlite_store.writing() as tx:
        tx.stream.beat(utc_now() - timedelta(minutes=5))
    assert "last ticked 5 min ago; start it again" in cli("status").stdout
    cli("status", "--ticking", code=1)


def test_status_for_programs(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    system, source = cli.json("status")
    assert system["last_tick"] is None
    assert (source["slug"], source["state"], source["failures"]) == ("feed-1", "active", 0)


def test_settings_are_printed_with_their_origin_and_no_secret(cli: CommandLine) -> None:
    cli.environ["AGGREGATOR_X_BEARER_TOKEN"] = "very-secret"
    rows = {one["variable"]: one for one in cli.json("settings")}
    assert rows["AGGREGATOR_X_BEARER_TOKEN"]["value"] == "****"
    assert rows["AGGREGATOR_X_BEARER_TOKEN"]["origin"] == "environment"
    assert rows["AGGREGATOR_LEASE"] == {
        "variable": "AGGREGATOR_LEASE",
        "value": "300 s",
        "origin": "default",
        "meaning": "how long a worker owns the sources it took before another may take them",
    }
    assert "very-secret" not in cli("settings").output


def test_a_wrong_setting_is_wrong_usage(cli: CommandLine) -> None:
    cli.environ |= {"AGGREGATOR_LEASE": "soon", "AGGREGATOR_TYPO": "1"}
    said = cli("status", code=2).stderr
    assert "AGGREGATOR_LEASE: 'soon' can't be used; allowed is seconds, 10 to 3600." in said
    assert "AGGREGATOR_TYPO is no setting of ours" in said


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("source", "list"),
        ("source", "add", "https://x.example/"),
        ("pull", "--all"),
        ("review", "list"),
        ("serve",),
    ],
    ids=" ".join,
)
def test_every_word_says_that_the_schema_does_not_fit(
    cli: CommandLine, sqlite_store: Store, tmp_path: Path, words: tuple[str, ...]
) -> None:
    with sqlite_store.writing() as tx:
        tx.stream._connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "is newer than this version of the program" in cli(*words, code=1).stderr
    cli.environ["AGGREGATOR_DATABASE_URL"] = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    assert "no schema yet; run 'aggregator migrate'" in cli(*words, code=1).stderr
    assert cli("migrate").stdout == "Applied 0001.\n"
    assert cli("migrate").stdout == "The schema is up to date.\n"


def test_a_database_that_is_away_is_told_plainly(cli: CommandLine) -> None:
    cli.environ["AGGREGATOR_DATABASE_URL"] = "postgresql://me:secret@127.0.0.1:1/x"
    said = cli("status", code=1).output
    assert said.startswith("aggregator: The database does not answer:")
    assert "secret" not in said
    assert "Traceback" not in said


def test_help_shows_every_word(cli: CommandLine) -> None:
    said = cli("--help").stdout
    for word in ("run", "serve", "demo", "source", "pull", "review", "status", "settings", "migrate"):
        assert f"\n  {word} " in said
