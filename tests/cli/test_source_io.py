"""Test `source export` and `source import`: round trips, lists of other readers, and errors."""

from __future__ import annotations

import tomllib
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from aggregator.container import utc_now
from aggregator.demo import SAMPLE_TOKEN
from aggregator.domain.source import Policy, SourceState
from aggregator.services.subscription_lists.opml import OWN
from storage.store import Store
from tests.building import add_source, due_of
from tests.cli.conftest import CommandLine
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.domain.source import Source
    from tests.upstream import Publisher


def _held(store: Store) -> dict[str, Source]:
    with store.reading() as tx:
        return {source.slug: source for source in tx.polling.sources.each()}


def _settings(store: Store) -> dict[str, Any]:
    """Return the settings of each source."""
    return {
        slug: (
            *(source.kind, source.name, source.address, source.host, dict(source.options)),
            *(source.state, source.policy, source.delay),
            *(source.on_edit, source.trusted, source.every, source.floor, source.ceiling),
            *(source.folder, source.undescribed),
        )
        for slug, source in _held(store).items()
    }


def _change(store: Store, slug: str, **columns: Any) -> None:
    with store.writing() as tx:
        tx.polling.sources.change(_held(store)[slug].id, **columns)


@pytest.fixture
def elsewhere(cli: CommandLine, tmp_path: Path) -> Iterator[tuple[CommandLine, Store]]:
    """Give another, empty installation."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    url = f"sqlite:///{folder / 'other.sqlite3'}"
    other = CommandLine(
        {**cli.environ, "AGGREGATOR_DATA_DIR": str(folder), "AGGREGATOR_DATABASE_URL": url},
    )
    other("migrate")
    with closing(Store.open(url)) as store:
        yield other, store


def _list(tmp_path: Path, *lines: str, name: str = "feeds.opml") -> str:
    file = tmp_path / name
    file.write_text("\n".join(['<opml version="1.1"><body>', *lines, "</body></opml>"]))
    return str(file)


def _outline(address: str, text: str = "") -> str:
    return f'<outline text="{text}" xmlUrl="{address}"/>'


@pytest.mark.parametrize("form", ["opml", "toml"])
def test_an_export_imported_elsewhere_gives_the_same_sources(
    cli: CommandLine,
    elsewhere: tuple[CommandLine, Store],
    publisher: Publisher,
    sqlite_store: Store,
    tmp_path: Path,
    form: str,
) -> None:
    other, other_store = elsewhere
    for n in (1, 2, 3):
        cli("source", "add", publisher.url(f"/good/{n}.xml"), "--slug", f"s{n}")
    name = 'Néws & "views" <1>\ttab \U0001f4f0'
    _change(sqlite_store, "s1", name=name, policy="delay", delay=90, on_edit="return", trusted=["ana", "Smith, J"])
    _change(sqlite_store, "s3", folder='Press & "media"', undescribed="hold")
    _change(sqlite_store, "s1", every=7200, options={"identity": "guid", "slow": True})
    _change(sqlite_store, "s2", policy="hold", floor=600, ceiling=3600)
    cli("source", "pause", "s3")
    with SimulatedUpstream() as upstream:
        for line in (cli, other):
            line.environ |= {"AGGREGATOR_X_BASE_URL": upstream.url, "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN}
        cli("source", "add", "@opengovpart", "--exclude", "replies")
        cli("source", "add", 'search:"open data"', "--slug", "words")
        file = str(tmp_path / f"sources.{form}")
        hits = publisher.hits.copy()

        assert cli("source", "export", file).stderr == f"5 sources written to {file}.\n"
        output = other("source", "import", file).stdout

    assert output.endswith(f"5 sources in sources.{form}: 5 added, 0 already there, 0 not added.\n")
    assert _settings(other_store) == _settings(sqlite_store)
    assert publisher.hits["/good/1.xml"] == hits["/good/1.xml"] + 1  # looking it up was its first poll
    assert publisher.hits["/good/3.xml"] == hits["/good/3.xml"]  # paused sources are not requested
    again = other("source", "import", file).stdout
    assert again.endswith("0 added, 5 already there, 0 not added.\n")


def test_apply_reads_what_export_writes(
    cli: CommandLine, elsewhere: tuple[CommandLine, Store], publisher: Publisher, sqlite_store: Store, tmp_path: Path
) -> None:
    other, other_store = elsewhere
    cli("source", "add", publisher.url("/good/1.xml"), "--policy", "delay", "--delay", "600")
    cli("source", "add", publisher.url("/good/2.xml"), "--identity", "link", "--policy", "hold")
    _change(sqlite_store, "feed-2", floor=7200, ceiling=14400)
    cli("source", "pause", "feed-2")
    file = tmp_path / "sources.toml"
    file.write_text(cli("source", "export", "--format", "toml").stdout)

    assert other("source", "apply", str(file)).stdout == "feed-1: added.\nfeed-2: added.\n"
    assert _settings(other_store) == _settings(sqlite_store)
    assert other("source", "apply", str(file)).stdout == "feed-1: up to date.\nfeed-2: up to date.\n"

    file.write_text(file.read_text().replace("paused = true", "paused = false").replace('"link"', '"guid"'))
    assert "feed-2: changed (options, paused)." in other("source", "apply", str(file)).stdout
    assert _held(other_store)["feed-2"].state is SourceState.ACTIVE


def test_what_is_exported_for_other_readers(cli: CommandLine, sqlite_store: Store) -> None:
    add_source(sqlite_store, "news")
    add_source(sqlite_store, "events", "calendar", address="https://events.example/calendar")
    add_source(sqlite_store, "acct", "twitter", address="@acct", options={"user_id": "12"})
    add_source(sqlite_store, "desk", "desk", address="desk:")
    add_source(sqlite_store, "gone")
    cli("source", "remove", "gone", "--items", "keep")

    found = {
        outline.get(f"{{{OWN}}}slug"): outline for outline in etree.fromstring(cli("source", "export").stdout_bytes)[1]
    }

    assert found.keys() == {"news", "events", "acct"}
    assert (found["news"].get("type"), found["news"].get("xmlUrl")) == ("rss", "https://news.example/feed")
    assert (found["events"].get("type"), found["events"].get("xmlUrl")) == ("link", None)
    assert found["events"].get("url") == "https://events.example/calendar"
    assert found["events"].get(f"{{{OWN}}}address") == "webcal://events.example/calendar"
    assert found["acct"].get("url") == "https://x.com/acct"
    tables = tomllib.loads(cli("source", "export", "--format", "toml").stdout)["source"]
    assert [table["slug"] for table in tables] == ["acct", "events", "news"]
    assert "options" not in tables[0]


def test_no_secret_is_exported_and_who_had_some_is_named(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store
) -> None:
    cli("source", "add", publisher.url("/good/1.xml"), "--user", "me", typed="pppp-1\n")
    add_source(sqlite_store, "old", address="https://me:pppp-2@old.example/feed")
    add_source(sqlite_store, "keyed", address="https://keyed.example/feed?access_token=x1")
    add_source(sqlite_store, "open", address="https://open.example/feed?page=1")
    sealed = _held(sqlite_store)["feed-1"].sealed
    assert sealed
    for form in ("opml", "toml"):
        result = cli("source", "export", "--format", form)
        assert "pppp" not in result.output
        assert sealed not in result.output
        assert "https://old.example/feed" in result.stdout
        assert result.stderr.splitlines() == [
            "feed-1: its credentials are not exported; set them with 'aggregator source credentials feed-1'.",
            "keyed: its address seems to contain a key (access_token=...), so keep the file private.",
            "old: the user name and password in its address are not exported.",
        ]


def test_what_had_stopped_is_exported_as_paused(cli: CommandLine, sqlite_store: Store, tmp_path: Path) -> None:
    source = add_source(sqlite_store)
    with sqlite_store.writing() as tx:
        tx.polling.sources.set_state(source.id, SourceState.STOPPED, "410 Gone", utc_now())
    output = cli("source", "export", str(tmp_path / "x.toml")).stderr
    assert output.startswith("news: it had stopped (410 Gone) and is exported as paused.\n")
    assert "paused = true" in (tmp_path / "x.toml").read_text()
    assert "--format opml or --format toml" in cli("source", "export", str(tmp_path / "x.txt"), code=2).stderr
    assert "can't be written" in cli("source", "export", str(tmp_path / "no" / "x.toml"), code=2).stderr


def test_a_list_of_another_reader_with_folders(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store, tmp_path: Path
) -> None:
    file = _list(
        tmp_path,
        f'<outline text="Folder">{_outline(publisher.url("/good/1.xml"), "Our name")}',
        f'<outline text="Inner"><outline title="" XMLURL="feed:{publisher.url("/good/2.xml")}"/></outline></outline>',
        _outline(publisher.url("/404")),
        _outline(publisher.url("/good/1.xml")),
        _outline(publisher.url("/moved/2.xml")),
        _outline("javascript:alert(1)"),
        '<outline text="A note"/>',
    )
    result = cli("source", "import", file, "--policy", "hold", code=1)

    stored = _held(sqlite_store)
    assert {slug: (source.name, source.policy) for slug, source in stored.items()} == {
        "feed-1": ("Our name", Policy.HOLD),
        "feed-2": ("Feed 2", Policy.HOLD),
    }
    assert f"duplicate in the file: {publisher.url('/good/1.xml')}" in result.stdout
    assert "added feed-1 (rss, Our name, 3 items)" in result.stdout
    assert f"already exists as feed-2: {publisher.url('/moved/2.xml')}" in result.stdout
    assert f"{publisher.url('/404')}: not added. " in result.stderr
    assert "javascript:alert(1): not added. " in result.stderr
    numbers = sorted(
        line.strip().split("/6")[0] for line in (result.stdout + result.stderr).splitlines() if "/6 " in line
    )
    assert numbers == list("123456")
    assert result.stdout.endswith(
        "6 sources in feeds.opml: 2 added, 2 already there, 2 not added. 1 outline named no feed.\n"
    )
    entries = [(entry["what"], entry["subject"], entry["detail"]) for entry in cli.json("audit", "list")]
    assert ("added a source", "source:feed-1", {"policy": "hold", "from": "feeds.opml"}) in entries


def test_a_second_run_takes_up_what_failed_in_the_first(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store, tmp_path: Path
) -> None:
    file = _list(tmp_path, *(_outline(publisher.url(f"/good/{n}.xml")) for n in (1, 2)))
    feed = publisher.feeds.pop("2")
    cli("source", "import", file, code=1)
    publisher.feeds["2"] = feed
    before = _held(sqlite_store)["feed-1"]
    output = cli("source", "import", file).stdout
    assert "1 added, 1 already there, 0 not added" in output
    assert _held(sqlite_store)["feed-1"] == before


def test_a_dry_run_touches_nothing_and_asks_nobody(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store, tmp_path: Path
) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    hits, before, entries = publisher.hits.total(), _held(sqlite_store), cli.json("audit", "list")
    file = _list(tmp_path, *(_outline(publisher.url(f"/good/{n}.xml")) for n in (1, 2, 2)))
    assert cli("source", "import", file, "--dry-run").stdout.splitlines() == [
        f"1/3 already exists as feed-1: {publisher.url('/good/1.xml')}",
        f"2/3 duplicate in the file: {publisher.url('/good/2.xml')}",
        f"3/3 would be added: {publisher.url('/good/2.xml')}",
        "3 sources in feeds.opml: 1 would be added, 2 already there, 0 not added.",
    ]
    assert (publisher.hits.total(), _held(sqlite_store), cli.json("audit", "list")) == (hits, before, entries)


def test_without_fetching_feeds_are_due_at_once(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store, tmp_path: Path
) -> None:
    file = _list(
        tmp_path,
        _outline(publisher.url("/good/1.xml"), "One"),
        _outline("feed://news.example/feed"),
        _outline("webcal://events.example/all", "Events"),
        _outline("@opengovpart"),
        _outline("https://x.com/opengov2"),
        _outline("mailto:a@b.example"),
    )
    result = cli("source", "import", file, "--no-fetch", code=1)
    assert publisher.hits.total() == 0
    stored = _held(sqlite_store)
    assert {slug: (source.kind, source.address, source.name) for slug, source in stored.items()} == {
        "one": ("rss", publisher.url("/good/1.xml"), "One"),
        "news-example": ("rss", "https://news.example/feed", "news.example"),
        "events": ("calendar", "https://events.example/all", "Events"),
    }
    assert all(due_of(source) <= utc_now() for source in stored.values())
    assert result.stderr.count("must be looked up; import it without --no-fetch") == 2
    assert "'mailto:a@b.example' isn't a feed URL" in result.stderr
    cli("pull", "one")
    assert publisher.hits.total() == 1


@pytest.mark.parametrize("way", [(), ("--no-fetch",)])
@pytest.mark.parametrize("paused", [False, True])
def test_a_private_address_is_refused_with_the_way_out(
    cli: CommandLine, publisher: Publisher, tmp_path: Path, way: tuple[str, ...], paused: bool
) -> None:
    cli.environ["AGGREGATOR_PRIVATE_NETWORKS"] = ""
    file = tmp_path / "x.toml"
    file.write_text(f'[[source]]\naddress = "{publisher.url("/good/1.xml")}"\npaused = {str(paused).lower()}\n')
    output = cli("source", "import", str(file), *way, code=1).stderr
    assert "127.0.0.1" in output
    assert "AGGREGATOR_PRIVATE_NETWORKS" in output
    assert publisher.hits.total() == 0
    assert cli.json("source", "list") == []


@pytest.mark.parametrize("way", [(), ("--no-fetch",), ("--dry-run",)])
def test_a_password_in_an_address_is_not_repeated(
    cli: CommandLine, publisher: Publisher, tmp_path: Path, way: tuple[str, ...]
) -> None:
    file = _list(tmp_path, _outline(f"http://me:pppp@{publisher.host}/good/1.xml"))
    result = cli("source", "import", file, *way, code=0 if "--dry-run" in way else 1)
    assert "pppp" not in result.output
    assert publisher.hits.total() == 0
    assert cli.json("source", "list") == []


def test_a_taken_slug_gives_way_and_is_told(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store, tmp_path: Path
) -> None:
    add_source(sqlite_store, "news")
    file = tmp_path / "x.toml"
    file.write_text(
        "".join(f'[[source]]\naddress = "{publisher.url(f"/good/{n}.xml")}"\nslug = "news"\n' for n in (1, 2))
    )
    output = cli("source", "import", str(file)).stdout
    assert output.count("its slug news is taken here") == 2
    assert _held(sqlite_store).keys() == {"news", "feed-1", "feed-2"}


def test_authors_who_are_trusted_are_so_from_the_first_poll_on(
    cli: CommandLine, publisher: Publisher, tmp_path: Path
) -> None:
    file = tmp_path / "x.toml"
    file.write_text(f'[[source]]\naddress = "{publisher.url("/good/1.xml")}"\npolicy = "hold"\ntrusted = ["Feed 1"]\n')
    cli("source", "import", str(file))
    assert cli.json("review", "list") == []


def test_what_is_wrong_with_one_source_costs_it_alone(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store, tmp_path: Path
) -> None:
    good = f'xmlUrl="{publisher.url("/good/1.xml")}"'
    own = [
        *('slug="No Slug"', 'policy="maybe"', 'policy="delay"', 'every="often"', 'floor="1s"', 'colour="red"'),
        *('trusted="["', 'trusted="[1]"', 'options="[]"', 'paused="1"', 'floor="2h" s:ceiling="1h"'),
        f'options="{"[" * 9000}"',
    ]
    lines = [
        f'<outline xmlns:s="{OWN}" xmlUrl="https://bad{n}.example/" s:{attribute}/>' for n, attribute in enumerate(own)
    ]
    lines.append(f"<outline xmlns:s='{OWN}' {good} s:options='{{\"identity\": \"none such\"}}'/>")
    lines.append(f"<outline {good.replace('1.xml', '2.xml')}/>")
    result = cli("source", "import", _list(tmp_path, *lines), code=1)
    assert _held(sqlite_store).keys() == {"feed-2"}
    assert f"1 added, 0 already there, {len(own) + 1} not added" in result.stdout
    assert " 1/14 not added. line 2: slug is 'No Slug'" in result.stderr
    assert "'none such' for the option 'identity' of a feed; expected one of heuristic, guid, link" in result.stderr
    assert publisher.hits["/good/2.xml"] == 1


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("x.opml", b"", "x.opml is empty"),
        ("x.opml", b"<html><body>Sign in</body></html>", "a web page, not OPML"),
        ("x.opml", b"<opml><body><outline text='R&D'/></body></opml>", "x.opml, line 1"),
        ("x.opml", b'<!DOCTYPE o [<!ENTITY a "b">]><opml>&a;</opml>', "document type"),
        ("x.opml", b"<opml>" + b" " * (6 * 1024 * 1024), "larger than 5 MB"),
        ("x.toml", b"#" * (6 * 1024 * 1024), "larger than 5 MB"),
        ("x.toml", b"[[source]]\naddress = \xff", "can't be read"),
        ("x.toml", b"[[source]\n", "can't be read"),
        ("x", b"\xef\xbb\xbf<rss/>", "another kind of document, not OPML"),
        ("x", b"\xff\xfe<\0r\0s\0s\0/\0>\0", "another kind of document, not OPML"),
        ("x", b"nothing = 1", "may contain [[source]] tables only"),
        ("x.toml", b"[[source]]\n" * 5001, "more than 5000"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(
    cli: CommandLine, tmp_path: Path, name: str, body: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(body)
    assert message in cli("source", "import", str(tmp_path / name), code=2).stderr
    assert cli.json("source", "list") == []


def test_what_the_database_cannot_hold_is_left_out(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store, tmp_path: Path
) -> None:
    own = f"<outline xmlns:s='{OWN}' xmlUrl='{publisher.url('/good/1.xml')}' s:trusted='[\"a\\ud800\\u0000b\"]'/>"
    cli("source", "import", _list(tmp_path, own))
    assert _held(sqlite_store)["feed-1"].trusted == ("ab",)


def test_wrong_usage(cli: CommandLine, tmp_path: Path) -> None:
    file = _list(tmp_path)
    for words in (("--policy", "delay"), ("--delay", "60"), ("--policy", "hold", "--delay", "60")):
        assert "go together" in cli("source", "import", file, *words, code=2).stderr
    assert cli("source", "import", file).stdout == "0 sources in feeds.opml: 0 added, 0 already there, 0 not added.\n"


def test_a_policy_for_all_gives_way_to_what_the_file_says(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store, tmp_path: Path
) -> None:
    lines = [_outline(publisher.url("/good/1.xml")), _outline(publisher.url("/good/2.xml"))]
    lines[1] = lines[1].replace("<outline", f'<outline xmlns:s="{OWN}" s:policy="auto"')
    cli("source", "import", _list(tmp_path, *lines), "--policy", "delay", "--delay", "600")
    stored = _held(sqlite_store)
    assert (stored["feed-1"].policy, stored["feed-1"].delay) == (Policy.DELAY, timedelta(minutes=10))
    assert (stored["feed-2"].policy, stored["feed-2"].delay) == (Policy.AUTO, None)
