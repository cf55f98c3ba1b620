"""Test `source set|sign-in|revert|release|drop|backfill` and `host`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.config.credential_encryption import basic
from aggregator.container import utc_now
from aggregator.domain.activity import Review
from aggregator.domain.source import Place, Policy
from aggregator.services.screen_entries import screened
from tests.building import an_activity
from tests.etiquette.publisher import Publisher as Scripted
from tests.etiquette.publisher import Says, feed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aggregator.domain.activity import ScreenedActivity
    from storage.store import Store
    from tests.cli.conftest import CommandLine
    from tests.upstream import Publisher


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with Scripted() as scripted:
        yield scripted


@pytest.fixture
def added(cli: CommandLine, publisher: Publisher) -> str:
    cli("source", "add", publisher.url("/good/1.xml"))
    return "feed-1"


def test_how_a_source_is_polled_can_be_changed(cli: CommandLine, added: str) -> None:
    output = cli("source", "set", added, "--every", "2h", "--slow", "--identity", "guid").stdout
    assert output == "feed-1: changed.\n"
    output = cli("source", "show", added).stdout
    assert "Interval: every 2 h, between 1 s and 24 h" in output
    assert "Options: identity: guid, slow: True" in output
    cli("source", "set", added, "--every", "auto", "--not-slow")
    output = cli("source", "show", added).stdout
    assert "Interval: adaptive" in output
    assert "Options: identity: guid, slow: False" in output


def test_a_new_interval_counts_from_the_last_poll(cli: CommandLine, added: str, sqlite_store: Store) -> None:
    def due_in() -> timedelta:
        with sqlite_store.reading() as tx:
            source = tx.polling.sources.get(added)
        assert source is not None
        assert source.poll.due is not None
        assert source.poll.last_polled is not None
        return source.poll.due - source.poll.last_polled

    for every, seconds in (("6h", 21_600), ("1h30m", 5400), ("90", 90)):
        cli("source", "set", added, "--every", every)
        assert timedelta(seconds=seconds) <= due_in() < timedelta(seconds=seconds + 60)  # 90 s may have passed
    assert "feed-1" in cli("source", "list").stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "Give at least one option"),
        (("--every", "soon"), "'soon' is not a duration, such as 90s, 10m, 2h or 1d, or 'auto'."),
        (("--every", "2y"), "'2y' is not a duration"),
        (("--every", "0"), "'0' is outside of 1s to 366d."),
        (("--floor", "30"), "'30' is outside of 1m to 366d."),
        (("--policy", "delay", "--delay", "8d"), "'8d' is outside of 1m to 7d."),
        (("--floor", "600", "--every", "60"), "more often than every 600 s"),
        (("--floor", "7200", "--ceiling", "3600"), "is above its ceiling"),
        (("--floor", "5"), "--floor"),
        (("--identity", "taste"), "--identity"),
    ],
)
def test_what_makes_no_sense_changes_nothing(cli: CommandLine, added: str, words: tuple[str, ...], reason: str) -> None:
    before = cli("source", "show", added).stdout.splitlines()[:8]
    assert reason in cli("source", "set", added, *words, code=2).stderr
    assert cli("source", "show", added).stdout.splitlines()[:8] == before


def test_a_feed_behind_a_sign_in(cli: CommandLine, scripted: Scripted, sqlite_store: Store) -> None:
    url = scripted.says("/f", Says(feed(1)))
    cli("source", "add", url, "--user", "ann", "--header", "X-Key", typed="s3cret\nk3y\n")
    assert scripted.last["authorization"] == basic("ann", "s3cret")["Authorization"]
    assert scripted.last["x-key"] == "k3y"
    cli("pull", "feed")
    assert scripted.last["x-key"] == "k3y"
    with sqlite_store.reading() as tx:
        [source] = tx.polling.sources.each()
    assert source.sealed is not None
    for words in (("source", "show", "feed"), ("source", "show", "feed", "--json"), ("source", "list", "--json")):
        output = cli(*words).stdout
        assert not any(secret in output for secret in ("s3cret", "k3y", source.sealed))
    assert "Credentials: stored" in cli("source", "show", "feed").stdout
    cli("source", "sign-in", "feed", "--header", "X-Key", typed="other\n")
    cli("pull", "feed")
    assert scripted.last["x-key"] == "other"
    assert "authorization" not in scripted.last
    cli("source", "sign-in", "feed", "--none")
    cli("pull", "feed")
    assert "x-key" not in scripted.last
    assert "Give --user or --header, or --none" in cli("source", "sign-in", "feed", code=2).stderr
    assert "no more lines" in cli("source", "sign-in", "feed", "--user", "ann", typed="", code=2).stderr
    assert "is not a header name" in cli("source", "sign-in", "feed", "--header", "a b", typed="x\n", code=2).stderr


def test_a_move_is_shown_and_taken_back(cli: CommandLine, added: str, sqlite_store: Store) -> None:
    assert "has no permanent redirect to undo" in cli("source", "revert", added, code=2).stderr
    with sqlite_store.writing() as tx:
        source = tx.polling.sources.get(added)
        assert source is not None
        place = Place("https://new.example/feed", "new.example:443")
        assert tx.polling.sources.move(source, place, "permanently redirected 3 times", utc_now(), who="system")
    output = cli("source", "show", added).stdout
    assert "Address: https://new.example/feed" in output
    assert f"Former address: {source.address}, left " in output
    assert cli("source", "revert", added).stdout == f"{added}: polled at {source.address} again.\n"
    assert "permanently to https://new.example/feed, reverted by hand" in cli("source", "show", added).stdout
    with sqlite_store.reading() as tx:
        assert [note["who"] for note in tx.moderation.audit.of(f"source:{added}")][:2] == ["command line", "system"]


def test_a_burst_is_released_or_dropped(cli: CommandLine, added: str, sqlite_store: Store) -> None:
    def burst(*names: str) -> None:
        with sqlite_store.writing() as tx:
            source = tx.polling.sources.get(added)
            assert source is not None
            screening = [screened(an_activity(name), Policy.AUTO, utc_now()) for name in names]
            tx.stream.activities.store(source.id, screening, utc_now(), judge=_quarantined)

    burst("a", "b")
    assert cli("source", "drop", added).stdout == "feed-1: 2 items dropped.\n"
    burst("a", "c")
    assert cli("source", "release", added).stdout == "feed-1: 1 item shown.\n"


def _quarantined(fresh: Sequence[ScreenedActivity]) -> list[ScreenedActivity]:
    return [replace(entry, review=Review.QUARANTINED) for entry in fresh]


def test_who_is_gone_is_asked_once_a_month_at_most(cli: CommandLine, scripted: Scripted) -> None:
    cli("source", "add", scripted.says("/f", Says(feed(1)), Says(status=410)), "--slug", "f")
    cli("pull", "f", code=1)
    assert "f answered 410 Gone 0 s ago; " in cli("source", "resume", "f", code=2).stderr
    assert "f: not resumed. f answered 410 Gone" in cli("source", "resume", "--all").stderr
    assert len(scripted.requests) == 2
    assert cli("source", "resume", "f", "--anyway").stdout == "f: resumed.\n"


def test_an_archive_is_read_page_by_page(cli: CommandLine, scripted: Scripted) -> None:
    link = "<a:link xmlns:a='http://www.w3.org/2005/Atom' rel='prev-archive' href='/old'/>"
    scripted.says("/old", Says(feed(1, 2)))
    cli("source", "add", scripted.says("/f", Says(feed(3, extra=link))), "--slug", "f")
    assert cli("source", "backfill", "f").stdout == "Page 1: 2 new, 0 changed, 0 known.\nf: 1 archive page read.\n"
    scripted.says("/f", Says(feed(3)))
    assert cli("source", "backfill", "f").stdout == "f: no older items.\n"


def test_hosts_are_grouped_as_operators_say(cli: CommandLine, added: str, sqlite_store: Store) -> None:
    assert "tumblr.com" in cli("host", "list").stdout
    output = cli("host", "group", "127.0.0.1", "--name", "here.example", "--spacing", "0", "--pauses", "url").stdout
    assert output == "127.0.0.1: in the group here.example; workers know within a minute.\n"
    with sqlite_store.reading() as tx:
        source = tx.polling.sources.get(added)
    assert source is not None
    assert source.host == f"here.example:{source.own_host.rpartition(':')[2]}"
    [group] = [row for row in cli.json("host", "list") if row.get("suffix") == "127.0.0.1"]
    assert (group["name"], group["pauses"]) == ("here.example", "url")
    assert cli("host", "ungroup", "127.0.0.1").stdout == "127.0.0.1: no longer a group.\n"
    assert "There is no group" in cli("host", "ungroup", "127.0.0.1", code=2).stderr
    assert "is not a host name" in cli("host", "group", "https://x.example/", code=2).stderr
    with sqlite_store.writing() as tx:
        tx.polling.hosts.pause(source.own_host, utc_now() + timedelta(hours=3), utc_now(), "429 from it")
    assert f"Paused: {source.own_host}, for another 3 h (429 from it)" in cli("host", "list").stdout
    assert cli("host", "resume", source.own_host).stdout == f"{source.own_host}: polled again.\n"
    assert "is not paused" in cli("host", "resume", source.own_host, code=2).stderr
