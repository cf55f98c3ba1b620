"""Test `source` as a user sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete

from aggregator.__main__ import aggregator
from aggregator.demo import SAMPLE_TOKEN
from aggregator.domain.polling.api_refusals import Refusal
from aggregator.domain.stream import Query
from tests.upstream import refused
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store
    from tests.cli.conftest import CommandLine
    from tests.upstream import Publisher


def _shown(store: Store) -> int:
    with store.reading() as tx:
        return len(tx.stream.activities.page(Query(limit=100)).items)


def test_adding_a_feed_is_its_first_poll_and_one_request(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store
) -> None:
    output = cli("source", "add", publisher.url("/good/1.xml")).stdout
    assert output == "feed-1: added Feed 1 (rss, adaptive, 3 items).\n"
    assert publisher.hits.total() == 1
    assert _shown(sqlite_store) == 3
    [listed] = cli.json("source", "list")
    assert (listed["slug"], listed["kind"], listed["policy"], listed["every"]) == ("feed-1", "rss", "auto", None)


def test_a_page_that_announces_a_feed_will_do(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", publisher.url("/page"))
    [listed] = cli.json("source", "list")
    assert listed["address"] == publisher.url("/good/1.xml")


def test_several_at_once_and_from_a_list(cli: CommandLine, publisher: Publisher, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text(f"# our feeds\n\n  {publisher.url('/good/2.xml')}\n{publisher.url('/good/3.xml')}\n")
    cli("source", "add", publisher.url("/good/1.xml"), "--from", str(listed))
    assert [source["slug"] for source in cli.json("source", "list")] == ["feed-1", "feed-2", "feed-3"]


@pytest.mark.parametrize(
    ("path", "saw"),
    [("/html", "No feed here"), ("/empty", "empty"), ("/404", "404"), ("/500", "500"), ("/loop", "loop")],
)
def test_what_is_no_source_is_not_stored_and_named(cli: CommandLine, publisher: Publisher, path: str, saw: str) -> None:
    output = cli("source", "add", publisher.url(path), code=1).stderr
    assert output.startswith(f"{publisher.url(path)}: not added. ")
    assert saw.lower() in output.lower()
    assert cli.json("source", "list") == []


def test_one_that_fails_does_not_stop_the_others(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", refused(), publisher.url("/good/1.xml"), "just words", code=1)
    assert [source["slug"] for source in cli.json("source", "list")] == ["feed-1"]


def test_a_private_address_is_refused_with_the_way_out(cli: CommandLine, publisher: Publisher) -> None:
    cli.environ["AGGREGATOR_PRIVATE_NETWORKS"] = ""
    output = cli("source", "add", publisher.url("/good/1.xml"), code=1).stderr
    assert "AGGREGATOR_PRIVATE_NETWORKS" in output
    assert publisher.hits.total() == 0


def test_taken_addresses_and_slugs(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    assert "already exists as 'feed-1'" in cli("source", "add", publisher.url("/good/1.xml"), code=1).stderr
    output = cli("source", "add", publisher.url("/good/2.xml"), "--slug", "feed-1", code=1).stderr
    assert "slug 'feed-1' is taken" in output
    publisher.feeds["2"].title = "Feed 1"
    cli("source", "add", publisher.url("/good/2.xml"))
    assert [source["slug"] for source in cli.json("source", "list")] == ["feed-1", "feed-1-2"]


def test_wrong_usage(cli: CommandLine, publisher: Publisher) -> None:
    assert "at least one address" in cli("source", "add", code=2).stderr
    two = (publisher.url("/good/1.xml"), publisher.url("/good/2.xml"))
    assert (
        "--slug, --name, --user and --header go with one address"
        in cli("source", "add", *two, "--slug", "x", code=2).stderr
    )
    assert "There is no source 'x'" in cli("source", "show", "x", code=2).stderr
    assert "There is no source 'x'" in cli("source", "pause", "x", code=2).stderr
    assert "There is no source ''" in cli("source", "show", "", code=2).stderr
    for every in ("0", "nan", "1e99", "999999999"):
        assert "--every" in cli("source", "add", two[0], "--every", every, code=2).stderr
    assert publisher.hits.total() == 0


@pytest.mark.parametrize(("slug", "instead"), [("Ä b/c", "; try 'a-b-c'"), ("", ""), ("a" * 41, f"; try '{'a' * 40}'")])
def test_a_slug_that_is_none_is_refused_before_anything_is_fetched(
    cli: CommandLine, publisher: Publisher, slug: str, instead: str
) -> None:
    output = cli("source", "add", publisher.url("/good/1.xml"), "--slug", slug, code=1).stderr
    assert "a slug is up to 40 of a-z, 0-9 and dashes" + instead in output
    assert publisher.hits.total() == 0


def test_a_password_in_an_address_is_not_repeated(cli: CommandLine, publisher: Publisher) -> None:
    output = cli("source", "add", f"http://me:pppp@{publisher.host}/good/1.xml", code=1).output
    assert "carries a user name or password; give the address without" in output
    assert "pppp" not in output
    assert publisher.hits.total() == 0


def test_a_list_that_is_no_text_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"https://news.example/\xff\n")
    assert "The list is not UTF-8 text" in cli("source", "add", "--from", str(tmp_path / "list"), code=2).stderr


def test_one_item_is_no_items(cli: CommandLine, publisher: Publisher) -> None:
    del publisher.feeds["1"].entries[1:]
    assert cli("source", "add", publisher.url("/good/1.xml")).stdout.endswith(", 1 item).\n")
    assert "1 source\n" in cli("status", code=1).stdout
    assert cli("source", "remove", "feed-1", "--items", "hide").stdout == "feed-1: removed, 1 item hidden.\n"


def test_an_interval_below_a_minute_is_for_private_hosts(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", publisher.url("/good/1.xml"), "--every", "10")
    [listed] = cli.json("source", "list")
    assert listed["every"] == 10


def test_an_x_handle(cli: CommandLine) -> None:
    output = cli("source", "add", "@opengovpart", code=1).stderr
    assert "AGGREGATOR_X_BEARER_TOKEN" in output
    with SimulatedUpstream() as upstream:
        cli.environ |= {"AGGREGATOR_X_BASE_URL": upstream.url, "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN}
        assert "added opengovpart (twitter, adaptive, due now)" in cli("source", "add", "@opengovpart").stdout
        output = cli("source", "add", "@nobody_at_all", code=1).stderr
    assert "nobody_at_all" in output
    assert SAMPLE_TOKEN not in output
    [listed] = cli.json("source", "list")
    assert (listed["address"], listed["kind"], listed["every"]) == ("@opengovpart", "twitter", None)


def test_a_profile_address_is_an_x_account_and_no_page(cli: CommandLine) -> None:
    with SimulatedUpstream() as upstream:
        cli.environ |= {"AGGREGATOR_X_BASE_URL": upstream.url, "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN}
        cli("source", "add", "https://x.com/opengovpart")
    assert [source["kind"] for source in cli.json("source", "list")] == ["twitter"]


def test_show_tells_how_the_last_polls_went(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    cli("pull", "feed-1")
    output = cli("source", "show", "feed-1").stdout
    assert "Address: http://127.0.0.1" in output
    assert "adaptive, between" in output
    first, *lines = cli.json("source", "show", "feed-1")
    assert first["slug"] == "feed-1"
    assert [(line["status"], line["outcome"], line["new"]) for line in lines] == [
        (304, "unchanged", 0),
        (200, "new", 3),
    ]


def test_pause_and_resume(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    assert cli("source", "pause", "feed-1").stdout == "feed-1: paused.\n"
    assert "is paused" in cli("pull", "feed-1", code=2).stderr
    cli("source", "resume", "feed-1")
    cli("pull", "feed-1")


def test_all_that_do_not_run_are_resumed_together(cli: CommandLine, publisher: Publisher) -> None:
    for number in (1, 2, 3):
        cli("source", "add", publisher.url(f"/good/{number}.xml"))
    cli("source", "pause", "feed-1", "feed-2")
    assert cli("source", "resume", "--kind", "twitter").stdout == "0 sources resumed.\n"
    assert cli("source", "resume", "--kind", "rss").stdout == "feed-1: resumed.\nfeed-2: resumed.\n2 sources resumed.\n"
    cli("source", "pause", "feed-3")
    assert cli("source", "resume", "--all").stdout == "feed-3: resumed.\n1 source resumed.\n"
    assert "Unknown kind 'fax'" in cli("source", "resume", "--kind", "fax", code=2).stderr
    assert "Give SLUG..., --all or --kind KIND." in cli("source", "resume", "feed-1", "--all", code=2).stderr
    assert "Give SLUG..., --all or --kind KIND." in cli("source", "resume", code=2).stderr


def test_status_names_a_refusal_and_what_to_do(cli: CommandLine, sqlite_store: Store) -> None:
    now = datetime.now(UTC)
    refusals = [
        Refusal("x", "app", "", "credentials", "X refused the token.", now, now + timedelta(hours=1), 0, polls=True),
        Refusal("x", "app", "/2/jobs", "not-allowed", "No jobs.", now, now + timedelta(hours=1), 0, polls=False),
    ]
    with sqlite_store.writing() as tx:
        for refusal in refusals:
            tx.api.refusals.put(refusal)
    printed = cli("status", code=1).stdout
    assert "Refused: X refused the token. Since " in printed
    assert "aggregator source resume --all" in printed
    assert "No jobs" not in printed  # a plan needn't include them
    assert [row["code"] for row in cli.json("status", code=1)[0]["refusals"]] == ["credentials"]
    cli("source", "resume", "--kind", "twitter")  # the next poll probes
    with sqlite_store.reading() as tx:
        assert all(refusal.until <= datetime.now(UTC) for refusal in tx.api.refusals.all())


@pytest.mark.parametrize(("items", "left"), [("keep", 3), ("hide", 0), ("purge", 0)])
def test_removing_says_what_becomes_of_the_items(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store, items: str, left: int
) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    cli("source", "remove", "feed-1", "--items", items)
    assert cli.json("source", "list") == []
    assert _shown(sqlite_store) == left
    cli("source", "add", publisher.url("/good/1.xml"))  # it comes back with what it still holds
    assert _shown(sqlite_store) == left


def test_removing_without_a_terminal_needs_the_word(cli: CommandLine, publisher: Publisher) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    assert "--items keep, hide or purge" in cli("source", "remove", "feed-1", code=2).stderr
    assert len(cli.json("source", "list")) == 1


def test_an_empty_list_says_what_to_do(cli: CommandLine) -> None:
    assert "aggregator source add" in cli("source", "list").stdout


@pytest.mark.parametrize(
    ("slug", "guess"),
    [("feed-11", "feed-1 or"), ("fed-2", "feed-2"), ("FEED-3", "feed-3"), ("Feed 2", "feed-2"), ("zzz", "")],
)
def test_a_mistyped_slug_leads_to_similar_ones(cli: CommandLine, publisher: Publisher, slug: str, guess: str) -> None:
    for number in range(1, 4):
        cli("source", "add", publisher.url(f"/good/{number}.xml"))
    error = cli("source", "show", slug, code=2).stderr
    assert f"There is no source '{slug}'." in error
    assert (f"Did you mean {guess}" in error) if guess else ("Did you mean" not in error)
    assert cli("pull", slug, code=2).stderr == error


def test_a_mistyped_command_leads_to_similar_ones(cli: CommandLine) -> None:
    assert "Did you mean 'status'?" in cli("stauts", code=2).stderr
    assert "Did you mean 'set'?" in cli("source", "sett", code=2).stderr
    assert "Did you mean" not in cli("xyzzy", code=2).stderr


def test_shells_complete_slugs(cli: CommandLine, publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 4):
        cli("source", "add", publisher.url(f"/good/{number}.xml"))
    for name, value in cli.environ.items():
        monkeypatch.setenv(name, value)

    def completed(*words: str) -> list[str]:
        *before, incomplete = words
        completion = ShellComplete(aggregator, {}, "aggregator", "_AGGREGATOR_COMPLETE")
        return [item.value for item in completion.get_completions(before, incomplete)]

    assert completed("source", "show", "feed-") == ["feed-1", "feed-2", "feed-3"]
    assert completed("pull", "feed-1", "feed-2") == ["feed-2"]
    assert completed("source", "pause", "x") == []
    assert completed("sta") == ["status"]
    monkeypatch.setenv("AGGREGATOR_DATABASE_URL", "sqlite:////nowhere/db.sqlite3")
    assert completed("source", "show", "feed-") == []
