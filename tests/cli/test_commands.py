"""Test `pull`, `review`, `status`, `settings` and `migrate`, and errors about databases that all commands share."""

from __future__ import annotations

import fcntl
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from aggregator.config.settings import Settings
from aggregator.container import Container, utc_now
from aggregator.domain.polling.results import PollStatus, UnreadEntry
from aggregator.domain.stream import Query
from aggregator.services.poll_report import Report
from tests.building import NOON, add_source
from tests.storage.test_schema import REVISIONS
from tests.upstream import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store
    from tests.cli.conftest import CommandLine
    from tests.upstream import Publisher


def _titles(store: Store) -> set[str | None]:
    with store.reading() as tx:
        return {item.content.title for item in tx.stream.activities.page(Query(limit=100)).items}


def test_pull_reports_each_source(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", *(publisher.url(f"/good/{n}.xml") for n in (1, 2)))
    publisher.feeds["1"].entries.insert(0, Entry("fresh", "Fresh"))
    publisher.feeds["1"].entries[1].title = "Edited"
    reports = {report.pop("slug"): report for report in cli.json("pull", "--all")}
    assert reports["feed-1"] == {"outcome": "new", "new": 1, "changed": 1, "unchanged": 2, "error": None}
    assert reports["feed-2"] == {"outcome": "unchanged", "new": 0, "changed": 0, "unchanged": 0, "error": None}
    assert cli("pull", "feed-1").stdout == "feed-1: unchanged (0 new, 0 changed, 0 known)\n"


def test_a_failing_source_fails_the_pull_and_only_itself(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", *(publisher.url(f"/good/{n}.xml") for n in (1, 2)))
    del publisher.feeds["2"]
    reports = {report["slug"]: report for report in cli.json("pull", "--all", code=1)}
    assert reports["feed-1"]["error"] is None
    assert "404" in reports["feed-2"]["error"]
    assert "failing" in cli("status", code=1).stdout
    assert "404" in cli("status", code=1).stdout


def test_pull_needs_names_or_all(cli: CommandLine) -> None:
    assert "Name the sources to pull, or --all" in cli("pull", code=2).stderr
    assert "Name the sources to pull, or --all" in cli("pull", "x", "--all", code=2).stderr
    assert "There is no source 'x'" in cli("pull", "x", code=2).stderr


def test_there_is_nothing_to_pull(cli: CommandLine, publisher: Publisher) -> None:
    assert "no active source to pull" in cli("pull", "--all").stderr
    assert cli.json("pull", "--all") == []
    cli("source", "add", publisher.url("/good/1.xml"))
    cli("source", "pause", "feed-1")
    assert cli.json("pull", "--all") == []
    assert publisher.hits.total() == 1


def test_pulling_twice_writes_nothing_the_second_time(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store
) -> None:
    def rows() -> list[tuple[object, ...]]:
        with sqlite_store.reading() as tx:
            connection = tx.stream._connection
            return [tuple(row) for row in connection.execute(text("SELECT * FROM activity ORDER BY id"))]

    cli("source", "add", publisher.url("/good/1.xml"))
    before = rows()
    publisher.feeds["1"].etag = False  # so that the whole feed is sent again
    publisher.feeds["1"].entries.reverse()  # and is not even the same bytes
    [report] = cli.json("pull", "feed-1")
    assert (report["outcome"], report["unchanged"]) == ("unchanged", 3)
    assert rows() == before


def test_a_pull_beside_one_that_ends_does_it_itself(cli: CommandLine, publisher: Publisher, tmp_path: Path) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    with (tmp_path / "writer.lock").open("a") as other:  # holds the lock, but serves no requests
        fcntl.flock(other, fcntl.LOCK_EX)
        ending = threading.Timer(1.0, lambda: fcntl.flock(other, fcntl.LOCK_UN))
        ending.start()
        assert cli("pull", "feed-1").stdout == "feed-1: unchanged (0 new, 0 changed, 0 known)\n"
        ending.join()


def test_a_pull_that_nobody_takes_up_says_so_after_a_lease(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store
) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    with sqlite_store.writing() as tx:
        [source] = tx.polling.sources.each()
        tx.polling.schedule.claim_these([source.id], utc_now(), lease=timedelta(hours=1), token="a worker that died")
    container = Container(replace(Settings.from_environment(cli.environ), lease=timedelta(seconds=1)))
    reports: list[Report] = []
    container.pull.run([source], reports.append)
    container.close()
    assert reports == [Report("feed-1", PollStatus.FAILED, error="no worker polled it; is one running?")]


def test_a_paused_host_is_left_alone_also_by_hand(cli: CommandLine, publisher: Publisher, sqlite_store: Store) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    with sqlite_store.writing() as tx:
        tx.polling.hosts.pause(publisher.host, utc_now() + timedelta(minutes=30), utc_now(), "429 from it")
    hits = publisher.hits.total()
    output = cli("pull", "feed-1", code=1).stdout
    assert "paused for another 30 min: 429 from it" in output
    assert publisher.hits.total() == hits
    assert f"Paused: {publisher.host}" in cli("status", code=1).stdout
    [paused] = cli.json("status", code=1)[0]["paused_hosts"]
    assert (paused["host"], paused["reason"]) == (publisher.host, "429 from it")


def test_a_host_that_asks_for_silence_gets_it(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    assert "429 Too Many Requests" in cli("source", "add", publisher.url("/429"), code=1).stderr
    [report] = cli.json("pull", "feed-1", code=1)
    assert re.search(r"paused for another 1(19|20) s|for another 2 min", report["error"])
    assert publisher.hits["/good/1.xml"] == 1


def test_review_holds_approves_and_hides(cli: CommandLine, publisher: Publisher, sqlite_store: Store) -> None:
    cli("source", "add", publisher.url("/good/1.xml"), "--policy", "hold")
    assert _titles(sqlite_store) == set()
    waiting = cli.json("review", "list")
    assert [item["reason"] for item in waiting] == ["the source holds everything for review"] * 3
    first, second, third = (item["id"] for item in waiting)
    assert cli("review", "approve", first, second).stdout == f"{first}: approved.\n{second}: approved.\n"
    assert len(_titles(sqlite_store)) == 2
    cli("review", "hide", first, "--reason", "a mistake")
    assert len(_titles(sqlite_store)) == 1
    [hidden] = cli.json("review", "list", "--state", "hidden")
    assert (hidden["id"], hidden["reason"], hidden["review_by"]) == (first, "a mistake", "person")
    assert "no such item" in cli("review", "hide", "999999", code=1).stderr
    assert (
        "approved from 2999-01-01 00:00:00 UTC on" in cli("review", "approve", third, "--at", "2999-01-01T00:00").stdout
    )
    assert len(_titles(sqlite_store)) == 1


@pytest.mark.parametrize("at", [(), ("--at", "2999-01-01T00:00:00Z")])
def test_approving_what_is_not_there_fails_plainly(cli: CommandLine, publisher: Publisher, at: tuple[str, ...]) -> None:
    cli("source", "add", publisher.url("/good/1.xml"), "--policy", "hold")
    [waiting, *_] = cli.json("review", "list")
    result = cli("review", "approve", "999999", waiting["id"], *at, code=1)
    assert result.stderr.startswith("999999: no such item")
    assert result.stdout.startswith(f"{waiting['id']}: approved")
    assert "no such item" in cli("review", "approve", "999999", *at, code=1).stderr
    for wrong in ("0", "9" * 19, "x"):
        assert "Invalid value" in cli("review", "approve", wrong, *at, code=2).stderr


def test_review_list_is_readable_and_harmless_to_terminals(cli: CommandLine, publisher: Publisher) -> None:
    publisher.feeds["1"].entries[0].title = "Tab\tand \x1b[31mred"
    cli("source", "add", publisher.url("/good/1.xml"), "--policy", "hold")
    output = cli("review", "list").stdout
    assert output.splitlines()[0].split() == ["ID", "SOURCE", "KIND", "PUBLISHED", "WHAT", "WHY"]
    assert "\x1b[31m" not in output


def test_status_says_that_nothing_runs_and_how_to_start_it(cli: CommandLine, sqlite_store: Store) -> None:
    assert "has never run; start 'aggregator run'" in cli("status", code=1).stdout
    assert "The scheduler has never run" in cli("status", "--ticking", code=1).stderr
    with sqlite_store.writing() as tx:
        tx.stream.state.beat(utc_now())
    assert "ticking" in cli("status").stdout
    cli("status", "--ticking")
    with sqlite_store.writing() as tx:
        tx.stream.state.beat(utc_now() - timedelta(minutes=5))
    assert "last ticked 5 min ago; start it again" in cli("status", code=1).stdout
    cli("status", "--ticking", code=1)


def test_status_for_programs(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    system, source = cli.json("status", code=1)
    assert system["last_tick"] is None
    assert (source["slug"], source["state"], source["failures"]) == ("feed-1", "active", 0)


def test_status_names_what_is_wrong_with_a_document_until_it_is_right(cli: CommandLine, publisher: Publisher) -> None:
    right = b'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>F</title><item><title>%s</title>'
    right += b"<guid>1</guid></item></channel></rss>"
    publisher.serve("/damaged.xml", right % b"A\xff w\xc3\xb6rd", "application/xml")
    cli("source", "add", publisher.url("/damaged.xml"))

    source = cli.json("status", code=1)[1]
    for _ in range(2):  # also after a poll that finds the same bytes
        assert source["document_note"]
        assert source["document_note"].split(".")[0] in " ".join(cli("status", code=1).stdout.split())
        cli("pull", source["slug"])
        source = cli.json("status", code=1)[1]

    publisher.serve("/damaged.xml", right % b"A word", "application/xml")
    cli("pull", source["slug"])
    assert cli.json("status", code=1)[1]["document_note"] is None


def test_settings_are_printed_with_their_origin_and_no_secret(cli: CommandLine) -> None:
    cli.environ["AGGREGATOR_X_BEARER_TOKEN"] = "very-secret"
    rows = {setting["variable"]: setting for setting in cli.json("settings")}
    assert rows["AGGREGATOR_X_BEARER_TOKEN"]["value"] == "****"
    assert rows["AGGREGATOR_X_BEARER_TOKEN"]["origin"] == "environment"
    assert rows["AGGREGATOR_LEASE"] == {
        "variable": "AGGREGATOR_LEASE",
        "value": "5m",
        "origin": "default",
        "meaning": "how long a worker owns claimed sources before another may claim them",
    }
    assert "very-secret" not in cli("settings").output


def test_a_wrong_setting_is_wrong_usage(cli: CommandLine) -> None:
    cli.environ |= {"AGGREGATOR_LEASE": "soon", "AGGREGATOR_TYPO": "1"}
    output = cli("status", code=2).stderr
    assert "AGGREGATOR_LEASE: invalid value 'soon'; expected a duration, 10s to 1h; a bare number is in sec" in output
    assert "AGGREGATOR_TYPO is an unknown setting" in output


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
    applied = ", ".join(REVISIONS)
    assert cli("migrate").stdout == f"Applied {applied}.\n"
    assert cli("migrate").stdout == "The schema is up to date.\n"


def test_before_anything_was_set_up_every_word_says_so_and_makes_nothing(cli: CommandLine, tmp_path: Path) -> None:
    del cli.environ["AGGREGATOR_DATABASE_URL"]
    cli.environ["AGGREGATOR_DATA_DIR"] = str(tmp_path / "new")
    for words in (("status",), ("source", "list"), ("pull", "--all"), ("serve",)):
        assert "There is no database at " in cli(*words, code=1).stderr
    assert not (tmp_path / "new").exists()
    cli("migrate")
    cli("status", code=1)


@pytest.mark.parametrize("word", ["migrate", "run"])
def test_a_data_directory_that_cannot_be_made_is_told_plainly(cli: CommandLine, tmp_path: Path, word: str) -> None:
    del cli.environ["AGGREGATOR_DATABASE_URL"]
    (tmp_path / "file").write_text("no database, and no folder either")
    cli.environ["AGGREGATOR_DATA_DIR"] = str(tmp_path / "file")
    assert f"The folder {tmp_path / 'file'} can't be written: " in cli(word, code=1).stderr
    cli.environ["AGGREGATOR_DATABASE_URL"] = f"sqlite:///{tmp_path / 'file'}"
    assert "file is not a database" in cli("status", code=1).stderr


def test_the_newest_decision_counts(cli: CommandLine, publisher: Publisher, sqlite_store: Store) -> None:
    cli("source", "add", publisher.url("/good/1.xml"), "--policy", "hold")
    later, earlier, _ = (item["id"] for item in cli.json("review", "list"))
    cli("review", "approve", later, earlier, "--at", "2999-01-01T00:00")
    cli("review", "approve", earlier, "--at", "2998-01-01T00:00")
    cli("review", "hide", later)
    with sqlite_store.writing() as tx:
        assert tx.moderation.reviews.apply_due(datetime(2998, 6, 1, tzinfo=UTC)) == 1
        assert tx.moderation.reviews.apply_due(datetime(3000, 1, 1, tzinfo=UTC)) == 0
    assert len(_titles(sqlite_store)) == 1


def test_a_database_that_is_away_is_told_plainly(cli: CommandLine) -> None:
    cli.environ["AGGREGATOR_DATABASE_URL"] = "postgresql://me:secret@127.0.0.1:1/x"
    output = cli("status", code=1).output
    assert output.startswith("aggregator: The database doesn't respond:")
    assert "secret" not in output
    assert "Traceback" not in output


def test_help_shows_every_word(cli: CommandLine) -> None:
    output = cli("--help").stdout
    for word in ("run", "serve", "demo", "source", "pull", "review", "status", "settings", "migrate"):
        assert f"\n  {word} " in output


def test_status_counts_what_could_not_be_read(cli: CommandLine, sqlite_store: Store) -> None:
    source = add_source(sqlite_store)
    with sqlite_store.writing() as tx:
        tx.stream.unread.keep(source.id, [UnreadEntry("1", "x:1", "odd", b"{}")], "1", NOON)
    shown = cli("status", code=1).stdout
    assert "Not readable: 1 item of 1 source, kept until a newer version can read them" in shown
    assert "1 item not readable" in shown
    system, listed = cli.json("status", code=1)
    assert (system["unread_entries"], listed["unread_entries"]) == (1, 1)
