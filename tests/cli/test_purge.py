"""Test the output and effects of `purge` and `compliance`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from aggregator.domain.stream import Query
from tests.sources.twitter.compliant_x import CompliantX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Store
    from tests.cli.conftest import CommandLine


@pytest.fixture
def x() -> Iterator[CompliantX]:
    with CompliantX() as x:
        x.account(1, "desk_example")
        x.account(2, "river_lab")
        x.post(100, 2, "The original words")
        x.post(200, 1, "RT @river_lab: The original", about=(("retweeted", 100),))
        x.post(210, 1, "My own comment", about=(("quoted", 100),))
        x.post(230, 1, "Something else")
        yield x


@pytest.fixture
def following(cli: CommandLine, x: CompliantX) -> CommandLine:
    cli.environ |= {"AGGREGATOR_X_BASE_URL": x.url, "AGGREGATOR_X_BEARER_TOKEN": "token"}
    cli("source", "add", "@river_lab", "@desk_example")
    cli("pull", "--all")
    return cli


def _shown(store: Store) -> set[str]:
    with store.reading() as tx:
        return {item.native_id for item in tx.stream.activities.page(Query(limit=100, stitch=False)).items}


@pytest.mark.parametrize(
    "given",
    [
        "100",
        pytest.param("x:100", marks=pytest.mark.slow),
        "https://x.com/river_lab/status/100",
        pytest.param("https://twitter.com/i/status/100?s=20", marks=pytest.mark.slow),
    ],
)
def test_a_post_is_purged_by_id_or_address(given: str, following: CommandLine, sqlite_store: Store) -> None:
    assert following("purge", "post", given).stdout == (
        "x:100: 1 post and 1 repost of it removed; 1 quote of it keeps its own text; it will not be imported again.\n"
    )
    assert _shown(sqlite_store) == {"210", "230"}
    assert following("purge", "post", given).stdout == "x:100: already deleted.\n"


def test_a_post_is_purged_by_the_id_of_its_newest_version(
    following: CommandLine, x: CompliantX, sqlite_store: Store
) -> None:
    x.edit(230, 240, "Something else, put right")
    following("pull", "--all")
    assert "1 post removed; it will not be imported again." in following("purge", "post", "240").stdout
    assert "230" not in _shown(sqlite_store)


def test_a_post_that_was_never_seen_is_kept_out(following: CommandLine, x: CompliantX, sqlite_store: Store) -> None:
    assert following("purge", "post", "300").stdout == "x:300: not stored; it will never be imported.\n"
    x.post(300, 1, "Never to be seen")
    x.post(301, 1, "To be seen")
    following("pull", "--all")
    assert {"301"} == _shown(sqlite_store) - {"100", "200", "210", "230"}


def test_what_is_no_post_is_refused(following: CommandLine) -> None:
    output = following("purge", "post", "100", "https://example.org/100", code=2).stderr
    assert "'https://example.org/100' isn't the id, the key or the address of a post" in output
    assert following.json("compliance", "report") == []  # and nothing was done


@pytest.mark.parametrize(
    "given",
    [
        *(pytest.param(given, marks=pytest.mark.slow) for given in ("@river_lab", "2")),
        "@River_Lab",
        "https://x.com/river_lab",
    ],
)
def test_an_account_is_purged(given: str, following: CommandLine, x: CompliantX, sqlite_store: Store) -> None:
    assert following("purge", "account", given).stdout == (
        "x:@2: 1 post and 1 repost of them removed; 1 quote of it kept with their own text; "
        "nothing of it will be imported again. river-lab removed from the sources.\n"
    )
    x.post(101, 2, "More words")
    x.post(231, 1, "RT @river_lab: More words", about=(("retweeted", 101),))
    following("pull", "--all")
    assert _shown(sqlite_store) == {"210", "230"}
    assert following("purge", "account", "2").stdout == "x:@2: already deleted.\n"
    with sqlite_store.reading() as tx:
        assert tx.stream.actors.known("x", ["2"])["2"].name == "Removed account"


def test_an_unknown_handle_is_told(following: CommandLine) -> None:
    assert "There is no stored account @nobody" in following("purge", "account", "@nobody", code=2).stderr
    assert "isn't an account" in following("purge", "account", "river lab", code=2).stderr
    assert following("purge", "account", "77").stdout == (
        "x:@77: nothing of it is stored, and nothing of it will be imported.\n"
    )


def test_a_network_is_purged_when_its_name_is_typed(following: CommandLine, sqlite_store: Store) -> None:
    refused = following("purge", "network", "x", typed="no\n", code=2).stderr
    assert "This deletes 4 posts of x permanently; its sources stop." in refused
    assert "Nothing was removed." in refused
    assert len(_shown(sqlite_store)) == 4
    done = following("purge", "network", "x", typed="x\n").stdout
    assert done == "4 items of x deleted, with the profiles of its accounts; 2 sources stopped.\n"
    assert _shown(sqlite_store) == set()
    with sqlite_store.engine.connect() as connection:
        for table in ("raw_payload", "activity_version", "checked", "billed", "compliance_job"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0
        assert connection.execute(text("SELECT DISTINCT name FROM actor")).scalars().all() == ["Removed account"]
        states = connection.execute(text("SELECT state, fetch_state FROM source")).all()
        assert {tuple(row) for row in states} == {("stopped", "{}")}
    assert following("purge", "network", "x", "--yes").stdout == "There is no content of x to delete.\n"
    assert "all verified" in following("compliance", "report").stdout


def test_a_sweep_says_what_it_found_and_the_report_proves_it(following: CommandLine, x: CompliantX) -> None:
    following.environ["AGGREGATOR_X_SWEEP"] = "lookup"
    x.gone[100] = "deleted"
    output = following("compliance", "sweep").stdout
    assert output == "x: 4 posts stored, 4 posts looked up; 1 deleted (3 items removed or shortened), 0 updated.\n"
    lines = following("compliance", "report").stdout.splitlines()
    assert re.fullmatch(r"KEY +REASON +UPSTREAM +DETECTED +REMOVED +DELAY +ITEMS +VERIFIED", lines[0])
    assert re.fullmatch(r"x:100 +deleted on X \(lookup\) +- +[-0-9: ]{38,} +[\d.]+ s +3 +yes", lines[1])
    assert re.fullmatch(
        r"1 removed since [-\d]+; from detection to removal [\d.]+ s median, [\d.]+ s maximum; all verified\.",
        lines[3],
    )
    [report] = following.json("compliance", "report")
    assert (report["key"], report["how"], report["activities"], report["verified"]) == ("x:100", "lookup", 3, True)


def test_the_report_fails_where_something_is_left(following: CommandLine, sqlite_store: Store) -> None:
    following("purge", "post", "100")
    with sqlite_store.engine.begin() as connection:
        connection.execute(text("UPDATE activity SET text = 'left' WHERE native_id = '100'"))
    output = following("compliance", "report", code=1).stdout
    assert output.splitlines()[1].endswith("NO")
    assert "STILL STORED: x:100" in output


def test_the_report_begins_where_it_is_told(following: CommandLine) -> None:
    following("purge", "post", "100")
    assert (
        following("compliance", "report", "--since", "2999-01-01").stdout == "Nothing was removed since 2999-01-01.\n"
    )
    assert len(following.json("compliance", "report", "--since", "2026-01-01")) == 1


def test_the_sweep_is_told_to_programs_as_well(following: CommandLine) -> None:
    [report] = [json.loads(line) for line in following("compliance", "sweep", "--json").stdout.splitlines()]
    assert (report["network"], report["held"], report["gone"]) == ("x", 4, 0)
    assert report["notes"] == ["A job over 4 posts was started.", "A job over 2 accounts was started."]
