"""Test `topics preview` and `topics apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.stream import Query
from tests.building import add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store
    from tests.cli.conftest import CommandLine

TOML = "[topics.water]\nlabel = 'Water'\nkeywords = {en = ['water']}\n"


def test_what_a_file_would_tag_is_shown_and_then_done(cli: CommandLine, sqlite_store: Store, tmp_path: Path) -> None:
    source = add_source(sqlite_store)
    ingest_now(sqlite_store, source, [an_activity("1", title="Water in Ghana"), an_activity("2", title="Fire")])
    cli.environ["AGGREGATOR_CONFIG_DIR"] = str(tmp_path)
    (tmp_path / "topics.toml").write_text(TOML, "utf-8")

    rehearsed = cli("topics", "rehearse").stdout
    assert "1: Water in Ghana  +water (Water), +GH (Ghana)" in rehearsed
    assert "1 of 2 items would get different tags." in rehearsed
    assert "  +1 water" in rehearsed
    with sqlite_store.reading() as tx:
        assert not tx.stream.activities.page(Query(topics=frozenset({"water"}))).items

    assert cli("topics", "apply").stdout == "1 of 2 items have different tags now.\n"
    assert cli("topics", "apply").stdout == "0 of 2 items have different tags now.\n"
    with sqlite_store.reading() as tx:
        assert len(tx.stream.activities.page(Query(topics=frozenset({"water"}))).items) == 1
    assert "topics applied" in cli("audit", "list").stdout

    (tmp_path / "topics.toml").write_text("[topics.fire]\nlabel = 'Fire'\nkeywords = {en = ['fire']}\n", "utf-8")
    rehearsed = cli("topics", "rehearse", "--examples", "1").stdout
    assert "-1 water" in rehearsed
    assert "and 1 more" in rehearsed
    assert "1 of 1 items" in cli("topics", "rehearse", "--newest", "1").stdout


def test_without_a_usable_file_a_sentence_says_what_to_do(cli: CommandLine, tmp_path: Path) -> None:
    assert "AGGREGATOR_CONFIG_DIR is not set" in cli("topics", "apply", code=1).stderr
    cli.environ["AGGREGATOR_CONFIG_DIR"] = str(tmp_path)
    assert "topics.toml does not exist" in cli("topics", "apply", code=1).stderr
    (tmp_path / "topics.toml").write_text("x", "utf-8")
    assert "Invalid TOML" in cli("topics", "rehearse", code=2).stderr
